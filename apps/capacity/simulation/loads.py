"""Loads to simulate: the pages that arrive in each minute."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

MINUTES_PER_HOUR = 60
BUSIEST_HOUR = 14.0


def constant(pages_per_minute: float, *, hours: float) -> list[float]:
    return [pages_per_minute] * _minutes(hours)


def daily(pages_per_minute: float, *, peak: float, hours: float) -> list[float]:
    """Return a day's curve with this mean from midnight. Its busiest minute, at 14 h, has ``peak`` times the mean."""
    steepness, high = 0.0, 1000.0
    for _ in range(60):  # bisection
        middle = (steepness + high) / 2
        mean = sum(_weight(hour / 4, middle) for hour in range(96)) / 96
        steepness, high = (middle, high) if 1 / mean < peak else (steepness, middle)
    weights = [_weight(minute / MINUTES_PER_HOUR, steepness) for minute in range(_minutes(24))]
    mean = sum(weights) / len(weights)
    return [pages_per_minute * weights[minute % len(weights)] / mean for minute in range(_minutes(hours))]


def with_burst(load: list[float], *, pages: float, at_minute: int = 10) -> list[float]:
    """Return the load with additional pages in one minute."""
    return [each + (pages if minute == at_minute else 0.0) for minute, each in enumerate(load)]


def recorded(jobs: Iterable[tuple[datetime, int]], *, until: datetime, hours: float) -> list[float]:
    """Return the pages of the hours before ``until`` from jobs, given as creation time and number of pages."""
    load = [0.0] * _minutes(hours)
    begin = until - timedelta(hours=hours)
    for created_at, pages in jobs:
        minute = int((created_at - begin).total_seconds() // 60)
        if 0 <= minute < len(load):
            load[minute] += pages
    return load


def _minutes(hours: float) -> int:
    return max(1, round(hours * MINUTES_PER_HOUR))


def _weight(hour: float, steepness: float) -> float:
    """Return the height of the curve at this hour: at most 1 and never negative, for any steepness."""
    return math.exp(steepness * (math.cos((hour - BUSIEST_HOUR) / 24 * 2 * math.pi) - 1))
