"""A stage of the simulated service: its queue, its pods, and the autoscaler that adds and removes pods.

Sources for the autoscaler: kubernetes ``pkg/controller/podautoscaler`` (sync every 15 s, scale up by the larger of
100 % and 4 pods in 15 s, scale down to the highest wish of the last 300 s), KEDA (pollingInterval, cooldownPeriod).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from apps.capacity.simulation.autoscaling import desired_replicas
from apps.capacity.sizing import Scaler

STEP_SECONDS = 1
NEGLIGIBLE_PAGES = 1e-6  # rounding errors of sums of pages stay below this


@dataclass(frozen=True)
class Autoscaler:
    """Settings in seconds: KEDA's from deploy/k8s, the Horizontal Pod Autoscaler's are the defaults of Kubernetes."""

    polling: int = 15
    sync: int = 15
    stabilization_down: int = 300
    cooldown: int = 120
    pod_start: int = 30
    most_percent_up: int = 100
    most_pods_up: int = 4


@dataclass(frozen=True)
class StageModel:
    """The workload of one stage.

    ``pages_per_minute``: of one pod; ``slots``: messages that a pod processes at the same time; ``pages_per_message``:
    pages in one message (the autoscaler counts messages); ``window``: maximum of messages that are processed at the
    same time, regardless of the number of pods.
    """

    name: str
    scaler: Scaler
    pages_per_minute: float
    slots: float = 1.0
    pages_per_message: float = 1.0
    window: float = math.inf

    @property
    def service_seconds(self) -> float:
        """The time to process one message."""
        return self.slots * self.pages_per_message / self.pages_per_minute * 60


Cohort = tuple[int, float]
"""Pages that arrived together: when, in seconds, and how many."""


class SimulatedStage:
    """The queue of waiting cohorts, the cohorts in process, and the pods."""

    def __init__(self, model: StageModel, autoscaler: Autoscaler) -> None:
        self.model = model
        self._autoscaler = autoscaler
        self._queue: deque[Cohort] = deque()
        self._in_process: deque[tuple[int, Cohort]] = deque()
        self.queued = self.in_process = 0.0
        self.pods = self.ready = model.scaler.minimum
        self._starting: deque[tuple[int, int]] = deque()
        self._wishes: deque[tuple[int, int]] = deque()
        self._metric = 0.0
        self._active_at = 0
        self.pod_seconds = 0.0
        self.at_most_seconds = 0
        self.most_pods = self.pods

    @property
    def backlog(self) -> float:
        return self.queued + self.in_process

    @property
    def capacity(self) -> float:
        """Pages that can start in one step."""
        return min(self.ready, self._pods_that_window_allows) * self.model.pages_per_minute / 60 * STEP_SECONDS

    @property
    def is_limited_by_window(self) -> bool:
        return self._pods_that_window_allows < self.ready

    @property
    def _pods_that_window_allows(self) -> float:
        return self.model.window / self.model.slots

    def add(self, cohorts: Sequence[Cohort]) -> None:
        for cohort in cohorts:
            self._queue.append(cohort)
            self.queued += cohort[1]

    def start(self, now: int, pages: float) -> None:
        """Move this number of pages from the queue into process, the oldest cohorts first."""
        left = min(pages, self.queued)
        done_at = now + round(self.model.service_seconds / STEP_SECONDS) * STEP_SECONDS
        while left > NEGLIGIBLE_PAGES and self._queue:
            arrived_at, size = self._queue[0]
            part = min(size, left)
            self._in_process.append((done_at, (arrived_at, part)))
            self.queued -= part
            self.in_process += part
            left -= part
            if size - part > NEGLIGIBLE_PAGES:
                self._queue[0] = (arrived_at, size - part)
            else:
                self._queue.popleft()
                self.queued -= size - part
        self.queued = max(0.0, self.queued) if self._queue else 0.0

    def finished(self, now: int) -> list[Cohort]:
        """Remove and return the cohorts whose processing has ended."""
        ended = []
        while self._in_process and self._in_process[0][0] <= now:
            cohort = self._in_process.popleft()[1]
            self.in_process -= cohort[1]
            ended.append(cohort)
        return ended

    def scale(self, now: int) -> None:
        """Run the control loops for this step and record the number of pods."""
        while self._starting and self._starting[0][0] <= now:
            self.ready += self._starting.popleft()[1]
        if now % self._autoscaler.polling == 0:
            self._metric = self.backlog / self.model.pages_per_message
        if now % self._autoscaler.sync == 0:
            self.sync(now)
        self.pod_seconds += self.pods * STEP_SECONDS
        self.most_pods = max(self.most_pods, self.pods)
        if self.pods == self.model.scaler.maximum:
            self.at_most_seconds += STEP_SECONDS

    def sync(self, now: int) -> None:
        """Evaluate the autoscaler once and start or stop pods."""
        scaler = self.model.scaler
        messages = math.ceil(self._metric - NEGLIGIBLE_PAGES)
        if messages:
            self._active_at = now
        wish = desired_replicas(
            messages, target=scaler.target, minimum=scaler.minimum, maximum=scaler.maximum, current=self.pods
        )
        if wish == 0 and now - self._active_at < self._autoscaler.cooldown:
            wish = min(1, self.pods)
        self._wishes.append((now, wish))
        while self._wishes[0][0] <= now - self._autoscaler.stabilization_down:
            self._wishes.popleft()
        highest_wish = max(each for _, each in self._wishes)
        if wish > self.pods:
            allowed = max(
                self.pods + self._autoscaler.most_pods_up,
                math.ceil(self.pods * (1 + self._autoscaler.most_percent_up / 100)),
            )
            added = min(wish, allowed) - self.pods
            self.pods += added
            self._starting.append((now + self._autoscaler.pod_start, added))
        elif highest_wish < self.pods:
            removed = self.pods - highest_wish
            self.pods -= removed
            while removed and self._starting:  # pods that are still starting are stopped first
                ready_at, starting = self._starting.pop()
                part = min(starting, removed)
                removed -= part
                if starting > part:
                    self._starting.append((ready_at, starting - part))
            self.ready -= removed
