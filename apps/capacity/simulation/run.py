"""A simulation of the service under load: queues, pods, the autoscalers that add and remove them, provider quotas.

Pages flow through three stages: reading (``parse``), for some of them recognition (``ocr``), in modes with models one
or more calls (``model``). They flow as cohorts that arrived together, not one by one, so that a day of 100,000 pages a
minute takes seconds. Not simulated: documents (the longest decides when its job ends), nodes that have to be started
first, lost pods, repeated work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.capacity.quota_check import Allowance
from apps.capacity.simulation.limits import WINDOW, BindingLimit, BindingLimits, SimulatedQuotas
from apps.capacity.simulation.stage import (
    NEGLIGIBLE_PAGES,
    STEP_SECONDS,
    Autoscaler,
    Cohort,
    SimulatedStage,
    StageModel,
)

PARSE, OCR, MODEL = "parse", "ocr", "model"


@dataclass(frozen=True)
class SimulationModel:
    """``ocr`` and ``model`` are None if no page goes there; ``quotas`` limit the model stage."""

    parse: StageModel
    ocr: StageModel | None = None
    ocr_share: float = 0.0
    model: StageModel | None = None
    quotas: Sequence[Allowance] = ()
    autoscaler: Autoscaler = field(default_factory=Autoscaler)


@dataclass(frozen=True)
class Moment:
    """The state after one minute: pages ``arrived`` and ``done`` in that minute; backlog in pages and pods by stage."""

    minute: int
    arrived: float
    done: float
    backlog: dict[str, float]
    pods: dict[str, int]


@dataclass(frozen=True)
class Simulated:
    """The result. Waits are seconds from a page's arrival to its end, of pages that ended; None if none did.

    ``at_most_seconds``: how long each workload had its maximum of pods.
    """

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


def simulate(load: Sequence[float], model: SimulationModel) -> Simulated:
    """Run the load through the service. ``load`` has one value per minute: the pages that arrive in it."""
    return _Run(load, model).run()


class _Run:
    def __init__(self, load: Sequence[float], model: SimulationModel) -> None:
        self._load = load
        self._ocr_share = model.ocr_share
        self._parse = SimulatedStage(model.parse, model.autoscaler)
        self._ocr = SimulatedStage(model.ocr, model.autoscaler) if model.ocr and model.ocr_share > 0 else None
        self._model = SimulatedStage(model.model, model.autoscaler) if model.model else None
        self._stages = [stage for stage in (self._parse, self._ocr, self._model) if stage is not None]
        self._bindings = BindingLimits()
        self._quotas = SimulatedQuotas(model.quotas, self._bindings)
        self._waits: dict[int, float] = {}  # pages by the seconds that they waited

    def run(self) -> Simulated:
        moments: list[Moment] = []
        done_before = 0.0
        for minute, pages in enumerate(self._load):
            for now in range(minute * 60, (minute + 1) * 60, STEP_SECONDS):
                self.step(now, pages * STEP_SECONDS / 60)
            done = sum(self._waits.values())
            backlog = {stage.model.name: max(0.0, stage.backlog) for stage in self._stages}
            pods = {stage.model.name: stage.pods for stage in self._stages}
            moments.append(Moment(minute + 1, pages, done - done_before, backlog, pods))
            done_before = done
        fullest = max(moments, key=lambda moment: sum(moment.backlog.values()))
        return Simulated(
            seconds=len(self._load) * 60,
            pages_in=sum(self._load),
            pages_done=sum(self._waits.values()),
            wait_p50=self._quantile(0.5),
            wait_p95=self._quantile(0.95),
            longest_wait=max(self._waits, default=None),
            largest_backlog=sum(fullest.backlog.values()),
            largest_backlog_minute=fullest.minute,
            backlog_left=sum(moments[-1].backlog.values()),
            pod_hours={stage.model.name: stage.pod_seconds / 3600 for stage in self._stages},
            most_pods={stage.model.name: stage.most_pods for stage in self._stages},
            moments=moments,
            bindings=self._bindings.all(),
            at_most_seconds={stage.model.name: stage.at_most_seconds for stage in self._stages},
        )

    def step(self, now: int, pages: float) -> None:
        """Simulate one step, in which ``pages`` arrive."""
        if pages:
            self._parse.add([(now, pages)])
        for stage in self._stages:
            ended = stage.finished(now)
            if ended:
                self.complete(stage, now, ended)
            capacity = stage.capacity
            if stage.is_limited_by_window and stage.queued - capacity > NEGLIGIBLE_PAGES:
                self._bindings.note(now, stage.model.name, WINDOW)
            startable = min(capacity, stage.queued)
            stage.start(now, self._quotas.reserve(now, startable) if stage is self._model else startable)
        for stage in self._stages:
            stage.scale(now)

    def complete(self, stage: SimulatedStage, now: int, cohorts: list[Cohort]) -> None:
        """Add the cohorts that a stage has finished to the next stage, or record their waits after the last one."""
        if stage is self._parse and self._ocr is not None:
            share = self._ocr_share
            self._ocr.add([(arrived_at, pages * share) for arrived_at, pages in cohorts])
            cohorts = [(arrived_at, pages * (1 - share)) for arrived_at, pages in cohorts] if share < 1 else []
        if stage is not self._model and self._model is not None:
            self._model.add(cohorts)
            return
        for arrived_at, pages in cohorts:
            self._waits[now - arrived_at] = self._waits.get(now - arrived_at, 0.0) + pages

    def _quantile(self, share: float) -> float | None:
        pages = share * sum(self._waits.values())
        for wait in sorted(self._waits):
            pages -= self._waits[wait]
            if pages <= NEGLIGIBLE_PAGES:
                return float(wait)
        return None
