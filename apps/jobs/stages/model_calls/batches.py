"""Look after batches from time to time, and send the pages whose answers arrived."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from django.db.models.functions import Now

from apps.jobs.models import ParseJob, Step
from apps.jobs.scheduling.dispatch import dispatch_due
from apps.jobs.scheduling.leader_lock import acquire_leader_lock
from apps.jobs.states import OPEN_JOBS, Stage, StepState
from apps.providers.batches import polling
from apps.providers.batches.settling import ReadyPages
from apps.providers.models import BatchRequest

INTERVAL_SECONDS = 5.0


def look_after_batches() -> bool:
    """Form, send and poll batches, once. Return False if another process does so, or if there are none."""
    jobs = set(BatchRequest.objects.values_list("job_id", flat=True).distinct().order_by())
    if not jobs and not polling.open_batches():
        return False
    if not acquire_leader_lock("batches", duration=timedelta(seconds=INTERVAL_SECONDS * 0.8)):
        return False
    open_jobs = set(ParseJob.objects.filter(pk__in=jobs, state__in=OPEN_JOBS).values_list("pk", flat=True))
    wake(polling.tend_batches(ended_jobs=jobs - open_jobs))
    return True


def wake(pages: ReadyPages) -> None:
    """Send these pages now: they are snoozed until their answer is there."""
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for page in pages:
        numbers[page.job_id, page.page_parser].append(page.page_number)
    for (job_id, queue), found in numbers.items():
        snoozed = Step.objects.filter(
            job_id=job_id, stage=Stage.MODEL, queue=queue, first_page__in=found, state=StepState.PENDING, sent_at=None
        )
        snoozed.update(not_before=Now())
    if numbers:
        dispatch_due(queues=dict.fromkeys(queue for _, queue in numbers))
