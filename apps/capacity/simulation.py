"""A service under load, simulated: queues, pods that KEDA and the Horizontal Pod Autoscaler ask for, provider quotas.

Pages flow through three stages: reading (``parse``), for some of them recognition (``ocr``), in modes with models a
call or more (``model``). They flow as cohorts that came together, not one by one, so that a day of 100,000 pages a
minute takes seconds. What is not simulated: documents (the longest decides when its job ends), nodes that have to be
started first, pods that are lost, work that is done twice.

Sources for the loop: kubernetes ``pkg/controller/podautoscaler`` (sync every 15 s, scale up by the larger of 100 % and
4 pods in 15 s, scale down to the highest wish of the last 300 s), KEDA (pollingInterval, cooldownPeriod).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.capacity.autoscaling import desired_replicas
from apps.capacity.quota_check import Allowance
from apps.capacity.sizing import Scaler

STEP_SECONDS = 1
SECONDS_PER_DAY = 86_400
PARSE, OCR, MODEL = "parse", "ocr", "model"
WINDOW = "window"
MAX_GAP_SECONDS = 600
"""What lets all pages through for no longer between two times binds all the while."""
_NOTHING = 1e-6


@dataclass(frozen=True)
class Autoscaler:
    """KEDA as deploy/k8s sets it, the Horizontal Pod Autoscaler as Kubernetes comes with it. Seconds."""

    polling: int = 15
    sync: int = 15
    stabilization_down: int = 300
    cooldown: int = 120
    pod_start: int = 30
    most_percent_up: int = 100
    most_pods_up: int = 4


@dataclass(frozen=True)
class StageModel:
    """One workload.

    ``pages_per_minute``: of one pod; ``slots``: how many messages it works on at once; ``pages_per_message``: what one
    message asks for, and the autoscaler counts messages. ``window``: the most messages that are worked on at once,
    however many pods there are.
    """

    name: str
    scaler: Scaler
    pages_per_minute: float
    slots: float = 1.0
    pages_per_message: float = 1.0
    window: float = math.inf

    @property
    def service_seconds(self) -> float:
        """How long a message is worked on."""
        return self.slots * self.pages_per_message / self.pages_per_minute * 60


@dataclass(frozen=True)
class SimulationModel:
    """``ocr`` and ``model`` are None where no page goes there; quotas bind the models."""

    parse: StageModel
    ocr: StageModel | None = None
    ocr_share: float = 0.0
    model: StageModel | None = None
    quotas: Sequence[Allowance] = ()
    autoscaler: Autoscaler = field(default_factory=Autoscaler)


@dataclass(frozen=True)
class BindingLimit:
    """Something that held pages back, from and until in seconds since the beginning: a quota of the deployment
    ``where``, or the ``WINDOW`` of projects in the queue of the stage ``where``."""

    where: str
    limit: str
    from_seconds: int
    until_seconds: int


@dataclass(frozen=True)
class Moment:
    """What stood at one minute: ``arrived`` and ``done`` in the minute before; pages and pods by stage."""

    minute: int
    arrived: float
    done: float
    backlog: dict[str, float]
    pods: dict[str, int]


@dataclass(frozen=True)
class Simulated:
    """``wait_p50`` and ``wait_p95``: seconds from a page's coming to its end, of pages that ended; None: none did."""

    seconds: int
    pages_in: float
    pages_done: float
    wait_p50: float | None
    wait_p95: float | None
    longest_wait: float | None
    largest_backlog: float
    largest_backlog_minute: int
    backlog_left: float
    pod_hours: dict[str, float]
    most_pods: dict[str, int]
    moments: list[Moment]
    bindings: list[BindingLimit]
    at_most_seconds: dict[str, int]
    """How long each workload had all the pods it may have."""


Cohort = tuple[int, float]
"""When the pages came, in seconds, and how many."""


def simulate(load: Sequence[float], rules: SimulationModel) -> Simulated:
    """Run the load (pages a minute, one value a minute) through the service and see."""
    return _Run(load, rules).run()


