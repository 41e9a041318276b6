"""What a load takes of pods, models, quotas and money, and how it would go: the guide, what was measured, what is
configured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from apps.capacity import loads, sizing
from apps.capacity.errors import CannotPlan
from apps.capacity.measurements import BENCHMARK_CALL_SECONDS, HOW_TO_MEASURE, Measured, read_measured
from apps.capacity.quota_check import (
    MINUTES_PER_DAY,
    QuotaCheck,
    Serving,
    allowance,
    check_quotas,
    dollars_per_hour,
)
from apps.capacity.simulation import MODEL, OCR, PARSE, Autoscaler, Simulated, SimulationModel, StageModel, simulate
from apps.capacity.sizing import OVERLAYS, GuidePods, ModelDemand, Overlay, Scaler
from apps.jobs import queries, workflow
from apps.parsing.modes import MODES, PAGE_PARSER_OF_MODE
from apps.providers import ledger
from apps.providers.catalog import limits_of
from apps.providers.models import Deployment

MAX_PAGES_PER_MINUTE = 1_000_000
MAX_HOURS = 48.0
LOADS = ("constant", "daily")
RATES = ("guide", "measured")
DAILY_PEAK = 2.0


@dataclass(frozen=True)
class LoadRequest:
    """A load: ``pages_per_minute`` on average, ``peak`` times that in the busiest minute, for which pods are counted.

    ``call_seconds``: how long a model's answer takes; None: as the last day's did, else as in the benchmark.
    """

    pages_per_minute: float
    mode: str
    peak: float = 1.0
    ocr_share: float = 0.3
    gpu: bool = False
    overlay: str = "production"
    call_seconds: float | None = None

    def __post_init__(self) -> None:
        _between("pages a minute", self.pages_per_minute, 0.001, MAX_PAGES_PER_MINUTE)
        _between("the peak", self.peak, 1.0, 100.0)
        _between("the share of pages for OCR", self.ocr_share, 0.0, 1.0)
        if self.call_seconds is not None:
            _between("the seconds of a call", self.call_seconds, 0.1, 3600.0)
        for what, value, known in (("mode", self.mode, MODES), ("overlay", self.overlay, tuple(OVERLAYS))):
            if value not in known:
                raise CannotPlan(f"There is no {what} {value!r}. There are: {', '.join(known)}.")

    @property
    def busiest(self) -> float:
        """Pages in the busiest minute."""
        return self.pages_per_minute * self.peak

    @property
    def page_parser(self) -> str:
        """ "" in fast mode."""
        return PAGE_PARSER_OF_MODE.get(self.mode, "")


@dataclass(frozen=True)
class ModelPlan:
    """What the mode's models take. ``call_seconds_from``: asked, ledger or benchmark.

    ``quotas`` is None where no deployment serves the mode; ``dollars_per_hour``, of the average load, where a price is
    not known too: ``without_price`` names the deployments. ``window``: the pages of one project that are with models at
    once, which makes ``pages_of_a_project`` a minute. ``is_configured``: the database told about deployments, even if
    there is none.
    """

    page_parser: str
    workers: int
    width: int
    call_seconds: float
    call_seconds_from: str
    scaler: Scaler
    demand: ModelDemand
    deployments: list[str]
    quotas: QuotaCheck | None
    dollars_per_hour: float | None
    without_price: list[str]
    window: int
    pages_of_a_project: float
    is_configured: bool = True


@dataclass(frozen=True)
class Machines:
    """How many machines like the one that was measured the load takes; None: not measured."""

    fast: int | None
    ocr: int | None
    model: int | None = None


@dataclass(frozen=True)
class Plan:
    """``ocr_window``: the scanned pages of one project that are with OCR workers at once."""

    wanted: LoadRequest
    guide: GuidePods
    overlay: Overlay
    measured: Measured
    machines: Machines
    model: ModelPlan | None
    ocr_window: int

    @property
    def ocr_pods(self) -> int:
        return self.guide.ocr_gpu if self.wanted.gpu else self.guide.ocr_cpu


def plan(wanted: LoadRequest, *, measured: Measured | None = None) -> Plan:
    """What the load takes, in its busiest minute."""
    overlay = OVERLAYS[wanted.overlay]
    measured = measured or read_measured()
    ocr_rate = measured.ocr_gpu if wanted.gpu else measured.ocr
    return Plan(
        wanted=wanted,
        guide=sizing.guide_pods(wanted.busiest, serves_people=overlay.serves_people),
        overlay=overlay,
        measured=measured,
        machines=Machines(
            fast=sizing.machines(wanted.busiest, measured=measured.fast),
            ocr=sizing.machines(wanted.busiest * wanted.ocr_share, measured=ocr_rate) if wanted.ocr_share else 0,
            model=sizing.machines(wanted.busiest, measured=measured.of_mode(wanted.mode)),
        ),
        model=_model_plan(wanted, overlay) if wanted.page_parser else None,
        ocr_window=int(settings.QUEUES[_ocr_queue(wanted)].window_per_project),
    )


def _ocr_queue(wanted: LoadRequest) -> str:
    return workflow.OCR_GPU_QUEUE if wanted.gpu else workflow.OCR_CPU_QUEUE


def servings_of(page_parser: str) -> list[Serving]:
    """The configured deployments that serve the page parser, those asked first in front; paused ones and those that
    the installation does not allow are left out. One in trouble counts as if it were mended."""
    rows = Deployment.objects.filter(paused=False, provider__paused=False, **{f"serves_{page_parser}": True})
    if not settings.EXTERNAL_PROVIDERS:
        rows = rows.filter(provider__external=False)
    return [
        Serving(row.name, limits_of(row), row.max_output_tokens, row.input_price, row.output_price)
        for row in rows.select_related("quota").order_by("order", "pk")
    ]


def _model_plan(wanted: LoadRequest, overlay: Overlay) -> ModelPlan:
    parser = wanted.page_parser
    width, window = int(settings.QUEUES[parser].width), int(settings.QUEUES[parser].window_per_project)
    try:
        seconds, source = _call_seconds(wanted)
        servings, is_configured = servings_of(parser), True
    except DatabaseError:  # whoever plans need not have a database yet
        seconds, source = wanted.call_seconds or BENCHMARK_CALL_SECONDS, "asked" if wanted.call_seconds else "benchmark"
        servings, is_configured = [], False
    quotas = check_quotas(
        servings,
        parser,
        pages_per_minute=wanted.busiest,
        pages_per_day=wanted.pages_per_minute * MINUTES_PER_DAY,
        call_seconds=seconds,
    )
    return ModelPlan(
        page_parser=parser,
        workers=sizing.model_workers(parser, wanted.busiest, width=width, call_seconds=seconds),
        width=width,
        call_seconds=seconds,
        call_seconds_from=source,
        scaler=overlay.model(parser),
        demand=sizing.model_demand(parser, wanted.busiest),
        deployments=[serving.name for serving in servings],
        quotas=quotas if servings else None,
        dollars_per_hour=dollars_per_hour(
            servings, parser, pages_per_minute=wanted.pages_per_minute, call_seconds=seconds
        ),
        without_price=[serving.name for serving in servings if not serving.has_price],
        window=window,
        pages_of_a_project=sizing.model_pages_per_minute(parser, width=window, call_seconds=seconds),
        is_configured=is_configured,
    )


def _call_seconds(wanted: LoadRequest) -> tuple[float, str]:
    if wanted.call_seconds is not None:
        return wanted.call_seconds, "asked"
    seconds = ledger.mean_seconds(wanted.page_parser)
    return (seconds, "ledger") if seconds else (BENCHMARK_CALL_SECONDS, "benchmark")


# --- simulation ---


@dataclass(frozen=True)
class Scenario:
    """How the load comes and what it meets.

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
        _between("hours", self.recorded_hours or self.hours, 1 / 60, MAX_HOURS)
        _between("the projects", self.projects, 1, 1_000_000)
        _between("the burst", self.burst, 0, 100_000_000)
        if self.most_pods is not None:
            _between("the most pods", self.most_pods, 1, 1_000_000)
        if self.pages_per_message is not None:
            _between("pages a message", self.pages_per_message, 1, 10_000)
        for what, value, known in (("load", self.load, LOADS), ("kind of rates", self.rates, RATES)):
            if value not in known:
                raise CannotPlan(f"There is no {what} {value!r}. There are: {', '.join(known)}.")


