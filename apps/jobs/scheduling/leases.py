"""What this process holds, and the one thread that renews it.

A lease lasts ``settings.LEASE`` by the database's clock and is renewed every ``LEASE_RENEWAL_SECONDS``. In between the
thread asks every second whether the claims are still ours, so that a cancelled page ends within moments.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.core.database_connections import database_turn
from apps.jobs.models import Step
from apps.jobs.states import StepState

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Lease:
    """A claim while its work runs; ``is_lost()`` once it was cancelled or overtaken."""

    def __init__(self, step_id: int, fence: int) -> None:
        self.step_id = step_id
        self.fence = fence
        self.since = time.monotonic()
        self._lost = threading.Event()

    def is_lost(self) -> bool:
        return self._lost.is_set()

    def lose(self) -> None:
        self._lost.set()


class LeaseKeeper:
    """Renews the leases of one process. Made anew after a fork, where threads do not follow."""

    def __init__(self) -> None:
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keep(self, step_id: int, fence: int) -> Iterator[Lease]:
        lease = Lease(step_id, fence)
        with self._lock:
            self._leases.add(lease)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)
                self._thread.start()
        try:
            yield lease
        finally:
            with self._lock:
                self._leases.discard(lease)

    def _keep(self) -> None:
        renewed_at = time.monotonic()
        while True:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            with self._lock:
                leases = [one for one in self._leases if now - one.since >= LOOK_SECONDS]
            due = now - renewed_at >= min(settings.LEASE_RENEWAL_SECONDS, settings.LEASE.total_seconds() / 3)
            try:
                if leases:
                    with database_turn():
                        self._look_after(leases, renewal_due=due)
            except DatabaseError as error:
                logger.warning("Leases could not be renewed (%s); trying again", error)
            finally:
                connection.close()
            if due:
                renewed_at = now

    def _look_after(self, leases: Collection[Lease], *, renewal_due: bool) -> None:
        steps = Step.objects.filter(pk__in=[one.step_id for one in leases], state=StepState.RUNNING)
        fences = dict(steps.values_list("pk", "fence"))
        lost = [one for one in leases if fences.get(one.step_id) != one.fence]
        for one in lost:
            one.lose()
        if renewal_due:
            renew(steps.exclude(pk__in=[one.step_id for one in lost]))


def renew(steps: QuerySet[Step]) -> int:
    """Renew the leases of those of ``steps`` that are running. Return their number."""
    return steps.filter(state=StepState.RUNNING).update(lease_expires_at=Now() + settings.LEASE)


_keeper = LeaseKeeper()
_keeper_pid = os.getpid()


def lease_keeper() -> LeaseKeeper:
    global _keeper, _keeper_pid
    if _keeper_pid != os.getpid():
        _keeper, _keeper_pid = LeaseKeeper(), os.getpid()
    return _keeper
