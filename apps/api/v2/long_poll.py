"""Wait for the end of a job within a request (``wait``), so that a client need not ask again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from apps.jobs.errors import JobNotFound
from apps.jobs.models import ParseJob

MAX_WAIT_SECONDS = 60
MAX_WAITING = 12
"""Threads of the web process that may wait at once; it has 32. Further requests are answered without waiting."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_slots = threading.BoundedSemaphore(MAX_WAITING)


def wait_for_end(job: ParseJob, *, seconds: float) -> ParseJob:
    """Return the job when it has ended, or as it is after ``seconds``. Raise JobNotFound if it is deleted meanwhile."""
    if job.has_ended or seconds <= 0:
        return job
    with waiting_slot() as may_wait:
        return poll_until_end(job, seconds=seconds) if may_wait else job


@contextmanager
def waiting_slot() -> Iterator[bool]:
    """Yield whether this thread may wait: at most ``MAX_WAITING`` do at once."""
    may_wait = _slots.acquire(blocking=False)
    try:
        yield may_wait
    finally:
        if may_wait:
            _slots.release()


def poll_until_end(job: ParseJob, *, seconds: float) -> ParseJob:
    """Do the same as ``wait_for_end``, in a slot that the caller holds."""
    until, pause = time.monotonic() + seconds, _SHORTEST_PAUSE
    while not job.has_ended and time.monotonic() < until:
        time.sleep(min(pause, max(0.0, until - time.monotonic())))
        pause = min(2 * pause, _LONGEST_PAUSE)
        found = ParseJob.objects.filter(pk=job.pk).first()
        if found is None:
            raise JobNotFound
        job = found
    return job
