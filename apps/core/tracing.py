"""Tracing: one trace for each job, with a span for each request, attempt and model call that belongs to it.

Tracing is off unless ``settings.TRACES_ENDPOINT`` is set; opentelemetry is not imported then (only
apps/core/telemetry.py imports it). The trace id is the one in log lines. Span ids are derived from the job's id and a
key (apps/core/spans.py). Every process can compute a span's parent before the parent is exported, so no message
carries it. A span is exported once, when it has ended. Any app may import this module.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from apps.core import logs
from apps.core.spans import Span, Value
from apps.pages.per_process import PerProcess

if TYPE_CHECKING:
    from apps.core.telemetry import TraceExporter

logger = logging.getLogger(__name__)

_RANDOM_BITS = 56  # W3C Trace Context: the last 56 bits of a trace id are random; above them a UUID has constant bits


@dataclass(frozen=True)
class ActiveSpan:
    """The span that this thread works on; ``attributes`` are added to it when it is exported."""

    job_id: str
    key: str
    begun_at: datetime
    attributes: dict[str, Value | None] = field(default_factory=dict)


_active: ContextVar[ActiveSpan | None] = ContextVar("active", default=None)
_affected: ContextVar[list[str] | None] = ContextVar("affected", default=None)


def is_sampled(job_id: str) -> bool:
    """Return whether spans of this job are exported. All processes decide the same, by the job's id alone."""
    if not settings.TRACES_ENDPOINT:
        return False
    chance = int(logs.trace_id_of(job_id), 16) % 2**_RANDOM_BITS
    return bool(chance >= (1 - settings.TRACES_SHARE) * 2**_RANDOM_BITS)


@contextmanager
def within(job_id: str, key: str) -> Iterator[ActiveSpan | None]:
    """Make the span with this key the active one of this thread; None if the job is not sampled."""
    if not is_sampled(job_id):
        yield None
        return
    active = ActiveSpan(job_id, key, timezone.now())
    token = _active.set(active)
    try:
        yield active
    finally:
        _active.reset(token)


def active_span(job_id: str) -> ActiveSpan | None:
    """Return this thread's active span if it belongs to this job."""
    active = _active.get()
    return active if active is not None and active.job_id == job_id else None


def add_attributes(**attributes: Value | None) -> None:
    """Add attributes to this thread's active span, if there is one. Their names get the prefix ``leafmill.``."""
    if (active := _active.get()) is not None:
        active.attributes.update({f"leafmill.{name}": value for name, value in attributes.items()})


@contextmanager
def collect_affected_jobs() -> Iterator[Sequence[str]]:
    """Collect the ids of the jobs that this thread starts, changes or ends in the block."""
    jobs: list[str] = []
    token = _affected.set(jobs)
    try:
        yield jobs
    finally:
        _affected.reset(token)


def mark_affected(job_id: str) -> None:
    """Make the request that this thread handles part of the job's trace."""
    jobs = _affected.get()
    if jobs is not None and job_id not in jobs:
        jobs.append(job_id)


def export(span: Span) -> None:
    """Queue the span for export. Never raise or wait: tracing must not disturb the work."""
    try:
        if (exporter := _exporter()) is not None:
            exporter.export(span)
    except Exception:
        logger.exception("A span of %s could not be exported", span.job_id)


# --- the exporter of this process ---

_consumed_queues: Sequence[str] = ()


def start(queues: Sequence[str] = ()) -> None:
    """Make the exporter after the last fork, so that no span waits for imports. ``queues``: those consumed here."""
    global _consumed_queues
    if settings.TRACES_ENDPOINT:
        _consumed_queues = queues
        _exporter.reset()
        _exporter()


def stop() -> None:
    """Flush the spans at the end of the process, within a few seconds. Later spans are dropped."""
    if (exporter := _exporter.peek()) is not None:
        exporter.stop()


def _make_exporter() -> TraceExporter | None:
    """Return the exporter, or None if it cannot be made."""
    try:
        from apps.core.telemetry import TraceExporter

        exporter = TraceExporter(
            endpoint=settings.TRACES_ENDPOINT,
            service=settings.TRACES_SERVICE,
            version=settings.VERSION,
            queues=_consumed_queues,
        )
    except Exception:
        logger.exception("Traces cannot be exported; the service works without them")
        return None
    Finalize(None, stop, exitpriority=0)  # unlike atexit, it also runs where the web server ends its processes
    return exporter


_exporter = PerProcess(_make_exporter)
