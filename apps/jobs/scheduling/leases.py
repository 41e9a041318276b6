"""The leases that this process holds, and the one thread that renews them.

A lease lasts ``settings.LEASE`` by the database's clock and is renewed every ``LEASE_RENEWAL_SECONDS``. Every second
the thread also checks that the claims are still valid, so that the work on a cancelled page stops within moments.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.core.background_thread import BackgroundThread, log_failure
from apps.core.database_connections import borrowed_connection
from apps.jobs.models import Step
from apps.jobs.states import StepState
from apps.pages.per_process import PerProcess

CHECK_SECONDS = 1.0


class Lease:
    """The lease of a claim while its work runs. It is lost when the step is cancelled or reclaimed."""

    def __init__(self, step_id: int, fence: int) -> None:
        self.step_id = step_id
        self.fence = fence
        self.began = time.monotonic()
        self._lost = threading.Event()

    def is_lost(self) -> bool:
        return self._lost.is_set()

    def lose(self) -> None:
        self._lost.set()


class LeaseRenewer:
    """Renews the leases of one process."""

    def __init__(self) -> None:
        self._leases: set[Lease] = set()
        self._thread = BackgroundThread("leases", self._run)

    @contextmanager
    def renewing(self, step_id: int, fence: int) -> Iterator[Lease]:
        """Renew a lease while the block runs."""
        lease = Lease(step_id, fence)
        with self._thread.condition:
            self._leases.add(lease)
            self._thread.wake()
        try:
            yield lease
        finally:
            with self._thread.condition:
                self._leases.discard(lease)

    def _run(self) -> None:
        renewed_at = time.monotonic()
        while True:
            time.sleep(CHECK_SECONDS)
            now = time.monotonic()
            with self._thread.condition:
                leases = [lease for lease in self._leases if now - lease.began >= CHECK_SECONDS]
            due = now - renewed_at >= min(settings.LEASE_RENEWAL_SECONDS, settings.LEASE.total_seconds() / 3)
            if leases:
                with log_failure("The renewal of leases"), borrowed_connection():
                    self._check(leases, renewal_due=due)
            if due:
                renewed_at = now

    def _check(self, leases: Collection[Lease], *, renewal_due: bool) -> None:
        """Mark leases as lost whose claim is not valid any more. Renew the others if renewal is due."""
        steps = Step.objects.filter(pk__in=[lease.step_id for lease in leases], state=StepState.RUNNING)
        fences = dict(steps.values_list("pk", "fence"))
        lost = [lease for lease in leases if fences.get(lease.step_id) != lease.fence]
        for lease in lost:
            lease.lose()
        if renewal_due:
            renew(steps.exclude(pk__in=[lease.step_id for lease in lost]))


@transaction.atomic
def renew(steps: QuerySet[Step]) -> int:
    """Renew the leases of those of ``steps`` that are running. Return their number.

    A step that another process or thread has locked is skipped: it ends, or it is renewed the next time.
    """
    running = steps.filter(state=StepState.RUNNING).select_for_update(skip_locked=True)
    renewed = list(running.values_list("pk", flat=True))
    return Step.objects.filter(pk__in=renewed).update(lease_expires_at=Now() + settings.LEASE)


lease_renewer = PerProcess(LeaseRenewer)
