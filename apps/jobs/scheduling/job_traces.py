"""Spans of a job for OpenTelemetry: the job, each attempt at a step, and the recognition of a page in an OCR worker.

A span is exported after the commit that ends its work, by the process that commits. The attempt of a lost worker is
exported by the process that reclaims its step.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from apps.core import tracing
from apps.core.spans import JOB, Span
from apps.jobs.models import AttemptOutcome, PageAttempt, ParseJob, Step
from apps.jobs.states import JobState, Stage

# Values of the attribute leafmill.outcome (docs/tracing.md) for work that is not counted as an attempt.
SNOOZED, RENDERED = "put_off", "rendered"
_MAX_OCR_SECONDS = 24 * 3600.0  # times that an OCR worker reports are ignored if they are longer or further away


def key_of(step: Step) -> str:
    """Return the key of the span of the attempt that has this step's fence."""
    return f"{step.pk}.{step.fence}"


def attempt_ended(step: Step, outcome: str, *, error_code: str = "", again: bool = False) -> None:
    """Export the span of an attempt on commit. Call it inside the transaction that ends the attempt.

    ``step`` is the row as it was when the attempt began; ``again``: another attempt follows.
    """
    if not tracing.is_sampled(step.job_id):
        return
    attempts = PageAttempt.objects.filter(step_id=step.pk, fence=step.fence)
    # The process that reclaimed the step has exported a span with the plain key already.
    is_second_span = outcome == AttemptOutcome.REFUSED and attempts.filter(outcome=AttemptOutcome.LEASE_LOST).exists()
    is_rendering = outcome == RENDERED
    ended_at = timezone.now()

    def export() -> None:
        active = tracing.active_span(step.job_id)
        begun_at = _moment(step.begun_at) or (active.begun_at if active else ended_at)
        sent_at = _moment(step.sent_at)
        worker = ""  # the host and process of the attempt, if it is not this process
        if active is None or step.stage == Stage.RECOGNIZE:
            worker = attempts.values_list("worker", flat=True).first() or ""
        tracing.export(
            Span(
                name="render" if is_rendering else str(step.stage),
                job_id=step.job_id,
                key=key_of(step) + (f".{outcome}" if is_rendering or is_second_span else ""),
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
                    "leafmill.worker": worker,
                    **(active.attributes if active else {}),
                },
                error=error_code,
            )
        )

    transaction.on_commit(export, robust=True)


def _moment(value: object) -> datetime | None:
    """Return the value if it is a time. A row that this process has just written may still hold ``Now()``."""
    return value if isinstance(value, datetime) else None


def page_recognized(step: Step, worked: Sequence[object], *, error_code: str) -> None:
    """Export the span of the recognition of a page. The OCR worker itself exports nothing.

    ``worked`` comes with its answer and is not trusted: when it began and ended (seconds since 1970), and its name.
    """
    if not tracing.is_sampled(step.job_id):
        return
    match worked:
        case [float(begun), float(ended), str(worker)] if (
            abs(time.time() - begun) < _MAX_OCR_SECONDS and 0 <= ended - begun < _MAX_OCR_SECONDS
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
    """Export the job's root span on commit. Call it inside the transaction that ends the job."""
    tracing.mark_affected(job_id)
    if not tracing.is_sampled(job_id):
        return

    def export() -> None:
        job = ParseJob.objects.get(pk=job_id)
        usage = job.result_facts.get("usage") or {}
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
                    "leafmill.calls": usage.get("requests"),
                    "leafmill.cost_usd": usage.get("cost_usd"),
                },
                error=job.error_code if job.state == JobState.FAILED else "",
            )
        )

    transaction.on_commit(export, robust=True)
