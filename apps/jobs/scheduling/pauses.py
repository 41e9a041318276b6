"""Pause and resume queues, which get no new messages meanwhile, and the intake of new jobs."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from apps.jobs import queries, workflow
from apps.jobs.errors import IntakePaused
from apps.jobs.models import ParseJob, Pause, Step
from apps.jobs.scheduling.dispatch import dispatch_due
from apps.jobs.states import OPEN_JOBS, StepState

INTAKE = "intake"


def pausable() -> list[str]:
    """Return the names that can be paused. Housekeeping cannot: running work depends on it."""
    return [INTAKE, *(name for name in settings.QUEUES if name != workflow.HOUSEKEEPING_QUEUE)]


def pause(*, name: str, reason: str = "", by: str) -> bool:
    """Pause a queue or the intake; running work finishes.

    Return False if it was paused before; a new reason then replaces the old one.
    """
    is_new: bool = Pause.objects.get_or_create(name=name, defaults={"reason": reason, "by": by, "since": Now()})[1]
    if reason and not is_new:
        Pause.objects.filter(name=name).update(reason=reason, by=by)
    return is_new


def resume(*, name: str) -> bool:
    """Resume a queue or the intake, and send due rows. Return False if it was not paused.

    The deadlines of jobs that waited for the queue are extended by the time it was paused.
    """
    with transaction.atomic():
        row = Pause.objects.select_for_update().filter(name=name).first()
        if row is None:
            return False
        row.delete()
        waited = Step.objects.filter(queue__in=queues_paused_by(name), state=StepState.PENDING, sent_at=None)
        ParseJob.objects.filter(state__in=OPEN_JOBS, pk__in=waited.values("job_id")).update(
            deadline_at=F("deadline_at") + (timezone.now() - row.since)
        )
    dispatch_due()
    return True


def queues_paused_by(name: str) -> tuple[str, ...]:
    """Return the queues whose rows are not sent while ``name`` is paused."""
    return (name, *workflow.OCR_QUEUES) if name == workflow.PAGES_QUEUE else (name,)


def paused_names() -> set[str]:
    """Return the names that are paused now, and the queues that these stop."""
    return {name for paused in queries.pauses() for name in queues_paused_by(paused.name)}


def check_intake() -> None:
    """Raise IntakePaused, with the reason, while new jobs are not accepted."""
    paused = Pause.objects.filter(name=INTAKE).first()
    if paused is not None:
        reason = f" ({paused.reason})" if paused.reason else ""
        raise IntakePaused(f"The service accepts no new jobs at the moment{reason}. Send the request again later.")
