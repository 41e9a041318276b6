"""Workers that are there by their rows alone."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db.models.functions import Now

from apps.jobs.models import Worker
from apps.jobs.scheduling import workers


def a_worker(*queues: str, width: int = 2, host: str = "one") -> str:
    """The id of a worker that has just said that it takes from these queues."""
    worker_id = uuid.uuid4().hex
    widths = dict.fromkeys(queues, width)
    workers.record_worker(workers.WorkerFacts(worker_id, f"{queues[0]}@{host}", host, 7, widths, width, "1.0"))
    return worker_id


def fall_silent(worker_id: str, *, ago: timedelta = timedelta(seconds=46)) -> None:
    """It was heard of so long ago, and not since."""
    Worker.objects.filter(pk=worker_id).update(seen_at=Now() - ago)
