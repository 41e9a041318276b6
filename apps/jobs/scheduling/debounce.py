"""Debounce: when many pages of a job finish together, a worker checks stage completion once per 100 ms.

The first page is checked at once, so a short document does not wait. For pages that follow within
``INTERVAL_SECONDS`` a thread checks once, after all of them. If the worker
dies before that, rescue advances the jobs.
"""

from __future__ import annotations

import logging
import time

from django.db import DatabaseError

from apps.core.background_thread import BackgroundThread
from apps.core.database_connections import borrowed_connection
from apps.jobs.scheduling.advance import advance_if_done
from apps.jobs.states import Stage
from apps.pages.per_process import PerProcess

logger = logging.getLogger(__name__)
INTERVAL_SECONDS = 0.1

JobStage = tuple[str, Stage]


class Debouncer:
    """The time of this process's last check of each job's stage, and the checks that wait. Unused until ``enabled``."""

    def __init__(self) -> None:
        self.enabled = False
        self._checked_at: dict[JobStage, float] = {}
        self._due_at: dict[JobStage, float] = {}
        self._thread = BackgroundThread("debounce", self._run)

    def check(self, work: JobStage) -> None:
        """Check now, or a moment later together with others."""
        now = time.monotonic()
        with self._thread.condition:
            if work in self._due_at:
                return
            earliest = self._checked_at.get(work, 0.0) + INTERVAL_SECONDS
            if earliest > now:
                self._due_at[work] = earliest
                self._thread.wake()
                return
            self._remember(work, now)
        _advance(work)

    def flush(self) -> None:
        """Run all checks that wait, because the process ends."""
        for work in self._take_due(by=float("inf")):
            _advance(work)

    def _remember(self, work: JobStage, now: float) -> None:
        self._checked_at = {
            other: moment for other, moment in self._checked_at.items() if now - moment < INTERVAL_SECONDS
        }
        self._checked_at[work] = now

    def _run(self) -> None:
        while True:
            with self._thread.condition:
                self._thread.condition.wait_for(lambda: self._due_at)
                wait = min(self._due_at.values()) - time.monotonic()
            time.sleep(max(0.0, wait))
            for work in self._take_due(by=time.monotonic()):
                _advance(work)

    def _take_due(self, *, by: float) -> list[JobStage]:
        with self._thread.condition:
            due = [work for work, moment in self._due_at.items() if moment <= by]
            for work in due:
                del self._due_at[work]
                self._remember(work, time.monotonic())
            return due


def _advance(work: JobStage) -> None:
    job_id, stage = work
    try:
        with borrowed_connection():
            advance_if_done(job_id=job_id, stage=stage)
    except DatabaseError as error:
        logger.warning("Job %s could not be advanced (%s); rescue will do it", job_id, error)
    except Exception:  # the thread must go on for the other jobs
        logger.exception("Job %s could not be advanced; rescue will do it", job_id)


_debouncer = PerProcess(Debouncer)


def start() -> None:
    """Debounce from now on. A worker with many threads calls it when it starts."""
    _debouncer().enabled = True


def end() -> None:
    """Run the checks that still wait. A worker calls it when it ends."""
    _debouncer().flush()


def advance_soon(*, job_id: str, stage: Stage) -> None:
    """Run ``advance_if_done`` within ``INTERVAL_SECONDS``, or at once where ``start`` was not called."""
    if _debouncer().enabled:
        _debouncer().check((job_id, stage))
    else:
        with borrowed_connection():
            advance_if_done(job_id=job_id, stage=stage)
