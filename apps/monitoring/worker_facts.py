"""Facts about workers for the operations page: consumers per queue, utilisation, starts and stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from apps.jobs import queries
from apps.jobs.models import Worker

MAX_EVENTS = 50
EVENT_PERIOD = timedelta(hours=1)


@dataclass(frozen=True)
class WorkersNow:
    """A queue, its workers, their total concurrency, and the running messages if known."""

    queue: str
    workers: int
    width: int
    running: int | None

    @property
    def busy(self) -> int | None:
        """Per cent of the width; None without workers or if the running messages are unknown."""
        return None if self.running is None or not self.width else min(100, round(100 * self.running / self.width))

    @property
    def kind(self) -> str:
        return "near" if self.busy == 100 else "good"


@dataclass(frozen=True)
class ScalingEvent:
    """A worker that started (``change`` +1) or ended (-1); ``how``: started, stopped or fell silent."""

    moment: datetime
    worker: str
    host: str
    queues: str
    change: int
    how: str


def workers_now(running: Mapping[str, int]) -> list[WorkersNow]:
    """Return the workers of each queue. ``running``: messages in process, for queues whose messages are steps."""
    live = queries.live_workers()
    found = [(name, live.get(name, queries.WorkersOfQueue())) for name in settings.QUEUES]
    return [WorkersNow(name, workers.workers, workers.width, running.get(name)) for name, workers in found]


def scaling_events() -> list[ScalingEvent]:
    """Return starts and stops of the last hour, the newest first, at most ``MAX_EVENTS``."""
    since = Now() - EVENT_PERIOD
    gone = Q(stopped_at__isnull=False) | Q(seen_at__lt=Now() - queries.WORKER_TIMEOUT)
    started = Worker.objects.filter(started_at__gte=since).order_by("-started_at")
    ended = Worker.objects.filter(gone, seen_at__gte=since).order_by("-seen_at")
    events = [_event(worker, worker.started_at, +1, "started") for worker in started[:MAX_EVENTS]]
    for worker in ended[:MAX_EVENTS]:
        how = "stopped" if worker.stopped_at else "fell silent"
        events.append(_event(worker, worker.stopped_at or worker.seen_at, -1, how))
    return sorted(events, key=lambda event: event.moment, reverse=True)[:MAX_EVENTS]


def _event(worker: Worker, moment: datetime, change: int, how: str) -> ScalingEvent:
    return ScalingEvent(moment, worker.name.split("@")[0], worker.host, ", ".join(worker.queues), change, how)
