"""The pods, model workers, quotas and money that a load needs, by the guide, by measurements and by configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError

from apps.capacity import sizing
from apps.capacity.errors import CannotPlan
from apps.capacity.measurements import BENCHMARK_CALL_SECONDS, Measured, read_measured
from apps.capacity.quota_check import MINUTES_PER_DAY, QuotaCheck, Serving, check_quotas, dollars_per_hour
from apps.capacity.sizing import OVERLAYS, GuidePods, ModelDemand, Overlay, Scaler
from apps.jobs import workflow
from apps.parsing.modes import MODES, PAGE_PARSER_OF_MODE
from apps.providers import ledger
from apps.providers.catalog import limits_of
from apps.providers.learnt import Learnt
from apps.providers.models import Deployment
from apps.providers.prices import PriceKey

MAX_PAGES_PER_MINUTE = 1_000_000


@dataclass(frozen=True)
class LoadRequest:
    """A load: ``pages_per_minute`` on average, ``peak`` times that in the busiest minute, for which pods are counted.

    ``call_seconds``: duration of a model call; None: the mean of the last day, or the benchmark's without calls.
    """

    pages_per_minute: float
    mode: str
    peak: float = 1.0
    ocr_share: float = 0.3
    gpu: bool = False
    overlay: str = "production"
    call_seconds: float | None = None

    def __post_init__(self) -> None:
        check_range("pages a minute", self.pages_per_minute, 0.001, MAX_PAGES_PER_MINUTE)
        check_range("the peak", self.peak, 1.0, 100.0)
        check_range("the share of pages for OCR", self.ocr_share, 0.0, 1.0)
        if self.call_seconds is not None:
            check_range("the seconds of a call", self.call_seconds, 0.1, 3600.0)
        check_choice("mode", self.mode, MODES)
        check_choice("overlay", self.overlay, tuple(OVERLAYS))

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
    """The model workers and requests of the mode. ``call_seconds_from``: asked, ledger or benchmark.

    ``quotas`` is None if no deployment serves the mode. ``dollars_per_hour`` is for the average load; None also if a
    price is unknown, and ``without_price`` names these deployments. ``window``: maximum of one project's pages in
    process by models, ``pages_of_a_project`` a minute. ``is_configured``: the database could be read, even if it has
    no deployments.
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
    """The number of machines like the measured one that the load needs; None: not measured."""

    fast: int | None
    ocr: int | None
    model: int | None = None


@dataclass(frozen=True)
class Plan:
    """``ocr_window``: maximum of one project's pages in process by OCR workers."""

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
    """Return what the load needs in its busiest minute."""
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
        model=model_plan(wanted, overlay) if wanted.page_parser else None,
        ocr_window=int(settings.QUEUES[ocr_queue(wanted)].window_per_project),
    )


def ocr_queue(wanted: LoadRequest) -> str:
    return workflow.OCR_GPU_QUEUE if wanted.gpu else workflow.OCR_CPU_QUEUE


def servings_of(page_parser: str) -> list[Serving]:
    """Return the configured deployments that serve the page parser, in the order in which the gateway calls them.

    Paused deployments and those that the installation does not allow are left out. Deployments with a fault are
    included, as if it were fixed.
    """
    rows = Deployment.objects.filter(paused=False, provider__paused=False, **{f"serves_{page_parser}": True})
    if not settings.EXTERNAL_PROVIDERS:
        rows = rows.filter(provider__external=False)
    servings = []
    for row in rows.select_related("quota").order_by("order", "pk"):
        prices = row.prices
        servings.append(
            Serving(
                row.name,
                limits_of(row),
                row.max_output_tokens,
                input_price=None if prices is None else prices.rate(PriceKey("input")),
                output_price=None if prices is None else prices.rate(PriceKey("output")),
                thinking_tokens=Learnt.of(row.learnt).thinking_tokens or 0,
            )
        )
    return servings


def model_plan(wanted: LoadRequest, overlay: Overlay) -> ModelPlan:
    """Return the model workers, quotas and money that the load needs. Without a database, assume no deployments."""
    parser = wanted.page_parser
    width, window = int(settings.QUEUES[parser].width), int(settings.QUEUES[parser].window_per_project)
    seconds, source = BENCHMARK_CALL_SECONDS, "benchmark"
    servings: list[Serving] = []
    try:
        mean_seconds = None if wanted.call_seconds is not None else ledger.mean_seconds(parser)
        servings, is_configured = servings_of(parser), True
    except DatabaseError:  # a plan is possible before the database exists
        mean_seconds, is_configured = None, False
    if wanted.call_seconds is not None:
        seconds, source = wanted.call_seconds, "asked"
    elif mean_seconds:
        seconds, source = mean_seconds, "ledger"
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


def check_range(what: str, value: float, least: float, most: float) -> None:
    """Raise CannotPlan if the value is out of range or not a number."""
    if not least <= value <= most:
        raise CannotPlan(f"{what[0].upper()}{what[1:]} must be from {least:.3g} to {most:,.10g}, not {value:,.10g}.")


def check_choice(what: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise CannotPlan(f"Unknown {what} {value!r}. Choose one of: {', '.join(choices)}.")
