"""A document of an older program through the API, a parse worker and a convert worker with LibreOffice."""

from __future__ import annotations

from apps.pages.conversion.converter import AUTO, find_program
from tests.acceptance.backends import EMBEDDED, on_backends
from tests.acceptance.running_service import ROOT, RunningService

LETTER = ROOT / "tests/documents/older/letter.doc"


@on_backends(EMBEDDED)
def test_a_letter_of_an_older_program_is_parsed(service: RunningService) -> None:
    service.settings["CONVERTER"] = str(find_program(AUTO))  # with auto, the worker's first report could be too late
    service.start_worker()
    service.start_worker("convert", "convert")

    job_id = service.upload(LETTER)

    assert service.wait(job_id) == "COMPLETED"
    answer = service.job(job_id, "markdown_full", "job_metadata")
    assert answer["markdown_full"].startswith("# Offer 17\n")
    assert answer["job_metadata"]["media_type"] == "application/msword"
    assert answer["job_metadata"]["converted_to"].endswith("wordprocessingml.document")
    assert [warning["code"] for warning in answer["job"]["warnings"]] == ["document_converted"]