def simulated(planned: Plan, scenario: Scenario) -> Simulated:
    """How the load would go in the plan's overlay, with the configured quotas."""
    return simulate(_load(planned.wanted, scenario), rules_of(planned, scenario))


def rules_of(planned: Plan, scenario: Scenario) -> SimulationModel:
    """What the plan's overlay, the configured quotas and the scenario's rates come to."""
    wanted, model = planned.wanted, planned.model
    parse_rate, ocr_rate = _rates(planned, scenario)
    rules = SimulationModel(
        parse=StageModel(
            PARSE,
            _up_to(planned.overlay.parse, scenario.most_pods),
            parse_rate,
            slots=_processes(planned, scenario, guide=2),
            pages_per_message=float(scenario.pages_per_message or settings.PAGES_PER_RANGE),
            window=_window(workflow.PAGES_QUEUE, scenario),
        ),
        autoscaler=scenario.autoscaler,
    )
    if wanted.ocr_share:
        scaler = _up_to(planned.overlay.ocr(gpu=wanted.gpu), scenario.most_pods)
        window = _window(_ocr_queue(wanted), scenario)
        slots = _processes(planned, scenario, guide=1)
        rules = replace(
            rules, ocr=StageModel(OCR, scaler, ocr_rate, slots=slots, window=window), ocr_share=wanted.ocr_share
        )
    if model is None:
        return rules
    model_rate = sizing.model_pages_per_minute(model.page_parser, width=model.width, call_seconds=model.call_seconds)
    servings = servings_of(model.page_parser) if model.deployments else []
    return replace(
        rules,
        model=StageModel(
            MODEL,
            _up_to(model.scaler, scenario.most_pods),
            model_rate,
            slots=float(model.width),
            window=_window(model.page_parser, scenario),
        ),
        quotas=[allowance(each, model.page_parser, call_seconds=model.call_seconds) for each in servings],
    )


