"""What of a job is told to OpenTelemetry: the job, each try at a step, and the recognising of a page.

Told after the commit that makes it true, by whoever makes it so: a try whose worker was lost is told by its finder.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from django.db import transaction
from django.utils import timezone

from apps.core import tracing
from apps.core.spans import JOB, Span
from apps.jobs.models import AttemptOutcome, PageAttempt, ParseJob, Step
from apps.jobs.states import JobState, Stage

SNOOZED, RENDERED = "put_off", "rendered"
"""Outcomes of what is not counted as an attempt: the step waits for its turn; the page's image waits for OCR."""
_LONGEST = 24 * 3600.0  # what is told of longer work, or of the past, is not believed


def key_of(step: Step) -> str:
    """The key of the try at this step that has its fence."""
    return f"{step.pk}.{step.fence}"


def attempt_ended(step: Step, outcome: str, *, error_code: str = "", again: bool = False) -> None:
    """Inside the transaction that ends it. ``step``: the row as it was when the try began; ``again``: another one
    follows."""
    if tracing.is_sampled(step.job_id):
        told = partial(_tell_attempt, step, outcome, error_code, again, _overtaken(step, outcome), timezone.now())
        transaction.on_commit(told, robust=True)


def _overtaken(step: Step, outcome: str) -> bool:
    """Whether somebody else has told this try's end already."""
    lost = AttemptOutcome.LEASE_LOST
    return (
        outcome == AttemptOutcome.REFUSED
        and PageAttempt.objects.filter(step_id=step.pk, fence=step.fence, outcome=lost).exists()
    )


def _tell_attempt(step: Step, outcome: str, error_code: str, again: bool, overtaken: bool, ended_at: datetime) -> None:
    place = tracing.active_span(step.job_id)
    begun_at = _moment(step.begun_at) or (place.begun_at if place else ended_at)
    sent_at = _moment(step.sent_at)
    rendered = outcome == RENDERED
    tracing.export(
        Span(
            name="render" if rendered else str(step.stage),
            job_id=step.job_id,
            key=key_of(step) + (f".{outcome}" if rendered or overtaken else ""),
            begun_at=begun_at,
            ended_at=ended_at,
            attributes={
                "leafmill.job": step.job_id,
                "leafmill.pages": step.pages if step.first_page else "",
                "leafmill.stage": str(step.stage),
                "leafmill.queue": step.queue,
                "leafmill.attempt": step.starts,
                "leafmill.outcome": str(outcome),
                "leafmill.tried_again": again,
                "leafmill.waited_seconds": (begun_at - sent_at).total_seconds() if sent_at else None,
                "leafmill.worker": _worker(step) if place is None or step.stage == Stage.RECOGNIZE else "",
                **(place.attributes if place else {}),
            },
            error=error_code,
        )
    )


def _worker(step: Step) -> str:
    """Who made the try, host and process, where that is not the one that tells of it."""
    found = PageAttempt.objects.filter(step_id=step.pk, fence=step.fence).values_list("worker", flat=True).first()
    return found or ""


def _moment(value: object) -> datetime | None:
    """A row that this process has just written may still hold the database's Now()."""
    return value if isinstance(value, datetime) else None


def page_recognized(step: Step, worked: Sequence[object], *, error_code: str) -> None:
    """The OCR worker, which tells nobody anything, says with its answer from when to when it was at the page (seconds
    since 1970), and who it is."""
    if not tracing.is_sampled(step.job_id):
        return
    match worked:
        case [float(begun), float(ended), str(worker)] if (
            abs(time.time() - begun) < _LONGEST and 0 <= ended - begun < _LONGEST
        ):
            span = Span(
                name="recognize page",
                job_id=step.job_id,
                parent=key_of(step),
                begun_at=datetime.fromtimestamp(begun, UTC),
                ended_at=datetime.fromtimestamp(ended, UTC),
                attributes={
                    "leafmill.job": step.job_id,
                    "leafmill.pages": step.pages,
                    "leafmill.queue": step.queue,
                    "leafmill.worker": worker[:100],
                },
                error=error_code,
            )
            tracing.export(span)


def job_ended(job_id: str) -> None:
    """Inside the transaction that ends it."""
    tracing.mark_affected(job_id)
    if tracing.is_sampled(job_id):
        transaction.on_commit(partial(_tell_job, job_id), robust=True)


def _tell_job(job_id: str) -> None:
    job = ParseJob.objects.get(pk=job_id)
    used = job.result_facts.get("usage") or {}
    tracing.export(
        Span(
            name="job",
            job_id=job.pk,
            key=JOB,
            begun_at=job.created_at,
            ended_at=job.finished_at or job.updated_at,
            attributes={
                "leafmill.job": job.pk,
                "leafmill.project": str(job.project_id),
                "leafmill.mode": job.mode,
                "leafmill.tier": job.tier,
                "leafmill.outcome": job.state,
                "leafmill.page_count": job.page_count,
                "leafmill.failed_pages": job.result_facts.get("failed_pages"),
                "leafmill.calls": used.get("requests"),
                "leafmill.cost_usd": used.get("cost_usd"),
            },
            error=job.error_code if job.state == JobState.FAILED else "",
        )
    )
