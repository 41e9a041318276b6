"""A backlog of one project does not delay another project's single page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import Process, RunningService
from tests.documents.long import long_document

BACKLOG = 2
WINDOW_PER_JOB = 8  # as conftest.py starts the service


@mostly_on_rabbitmq
def test_one_page_overtakes_the_backlog_of_another_project(
    service: RunningService, shared_worker: Process, long_pdf: Path, tmp_path: Path
) -> None:
    one_page = tmp_path / "one.pdf"
    one_page.write_bytes(long_document(1))
    neighbour = replace(service, key=service.manage("create_api_key", "neighbour", "--project", "neighbour").strip())
    backlog = [service.upload(long_pdf) for _ in range(BACKLOG)]

    job_id = neighbour.upload(one_page)
    assert neighbour.wait(job_id) == "COMPLETED"

    assert "RUNNING" in {service.job(job)["job"]["status"] for job in backlog}
    assert {service.wait(job, seconds=120) for job in backlog} == {"COMPLETED"}


@mostly_on_rabbitmq
def test_a_job_sends_no_more_messages_than_its_window(
    service: RunningService, shared_worker: Process, long_pdf: Path
) -> None:
    job_id = service.upload(long_pdf)
    in_the_broker = (
        "SELECT count(*) FROM jobs_step WHERE stage='extract' AND sent_at IS NOT NULL"
        f" AND state IN ('pending', 'running') AND job_id='{job_id}'"
    )
    seen = []
    while service.pages_in(job_id, "succeeded") < 150:
        seen.append(service.number(in_the_broker))

    assert 0 < max(seen) <= WINDOW_PER_JOB
    assert service.wait(job_id) == "COMPLETED"