def _rates(planned: Plan, scenario: Scenario) -> tuple[float, float]:
    """Pages a minute of one parse pod and of one OCR pod.

    The guide's: its pods carry the average load, whatever the share of OCR.
    """
    wanted, measured = planned.wanted, planned.measured
    if scenario.rates == "measured":
        ocr = "ocr_gpu" if wanted.gpu else "ocr"
        needed = ["fast"] + ([ocr] if wanted.ocr_share else [])
        missing = [f"{name} ({HOW_TO_MEASURE[name]})" for name in needed if getattr(measured, name) is None]
        if missing:
            raise CannotPlan(f"Not measured yet: {', '.join(missing)}. Measure, or take the guide's rates.")
        return measured.fast or 0.0, getattr(measured, ocr) or 0.0
    pages = wanted.pages_per_minute
    return (
        pages / sizing.guide_parse_pods(pages),
        wanted.ocr_share * pages / sizing.guide_ocr_pods(pages, gpu=wanted.gpu),
    )


def _processes(planned: Plan, scenario: Scenario, *, guide: int) -> float:
    """Of one pod: of two cores as the guide's have them, or of the machine that was measured."""
    return float(planned.measured.cores or guide) if scenario.rates == "measured" else float(guide)


def _window(queue: str, scenario: Scenario) -> float:
    """Messages that the projects may have in the queue at once."""
    return float(settings.QUEUES[queue].window_per_project * scenario.projects)


def _up_to(scaler: Scaler, most: int | None) -> Scaler:
    return scaler if most is None else replace(scaler, minimum=min(scaler.minimum, most), maximum=most)


def _load(wanted: LoadRequest, scenario: Scenario) -> list[float]:
    if scenario.recorded_hours is not None:
        now = timezone.now()
        jobs = queries.pages_by_arrival(since=now - timedelta(hours=scenario.recorded_hours))
        load = loads.recorded(jobs, until=now, hours=scenario.recorded_hours)
        if not any(load):
            raise CannotPlan(
                f"No job came in the last {scenario.recorded_hours:g} hours, so there is nothing recorded."
            )
    elif scenario.load == "daily":
        peak = wanted.peak if wanted.peak > 1 else DAILY_PEAK
        load = loads.daily(wanted.pages_per_minute, peak=peak, hours=scenario.hours)
    else:
        load = loads.constant(wanted.pages_per_minute, hours=scenario.hours)
    return loads.with_burst(load, pages=scenario.burst)


def _between(what: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # refuses what is not a number, too
        raise CannotPlan(f"{what[0].upper()}{what[1:]}: from {least:.3g} to {most:,.10g}, not {value:,.10g}.")
