"""Scenarios: the load and the settings with which a plan is simulated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.capacity import sizing
from apps.capacity.errors import CannotPlan
from apps.capacity.measurements import HOW_TO_MEASURE
from apps.capacity.plan import Plan, check_choice, check_range, ocr_queue, servings_of
from apps.capacity.quota_check import Allowance, allowance
from apps.capacity.simulation import loads
from apps.capacity.simulation.run import MODEL, OCR, PARSE, Simulated, SimulationModel, simulate
from apps.capacity.simulation.stage import Autoscaler, StageModel
from apps.capacity.sizing import Scaler
from apps.jobs import queries, workflow

MAX_HOURS = 48.0
LOADS = ("constant", "daily")
RATES = ("guide", "measured")
DAILY_PEAK = 2.0


@dataclass(frozen=True)
class Scenario:
    """The shape of the load and the settings that differ from the plan.

    ``projects``: number of projects that share the load; each has a window in every queue. ``load``: constant or daily
    (its peak is ``LoadRequest.peak``, 2 if that is 1). ``recorded_hours``: replay the jobs of the last hours instead.
    ``burst``: extra pages that arrive at once in the tenth minute. ``rates``: throughput of a pod from the guide or
    the benchmark. ``pages_per_message``: of reading; None: PAGES_PER_RANGE. ``most_pods``: limit for each workload.
    """

    projects: int = 1
    load: str = "constant"
    hours: float = 4.0
    burst: float = 0.0
    recorded_hours: float | None = None
    rates: str = "guide"
    pages_per_message: int | None = None
    most_pods: int | None = None
    autoscaler: Autoscaler = field(default_factory=Autoscaler)

    def __post_init__(self) -> None:
        check_range("hours", self.recorded_hours or self.hours, 1 / 60, MAX_HOURS)
        check_range("the number of projects", self.projects, 1, 1_000_000)
        check_range("the burst", self.burst, 0, 100_000_000)
        if self.most_pods is not None:
            check_range("the maximum of pods", self.most_pods, 1, 1_000_000)
        if self.pages_per_message is not None:
            check_range("pages per message", self.pages_per_message, 1, 10_000)
        check_choice("load", self.load, LOADS)
        check_choice("kind of rates", self.rates, RATES)


def simulated(plan: Plan, scenario: Scenario) -> Simulated:
    """Simulate the load in the plan's overlay, with the configured quotas."""
    pages_per_minute = plan.wanted.pages_per_minute
    if scenario.recorded_hours is not None:
        now = timezone.now()
        jobs = queries.pages_by_arrival(since=now - timedelta(hours=scenario.recorded_hours))
        load = loads.recorded(jobs, until=now, hours=scenario.recorded_hours)
        if not any(load):
            raise CannotPlan(
                f"No job was created in the last {scenario.recorded_hours:g} hours, so there is no load to replay. "
                "Replay more hours, or simulate a constant or daily load."
            )
    elif scenario.load == "daily":
        peak = plan.wanted.peak if plan.wanted.peak > 1 else DAILY_PEAK
        load = loads.daily(pages_per_minute, peak=peak, hours=scenario.hours)
    else:
        load = loads.constant(pages_per_minute, hours=scenario.hours)
    return simulate(loads.with_burst(load, pages=scenario.burst), simulation_model(plan, scenario))


def simulation_model(plan: Plan, scenario: Scenario) -> SimulationModel:
    """Return the stages with the plan's overlay, the configured quotas and the scenario's rates."""
    wanted, model_plan = plan.wanted, plan.model
    parse_rate, ocr_rate = pod_rates(plan, scenario)
    ocr: StageModel | None = None
    model: StageModel | None = None
    quotas: list[Allowance] = []
    if wanted.ocr_share:
        ocr = StageModel(
            OCR,
            _limited(plan.overlay.ocr(gpu=wanted.gpu), scenario),
            ocr_rate,
            slots=_processes(plan, scenario, guide=1),
            window=_window(ocr_queue(wanted), scenario),
        )
    if model_plan is not None:
        model = StageModel(
            MODEL,
            _limited(model_plan.scaler, scenario),
            sizing.model_pages_per_minute(
                model_plan.page_parser, width=model_plan.width, call_seconds=model_plan.call_seconds
            ),
            slots=float(model_plan.width),
            window=_window(model_plan.page_parser, scenario),
        )
        servings = servings_of(model_plan.page_parser) if model_plan.deployments else []
        quotas = [
            allowance(serving, model_plan.page_parser, call_seconds=model_plan.call_seconds) for serving in servings
        ]
    return SimulationModel(
        parse=StageModel(
            PARSE,
            _limited(plan.overlay.parse, scenario),
            parse_rate,
            slots=_processes(plan, scenario, guide=2),
            pages_per_message=float(scenario.pages_per_message or settings.PAGES_PER_RANGE),
            window=_window(workflow.PAGES_QUEUE, scenario),
        ),
        ocr=ocr,
        ocr_share=wanted.ocr_share,
        model=model,
        quotas=quotas,
        autoscaler=scenario.autoscaler,
    )


def pod_rates(plan: Plan, scenario: Scenario) -> tuple[float, float]:
    """Return the pages a minute of one parse pod and of one OCR pod.

    With the guide's rates, its pods carry the average load with any share of OCR.
    """
    wanted, measured = plan.wanted, plan.measured
    if scenario.rates == "measured":
        ocr = "ocr_gpu" if wanted.gpu else "ocr"
        needed = ["fast"] + ([ocr] if wanted.ocr_share else [])
        missing = [f"{name} ({HOW_TO_MEASURE[name]})" for name in needed if getattr(measured, name) is None]
        if missing:
            raise CannotPlan(f"Not measured yet: {', '.join(missing)}. Run these commands, or use the guide's rates.")
        return measured.fast or 0.0, getattr(measured, ocr) or 0.0
    pages = wanted.pages_per_minute
    return (
        pages / sizing.guide_parse_pods(pages),
        wanted.ocr_share * pages / sizing.guide_ocr_pods(pages, gpu=wanted.gpu),
    )


def _processes(plan: Plan, scenario: Scenario, *, guide: int) -> float:
    """Return the processes of one pod: the guide's pods have two cores, measured ones those of the measured machine."""
    return float(plan.measured.cores or guide) if scenario.rates == "measured" else float(guide)


def _window(queue: str, scenario: Scenario) -> float:
    """Return the maximum of messages that the projects may have in the queue at the same time."""
    return float(settings.QUEUES[queue].window_per_project * scenario.projects)


def _limited(scaler: Scaler, scenario: Scenario) -> Scaler:
    most = scenario.most_pods
    return scaler if most is None else replace(scaler, minimum=min(scaler.minimum, most), maximum=most)
