"""Of many pages of a job that end within moments, not each asks what is still open: a worker asks ten times a second.

The first asks at once, so a short document does not wait; for those that follow within ``BETWEEN_LOOKS_SECONDS`` a
thread asks once, after them all. What a worker that dies did not ask any more rescue finds.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import DatabaseError

from apps.core.database_connections import database_turn
from apps.jobs.scheduling.advance import advance_if_done
from apps.jobs.states import Stage

logger = logging.getLogger(__name__)
BETWEEN_LOOKS_SECONDS = 0.1

Work = tuple[str, Stage]


class Debouncer:
    """When this process looked at what is open of each job's stage, and what it has to look at again."""

    def __init__(self) -> None:
        self._looked_at: dict[Work, float] = {}
        self._waiting: dict[Work, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def look(self, work: Work) -> None:
        """Look at this now, or in a moment together with others."""
        if self._is_now(work):
            _advance(work)

    def look_at_all(self) -> None:
        """Look at everything that waits: the process ends."""
        for work in self._due(by=float("inf")):
            _advance(work)

    def _is_now(self, work: Work) -> bool:
        now = time.monotonic()
        with self._changed:
            if work in self._waiting:
                return False
            earliest = self._looked_at.get(work, 0.0) + BETWEEN_LOOKS_SECONDS
            if earliest <= now:
                self._note(work, now)
                return True
            self._waiting[work] = earliest
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="looks", daemon=True)
                self._thread.start()
            self._changed.notify()
            return False

    def _note(self, work: Work, now: float) -> None:
        self._looked_at = {
            other: moment for other, moment in self._looked_at.items() if now - moment < BETWEEN_LOOKS_SECONDS
        }
        self._looked_at[work] = now

    def _watch(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                wait = min(self._waiting.values()) - time.monotonic()
            time.sleep(max(0.0, wait))
            for work in self._due(by=time.monotonic()):
                _advance(work)

    def _due(self, *, by: float) -> list[Work]:
        with self._changed:
            due = [work for work, moment in self._waiting.items() if moment <= by]
            for work in due:
                del self._waiting[work]
                self._note(work, time.monotonic())
            return due


def _advance(work: Work) -> None:
    job_id, stage = work
    try:
        with database_turn():
            advance_if_done(job_id=job_id, stage=stage)
    except DatabaseError as error:
        logger.warning("Job %s could not be moved on (%s); rescue does it", job_id, error)
    except Exception:  # the thread that looks for all jobs goes on
        logger.exception("Job %s could not be moved on; rescue does it", job_id)


_debouncer: Debouncer | None = None


def start() -> None:
    """Look together from here on; said by a worker of many threads when it starts."""
    global _debouncer
    _debouncer = Debouncer()


def end() -> None:
    """What waits to be looked at is looked at now: the worker ends."""
    if _debouncer is not None:
        _debouncer.look_at_all()


def advance_soon(*, job_id: str, stage: Stage) -> None:
    """``advance_if_done`` within ``BETWEEN_LOOKS_SECONDS``; at once where nobody said ``start``."""
    if _debouncer is not None:
        _debouncer.look((job_id, stage))
    else:
        with database_turn():
            advance_if_done(job_id=job_id, stage=stage)
