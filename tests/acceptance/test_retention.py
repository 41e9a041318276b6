"""A running service removes by itself what is over, on every set of parts."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.parts import mostly_on_rabbitmq
from tests.acceptance.stack import ROOT, Process, Stack, wait_for

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
    stack: Stack, worker: Process, long_pdf: Path
) -> None:
    stack.start_worker("housekeeping", "housekeeping")
    kept, goes = stack.upload(REPORT), stack.upload(REPORT)
    assert stack.wait(kept) == stack.wait(goes) == "COMPLETED"
    open_job = stack.upload(long_pdf)

    stack.run_python(ITS_TIME_IS_OVER.format(job_id=goes))

    wait_for(lambda: is_gone(stack, goes), "the job is gone", seconds=30)
    assert stack.wait(open_job) == "COMPLETED"
    assert stack.result(kept)["markdown_full"]
    assert not list((stack.folder / "storage").rglob(f"{goes}*"))


def is_gone(stack: Stack, job_id: str) -> bool:
    with stack.client() as client:
        return client.get(f"/api/v2/parse/{job_id}").status_code == 404
