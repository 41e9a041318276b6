"""A running service removes by itself what is over, on every set of backends."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import ROOT, Process, RunningService, wait_for

REPORT = ROOT / "examples" / "report.pdf"
ITS_TIME_IS_OVER = """
from django.utils import timezone
from apps.jobs.scheduling import retention
from apps.jobs.models import Turn
retention.keep_jobs(job_ids=["{job_id}"], until=timezone.now())
Turn.objects.filter(name="clean_up").delete()  # a round is due
"""


@mostly_on_rabbitmq
def test_a_job_whose_time_is_over_goes_while_others_are_worked_at(
    service: RunningService, worker: Process, long_pdf: Path
) -> None:
    service.start_worker("housekeeping", "housekeeping")
    kept, goes = service.upload(REPORT), service.upload(REPORT)
    assert service.wait(kept) == service.wait(goes) == "COMPLETED"
    open_job = service.upload(long_pdf)

    service.run_python(ITS_TIME_IS_OVER.format(job_id=goes))

    wait_for(lambda: is_gone(service, goes), "the job is gone", seconds=30)
    assert service.wait(open_job) == "COMPLETED"
    assert service.result(kept)["markdown_full"]
    assert not list((service.folder / "storage").rglob(f"{goes}*"))


def is_gone(service: RunningService, job_id: str) -> bool:
    with service.client() as client:
        return client.get(f"/api/v2/parse/{job_id}").status_code == 404
