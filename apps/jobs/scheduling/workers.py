"""Which workers are there, by their own word, and the OCR queue for new pages that is chosen by it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from apps.jobs import queries, workflow
from apps.jobs.models import Step, Worker
from apps.jobs.scheduling.moves import move_steps
from apps.jobs.states import StepMove, StepState

logger = logging.getLogger(__name__)

KEPT = timedelta(days=1)


@dataclass(frozen=True)
class WorkerFacts:
    """A worker process as its row tells of it; ``id`` is its own and nobody's before or after it."""

    id: str
    name: str
    host: str
    pid: int
    queues: Mapping[str, int]
    width: int
    version: str


def record_worker(worker: WorkerFacts) -> None:
    """It is there. Its first word writes its row, and clears away what is old; each later one is one UPDATE."""
    if Worker.objects.filter(pk=worker.id).update(seen_at=Now()):
        return
    Worker.objects.filter(seen_at__lt=Now() - KEPT).delete()
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
    )
    Worker.objects.bulk_create([row], ignore_conflicts=True)


def record_worker_stopped(worker_id: str) -> None:
    """It takes nothing more, and ends with what it holds."""
    Worker.objects.filter(pk=worker_id, stopped_at=None).update(stopped_at=Now(), seen_at=Now())


def ocr_queue() -> str:
    """The queue for new pages: as configured, else that of the GPU while a worker for it is there."""
    if settings.OCR_QUEUE != "auto":
        return str(settings.OCR_QUEUE)
    return workflow.OCR_GPU_QUEUE if _is_there(workflow.OCR_GPU_QUEUE) else workflow.OCR_CPU_QUEUE


def move_pages_from_lost_gpu() -> int:
    """Pages that wait for a GPU whose workers are gone go to the CPU's queue; how many did."""
    waiting = Step.objects.filter(queue=workflow.OCR_GPU_QUEUE, state=StepState.PENDING)
    if settings.OCR_QUEUE != "auto" or not waiting.exists() or _is_there(workflow.OCR_GPU_QUEUE):
        return 0
    moved = move_steps(waiting, StepMove.CHANGE_QUEUE, queue=workflow.OCR_CPU_QUEUE)
    logger.warning("No worker takes from %s: %s pages go to %s", workflow.OCR_GPU_QUEUE, moved, workflow.OCR_CPU_QUEUE)
    return moved


def _is_there(queue: str) -> bool:
    return queue in queries.live_workers()
