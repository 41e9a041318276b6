"""The rows of live workers, and the OCR queue for new pages, which depends on them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from apps.jobs import queries, workflow
from apps.jobs.models import Step, Worker
from apps.jobs.scheduling.moves import move_steps
from apps.jobs.states import StepMove, StepState

logger = logging.getLogger(__name__)

MAX_ROW_AGE = timedelta(days=1)


@dataclass(frozen=True)
class WorkerFacts:
    """The facts in a worker's row. ``id`` is never used again by another worker."""

    id: str
    name: str
    host: str
    pid: int
    queues: Mapping[str, int]
    width: int
    version: str


def record_worker(worker: WorkerFacts, reader_escapes: Sequence[str] | None = None) -> None:
    """Record that a worker is alive: the first time by a new row, later by one UPDATE. Old rows are deleted.

    ``reader_escapes``: None if this process has no reader yet.
    """
    known = {} if reader_escapes is None else {"reader_escapes": list(reader_escapes)}
    if Worker.objects.filter(pk=worker.id).update(seen_at=Now(), **known):
        return
    Worker.objects.filter(seen_at__lt=Now() - MAX_ROW_AGE).delete()
    row = Worker(
        id=worker.id,
        name=worker.name[:100],
        host=worker.host[:100],
        pid=worker.pid,
        queues=dict(worker.queues),
        width=worker.width,
        version=worker.version[:20],
        started_at=Now(),
        seen_at=Now(),
        **known,
    )
    Worker.objects.bulk_create([row], ignore_conflicts=True)


def record_worker_stopped(worker_id: str) -> None:
    """Record that a worker accepts no new messages. It may still finish the ones it has."""
    Worker.objects.filter(pk=worker_id, stopped_at=None).update(stopped_at=Now(), seen_at=Now())


def ocr_queue() -> str:
    """Return the queue for new pages: the configured one, or with ``auto`` the GPU's while it has a live worker."""
    if settings.OCR_QUEUE != "auto":
        return str(settings.OCR_QUEUE)
    return workflow.OCR_GPU_QUEUE if workflow.OCR_GPU_QUEUE in queries.live_workers() else workflow.OCR_CPU_QUEUE


def move_pages_from_lost_gpu() -> int:
    """Move pages that wait for a GPU without a live worker to the CPU's queue. Return their number."""
    waiting = Step.objects.filter(queue=workflow.OCR_GPU_QUEUE, state=StepState.PENDING)
    if settings.OCR_QUEUE != "auto" or not waiting.exists() or workflow.OCR_GPU_QUEUE in queries.live_workers():
        return 0
    moved = move_steps(waiting, StepMove.CHANGE_QUEUE, queue=workflow.OCR_CPU_QUEUE)
    logger.warning("%s has no live worker: moved %s pages to %s", workflow.OCR_GPU_QUEUE, moved, workflow.OCR_CPU_QUEUE)
    return moved
