"""Loads to simulate: pages that come in, minute by minute."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

MINUTES_PER_HOUR = 60
BUSIEST_HOUR = 14.0


def constant(pages_per_minute: float, *, hours: float) -> list[float]:
    return [pages_per_minute] * _minutes(hours)


def daily(pages_per_minute: float, *, peak: float, hours: float) -> list[float]:
    """A day's curve with this mean, beginning at midnight; its busiest minute, early in the afternoon, has ``peak``
    times the mean."""
    steepness = _steepness(peak)
    weights = [_weight(minute / MINUTES_PER_HOUR, steepness) for minute in range(_minutes(24))]
    mean = sum(weights) / len(weights)
    return [pages_per_minute * weights[minute % len(weights)] / mean for minute in range(_minutes(hours))]


def with_burst(load: list[float], *, pages: float, at_minute: int = 10) -> list[float]:
    """The same load, and so many pages more within one minute."""
    return [each + (pages if minute == at_minute else 0.0) for minute, each in enumerate(load)]


def recorded(jobs: Iterable[tuple[datetime, int]], *, until: datetime, hours: float) -> list[float]:
    """The pages of jobs (when they came, how many pages) of the hours before ``until``."""
    load = [0.0] * _minutes(hours)
    begin = until - timedelta(hours=hours)
    for came_at, pages in jobs:
        minute = int((came_at - begin).total_seconds() // 60)
        if 0 <= minute < len(load):
            load[minute] += pages
    return load


def _minutes(hours: float) -> int:
    return max(1, round(hours * MINUTES_PER_HOUR))


def _weight(hour: float, steepness: float) -> float:
    """Its peak is 1, and it is nowhere negative, however steep."""
    return math.exp(steepness * (math.cos((hour - BUSIEST_HOUR) / 24 * 2 * math.pi) - 1))


def _steepness(peak: float) -> float:
    """The steepness at which the busiest minute has ``peak`` times the mean, found by halving."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = sum(_weight(hour / 4, middle) for hour in range(96)) / 96
        low, high = (middle, high) if 1 / mean < peak else (low, middle)
    return low
