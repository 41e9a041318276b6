"""A running service removes expired jobs by itself, on every set of backends."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import ROOT, Process, RunningService, wait_for

REPORT = ROOT / "examples" / "report.pdf"
EXPIRE_JOB = """
from django.utils import timezone
from apps.jobs.scheduling import retention
from apps.jobs.models import LeaderLock
retention.keep_jobs(job_ids=["{job_id}"], until=timezone.now())
LeaderLock.objects.filter(name="clean_up").delete()  # the next clean-up is due
"""


@mostly_on_rabbitmq
def test_an_expired_job_is_removed_while_another_job_runs(
    service: RunningService, worker: Process, long_pdf: Path
) -> None:
    service.start_worker("housekeeping", "housekeeping")
    kept, expired = service.upload(REPORT), service.upload(REPORT)
    assert service.wait(kept) == service.wait(expired) == "COMPLETED"
    open_job = service.upload(long_pdf)

    service.run_python(EXPIRE_JOB.format(job_id=expired))

    wait_for(lambda: is_gone(service, expired), "the job is gone", seconds=30)
    assert service.wait(open_job) == "COMPLETED"
    assert service.result(kept)["markdown_full"]
    assert not list((service.folder / "storage").rglob(f"{expired}*"))


def is_gone(service: RunningService, job_id: str) -> bool:
    with service.client() as client:
        return client.get(f"/api/v2/parse/{job_id}").status_code == 404
