"""``manage.py pause`` and ``resume`` while a worker runs."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.backends import EMBEDDED, on_backends
from tests.acceptance.running_service import Process, RunningService, wait_for
from tests.documents.long import long_document

PAGES = "parse_raw_file_job_pages"


@on_backends(EMBEDDED)
def test_pages_of_a_paused_queue_wait_until_it_is_resumed(
    service: RunningService, worker: Process, long_pdf: Path, tmp_path: Path
) -> None:
    one_page = tmp_path / "one.pdf"
    one_page.write_bytes(long_document(1))
    assert service.manage("pause", PAGES, "--reason", "disk check").strip() == f"{PAGES} is paused."
    try:
        job_id = service.upload(long_pdf)
        wait_for(lambda: service.pages_in(job_id, "pending") == 200, "the document is split", seconds=30)
        # One after the other, so that the worker claims work several times in the meantime.
        assert [service.wait(service.upload(one_page)) for _ in range(10)] == ["COMPLETED"] * 10

        assert service.pages_in(job_id, "pending") == 200
        sent = f"SELECT count(*) FROM jobs_step WHERE job_id='{job_id}' AND queue='{PAGES}' AND sent_at IS NOT NULL"
        assert service.number(sent) == 0
    finally:
        output = service.manage("resume", PAGES).strip()

    assert output == f"{PAGES} is resumed."
    assert service.wait(job_id) == "COMPLETED"
    assert service.pages_in(job_id, "succeeded") == 200