class _Stage:
    """A queue of cohorts, what is being worked on, and the pods."""

    def __init__(self, rules: StageModel, autoscaler: Autoscaler) -> None:
        self.rules = rules
        self._autoscaler = autoscaler
        self._queue: deque[Cohort] = deque()
        self._working: deque[tuple[int, Cohort]] = deque()
        self.queued = self.in_work = 0.0
        self.pods = self.ready = rules.scaler.minimum
        self._starting: deque[tuple[int, int]] = deque()
        self._wishes: deque[tuple[int, int]] = deque()
        self._metric = 0.0
        self._active_at = 0
        self.pod_seconds = 0.0
        self.at_most_seconds = 0
        self.most_pods = self.pods

    @property
    def backlog(self) -> float:
        return self.queued + self.in_work

    def add(self, cohorts: Sequence[Cohort]) -> None:
        for cohort in cohorts:
            self._queue.append(cohort)
            self.queued += cohort[1]

    def room(self) -> float:
        """Pages that can begin in this step."""
        return min(self.ready, self._window_in_pods) * self.rules.pages_per_minute / 60 * STEP_SECONDS

    @property
    def is_short_of_window(self) -> bool:
        return self._window_in_pods < self.ready

    @property
    def _window_in_pods(self) -> float:
        """As many pods as the window lets work."""
        return self.rules.window / self.rules.slots

    def begin(self, now: int, pages: float) -> None:
        """Take so many pages from the queue into work, those that came first in front."""
        left = min(pages, self.queued)
        done_at = now + round(self.rules.service_seconds / STEP_SECONDS) * STEP_SECONDS
        while left > _NOTHING and self._queue:
            came_at, size = self._queue[0]
            part = min(size, left)
            self._working.append((done_at, (came_at, part)))
            self.queued -= part
            self.in_work += part
            left -= part
            if size - part > _NOTHING:
                self._queue[0] = (came_at, size - part)
            else:
                self._queue.popleft()
                self.queued -= size - part
        self.queued = max(0.0, self.queued) if self._queue else 0.0

    def finished(self, now: int) -> list[Cohort]:
        ended = []
        while self._working and self._working[0][0] <= now:
            cohort = self._working.popleft()[1]
            self.in_work -= cohort[1]
            ended.append(cohort)
        return ended

    def scale(self, now: int) -> None:
        while self._starting and self._starting[0][0] <= now:
            self.ready += self._starting.popleft()[1]
        if now % self._autoscaler.polling == 0:
            self._metric = self.backlog / self.rules.pages_per_message
        if now % self._autoscaler.sync == 0:
            self._sync(now)
        self.pod_seconds += self.pods * STEP_SECONDS
        self.most_pods = max(self.most_pods, self.pods)
        if self.pods == self.rules.scaler.maximum:
            self.at_most_seconds += STEP_SECONDS

    def _sync(self, now: int) -> None:
        scaler = self.rules.scaler
        messages = math.ceil(self._metric - _NOTHING)
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
        if wish > self.pods:
            allowed = max(
                self.pods + self._autoscaler.most_pods_up,
                math.ceil(self.pods * (1 + self._autoscaler.most_percent_up / 100)),
            )
            self._start(now, min(wish, allowed) - self.pods)
        elif (kept := max(each for _, each in self._wishes)) < self.pods:
            self._stop(self.pods - kept)

    def _start(self, now: int, pods: int) -> None:
        self.pods += pods
        self._starting.append((now + self._autoscaler.pod_start, pods))

    def _stop(self, pods: int) -> None:
        """Those that are still starting go first."""
        self.pods -= pods
        while pods and self._starting:
            ready_at, starting = self._starting.pop()
            part = min(starting, pods)
            pods -= part
            if starting > part:
                self._starting.append((ready_at, starting - part))
        self.ready -= pods


class _Quotas:
    """What providers let through."""

    def __init__(self, allowances: Sequence[Allowance], held_back: _HeldBack) -> None:
        self._allowances = allowances
        self._held_back = held_back
        self._used_today = [0.0] * len(allowances)

    def take(self, now: int, wanted: float) -> float:
        """How many of the pages may begin in this step; without deployments there is no quota to ask."""
        if not self._allowances:
            return wanted
        if now % SECONDS_PER_DAY == 0:
            self._used_today = [0.0] * len(self._allowances)
        left = wanted
        short: list[tuple[str, str]] = []
        for number, allowed in enumerate(self._allowances):
            rooms = {name: rate * STEP_SECONDS / 60 for name, rate in allowed.per_minute.items()}
            rooms |= {name: max(0.0, pages - self._used_today[number]) for name, pages in allowed.per_day.items()}
            limit = min(rooms, key=rooms.__getitem__, default="")
            taken = min(left, rooms.get(limit, math.inf))
            self._used_today[number] += taken
            left -= taken
            short.append((allowed.deployment, limit))
        if left > _NOTHING:
            for where, limit in short:
                self._held_back.note(now, where, limit)
        return wanted - left


