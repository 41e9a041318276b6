"""A backlog of one project never stands before somebody's one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.acceptance.parts import mostly_on_rabbitmq
from tests.acceptance.stack import Process, Stack
from tests.documents.long import long_document

BACKLOG = 4
WINDOW_PER_JOB = 8  # conftest.py starts the service with it


@mostly_on_rabbitmq
def test_one_page_overtakes_the_backlog_of_another_project(
    stack: Stack, worker: Process, long_pdf: Path, tmp_path: Path
) -> None:
    one_page = tmp_path / "one.pdf"
    one_page.write_bytes(long_document(1))
    neighbour = replace(stack, key=stack.manage("create_api_key", "neighbour", "--project", "neighbour").strip())
    backlog = [stack.upload(long_pdf) for _ in range(BACKLOG)]

    job_id = neighbour.upload(one_page)
    assert neighbour.wait(job_id) == "COMPLETED"

    assert "RUNNING" in {stack.job(job)["job"]["status"] for job in backlog}
    assert {stack.wait(job, seconds=120) for job in backlog} == {"COMPLETED"}


@mostly_on_rabbitmq
def test_a_job_never_fills_its_queue(stack: Stack, worker: Process, long_pdf: Path) -> None:
    job_id = stack.upload(long_pdf)
    in_the_broker = (
        "SELECT count(*) FROM jobs_step WHERE stage='extract' AND sent_at IS NOT NULL"
        f" AND state IN ('pending', 'running') AND job_id='{job_id}'"
    )
    seen = []
    while stack.pages_in(job_id, "succeeded") < 150:
        seen.append(stack.number(in_the_broker))

    assert 0 < max(seen) <= WINDOW_PER_JOB
    assert stack.wait(job_id) == "COMPLETED"
