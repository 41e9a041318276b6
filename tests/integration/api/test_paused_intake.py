"""While the intake is paused, the API refuses new jobs with the reason and a Retry-After; all else continues."""

from __future__ import annotations

from apps.documents.models import Document
from apps.jobs.models import ParseJob
from apps.jobs.scheduling import pauses
from tests.integration.api.conftest import Api, code_of


def test_new_jobs_are_refused_with_the_reason(api: Api) -> None:
    file_id = api.upload().json()["id"]
    pauses.pause(name="intake", reason="moving to a new machine", by="tester")

    for response in (api.parse(), api.parse_file(file_id)):
        assert code_of(response, 503) == "intake_paused"
        assert "moving to a new machine" in response.json()["detail"]
        assert int(response["Retry-After"]) >= 30
    assert not ParseJob.objects.exists()
    assert Document.objects.count() == 1, "the upload of a refused request is not kept"

    pauses.resume(name="intake")
    assert api.parse_file(file_id).status_code == 200


def test_reads_estimates_and_uploads_continue(api: Api) -> None:
    job = api.parse().json()["id"]
    pauses.pause(name="intake", by="tester")

    file_id = api.upload().json()["id"]
    body = {"tier": "fast", "version": "latest", "file_id": file_id}
    estimate = api.post("/api/v2/parse/estimate", body, content_type="application/json")

    assert api.job(job).status_code == 200
    assert estimate.status_code == 200
    assert estimate.json()["pages"] == 1
