"""Limits in the simulated service: provider quotas, and the times at which a limit delayed pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from apps.capacity.quota_check import Allowance
from apps.capacity.simulation.stage import NEGLIGIBLE_PAGES, STEP_SECONDS

WINDOW = "window"
SECONDS_PER_DAY = 86_400
MAX_GAP_SECONDS = 600
"""Two times at which the same limit binds are one time if the gap between them is not longer."""


@dataclass(frozen=True)
class BindingLimit:
    """A limit that delayed pages, from and until in seconds since the start.

    It is a quota of the deployment ``where``, or the ``WINDOW`` of projects in the queue of the stage ``where``.
    """

    where: str
    limit: str
    from_seconds: int
    until_seconds: int


class BindingLimits:
    """The times at which limits delayed pages."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], list[int]] = {}
        self._ended: list[BindingLimit] = []

    def note(self, now: int, where: str, limit: str) -> None:
        """Record that the limit delays pages in this step."""
        which = where, limit
        times = self._open.get(which)
        if times is not None and now - times[1] <= MAX_GAP_SECONDS:
            times[1] = now + STEP_SECONDS
            return
        if times is not None:
            self._ended.append(BindingLimit(*which, *times))
        self._open[which] = [now, now + STEP_SECONDS]

    def all(self) -> list[BindingLimit]:
        """Return all times, the earliest first."""
        all_times = [*self._ended, *(BindingLimit(*which, *times) for which, times in self._open.items())]
        return sorted(all_times, key=lambda binding: (binding.from_seconds, binding.where))


class SimulatedQuotas:
    """The quotas of the deployments, which are called in their order."""

    def __init__(self, allowances: Sequence[Allowance], bindings: BindingLimits) -> None:
        self._allowances = allowances
        self._bindings = bindings
        self._used_today = [0.0] * len(allowances)

    def reserve(self, now: int, pages: float) -> float:
        """Return how many of the pages may start in this step. Without deployments there is no quota."""
        if not self._allowances:
            return pages
        if now % SECONDS_PER_DAY == 0:
            self._used_today = [0.0] * len(self._allowances)
        left = pages
        tightest: list[tuple[str, str]] = []
        for number, allowed in enumerate(self._allowances):
            available = {name: rate * STEP_SECONDS / 60 for name, rate in allowed.per_minute.items()}
            available |= {name: max(0.0, most - self._used_today[number]) for name, most in allowed.per_day.items()}
            limit = min(available, key=available.__getitem__, default="")
            reserved = min(left, available.get(limit, math.inf))
            self._used_today[number] += reserved
            left -= reserved
            tightest.append((allowed.deployment, limit))
        if left > NEGLIGIBLE_PAGES:
            for where, limit in tightest:
                self._bindings.note(now, where, limit)
        return pages - left
