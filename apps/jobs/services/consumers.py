"""Which OCR workers are there: each says so every few seconds, and the queue for new pages is chosen by it."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from apps.jobs import workflow
from apps.jobs.models import Step, Turn
from apps.jobs.states import StepState

logger = logging.getLogger(__name__)

# A worker that was not heard of for so long is gone.
SILENCE = timedelta(seconds=45)


def note_ocr_worker(*, queue: str) -> None:
    """A worker for this queue is there."""
    if queue in workflow.OCR_QUEUES:
        Turn.objects.update_or_create(name=_name(queue), defaults={"expires_at": Now() + SILENCE})


def ocr_queue() -> str:
    """The queue for new pages: as configured, else that of the GPU while a worker for it is there."""
    if settings.OCR_QUEUE != "auto":
        return str(settings.OCR_QUEUE)
    return workflow.OCR_GPU_QUEUE if _is_there(workflow.OCR_GPU_QUEUE) else workflow.OCR_CPU_QUEUE


def ocr_workers_there() -> list[str]:
    """The OCR queues of which a worker was heard lately."""
    return [queue for queue in workflow.OCR_QUEUES if _is_there(queue)]


def leave_lost_gpu() -> int:
    """Pages that wait for a GPU whose workers are gone go to the CPU's queue; how many did."""
    waiting = Step.objects.filter(queue=workflow.OCR_GPU_QUEUE, state=StepState.PENDING)
    if settings.OCR_QUEUE != "auto" or not waiting.exists() or _is_there(workflow.OCR_GPU_QUEUE):
        return 0
    moved = waiting.update(queue=workflow.OCR_CPU_QUEUE, fence=F("fence") + 1, sent_at=None, window="", image="")
    logger.warning("No worker takes from %s: %s pages go to %s", workflow.OCR_GPU_QUEUE, moved, workflow.OCR_CPU_QUEUE)
    return moved


def _is_there(queue: str) -> bool:
    return Turn.objects.filter(name=_name(queue), expires_at__gte=Now()).exists()


def _name(queue: str) -> str:
    return f"worker of {queue}"