class _HeldBack:
    """The times at which something held pages back."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], list[int]] = {}
        self._ended: list[BindingLimit] = []

    def note(self, now: int, where: str, limit: str) -> None:
        which = where, limit
        times = self._open.get(which)
        if times is not None and now - times[1] <= MAX_GAP_SECONDS:
            times[1] = now + STEP_SECONDS
            return
        if times is not None:
            self._ended.append(BindingLimit(*which, *times))
        self._open[which] = [now, now + STEP_SECONDS]

    def bindings(self) -> list[BindingLimit]:
        all_times = [*self._ended, *(BindingLimit(*which, *times) for which, times in self._open.items())]
        return sorted(all_times, key=lambda binding: (binding.from_seconds, binding.where))


class _Run:
    def __init__(self, load: Sequence[float], rules: SimulationModel) -> None:
        self._load = load
        self._rules = rules
        self._parse = _Stage(rules.parse, rules.autoscaler)
        self._ocr = _Stage(rules.ocr, rules.autoscaler) if rules.ocr and rules.ocr_share > 0 else None
        self._model = _Stage(rules.model, rules.autoscaler) if rules.model else None
        self._stages = [stage for stage in (self._parse, self._ocr, self._model) if stage is not None]
        self._held_back = _HeldBack()
        self._quotas = _Quotas(rules.quotas, self._held_back)
        self._waits: dict[int, float] = {}
        self._moments: list[Moment] = []

    def run(self) -> Simulated:
        done_before = 0.0
        for minute, pages in enumerate(self._load):
            for step in range(60 // STEP_SECONDS):
                self._step(minute * 60 + step * STEP_SECONDS, pages * STEP_SECONDS / 60)
            done = sum(self._waits.values())
            self._moments.append(self._moment(minute + 1, pages, done - done_before))
            done_before = done
        return self._result()

    def _step(self, now: int, pages: float) -> None:
        if pages:
            self._parse.add([(now, pages)])
        for stage in self._stages:
            ended = stage.finished(now)
            if ended:
                self._pass_on(stage, now, ended)
            self._begin(stage, now)
        for stage in self._stages:
            stage.scale(now)

    def _begin(self, stage: _Stage, now: int) -> None:
        room = stage.room()
        if stage.is_short_of_window and stage.queued - room > _NOTHING:
            self._held_back.note(now, stage.rules.name, WINDOW)
        pages = min(room, stage.queued)
        stage.begin(now, self._quotas.take(now, pages) if stage is self._model else pages)

    def _pass_on(self, stage: _Stage, now: int, cohorts: list[Cohort]) -> None:
        onwards = cohorts
        if stage is self._parse and self._ocr is not None:
            share = self._rules.ocr_share
            self._ocr.add([(came_at, pages * share) for came_at, pages in cohorts])
            onwards = [(came_at, pages * (1 - share)) for came_at, pages in cohorts] if share < 1 else []
        if stage is not self._model and self._model is not None:
            self._model.add(onwards)
            return
        for came_at, pages in onwards:
            self._waits[now - came_at] = self._waits.get(now - came_at, 0.0) + pages

    def _moment(self, minute: int, arrived: float, done: float) -> Moment:
        return Moment(
            minute,
            arrived,
            done,
            {stage.rules.name: max(0.0, stage.backlog) for stage in self._stages},
            {stage.rules.name: stage.pods for stage in self._stages},
        )

    def _result(self) -> Simulated:
        fullest = max(self._moments, key=lambda moment: sum(moment.backlog.values()))
        return Simulated(
            seconds=len(self._load) * 60,
            pages_in=sum(self._load),
            pages_done=sum(self._waits.values()),
            wait_p50=self._quantile(0.5),
            wait_p95=self._quantile(0.95),
            longest_wait=max(self._waits, default=None),
            largest_backlog=sum(fullest.backlog.values()),
            largest_backlog_minute=fullest.minute,
            backlog_left=sum(self._moments[-1].backlog.values()),
            pod_hours={stage.rules.name: stage.pod_seconds / 3600 for stage in self._stages},
            most_pods={stage.rules.name: stage.most_pods for stage in self._stages},
            moments=self._moments,
            bindings=self._held_back.bindings(),
            at_most_seconds={stage.rules.name: stage.at_most_seconds for stage in self._stages},
        )

    def _quantile(self, share: float) -> float | None:
        pages = share * sum(self._waits.values())
        for wait in sorted(self._waits):
            pages -= self._waits[wait]
            if pages <= _NOTHING:
                return float(wait)
        return None
