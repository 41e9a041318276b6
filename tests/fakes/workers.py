"""Worker rows without worker processes."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db.models.functions import Now

from apps.jobs.models import Worker
from apps.jobs.scheduling import workers


def register_worker(*queues: str, width: int = 2, host: str = "one") -> str:
    """Record a worker that consumes these queues and has just reported; return its id."""
    worker_id = uuid.uuid4().hex
    widths = dict.fromkeys(queues, width)
    workers.record_worker(workers.WorkerFacts(worker_id, f"{queues[0]}@{host}", host, 7, widths, width, "1.0"))
    return worker_id


def stop_heartbeat(worker_id: str, *, ago: timedelta = timedelta(seconds=46)) -> None:
    """Make this the worker's last heartbeat: by default just longer ago than a worker may stay silent."""
    Worker.objects.filter(pk=worker_id).update(seen_at=Now() - ago)
