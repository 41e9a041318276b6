"""What a request would come to: pages, requests, tokens, money and time in each mode, from a look at some pages.

Nothing is submitted or stored, and no provider is asked. Answers that were kept from earlier jobs are not looked for.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.accounts.models import Project, ProjectQuota
from apps.jobs import queries
from apps.jobs.commands.submit import JobRequest
from apps.jobs.errors import TooSlowToEstimate
from apps.jobs.models import ParseJob
from apps.jobs.options import JobOptions
from apps.jobs.scheduling.admission import admit, check_pages, targets_of
from apps.jobs.stages.recognize import pages_to_recognize
from apps.jobs.stages.routing import Route, route_of
from apps.jobs.stages.split import wanted_pages
from apps.jobs.stages.step_work import hidden_text_of, reader_limits
from apps.pages.layout.text_quality import WHOLE_PAGE_REASONS
from apps.pages.model.blocks import Page
from apps.pages.model.errors import ParseError, Stopped
from apps.pages.sandbox import pool
from apps.parsing.modes import BALANCED, MODES, PAGE_PARSER_OF_MODE
from apps.parsing.usage_estimate import TYPICAL_PAGE_TOKENS, UsageEstimate, estimate_usage, page_tokens
from apps.providers import ledger
from apps.providers.catalog import Target

MAX_SAMPLED_PAGES = 32
MAX_SAMPLING_SECONDS = 30.0
# Requests where one would do. Of right answers our own checks refuse none (docs/quality-and-speed.md), and failed
# calls cost nothing; but real models err. LlamaParse's guide counts 1.01 for language models and 1.2 for those
# that see.
RETRIES = 1.2
CALL_SECONDS = 5.0  # of a model that nobody has asked on the last day
# Measured on two cores: bench/results/service-embedded.json (12,900 pages a minute; a one-page document takes 0.08 to
# 0.14 s) and docs/quality-and-speed.md (121 pages a minute). The high end is for a machine that has other work, too.
_JOB_SECONDS = (0.1, 1.0)
_READ_SECONDS = (0.0093, 0.03)
_OCR_SECONDS = (0.9, 2.0)


@dataclass(frozen=True)
class Range:
    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class ModeEstimate:
    """One mode. ``why_not``: why it cannot be had; ``pages``: how many go through which mode.

    ``cost`` is in US dollars, None where a price is not known or nobody serves the mode; ``without_price`` names the
    deployments whose prices are not set.
    """

    pages: Mapping[str, int]
    requests: int
    input_tokens: int
    output_tokens: int
    cost: Range | None
    seconds: Range
    without_price: Sequence[str] = ()
    why_not: str = ""


@dataclass(frozen=True)
class Estimate:
    """``exact``: every page was looked at, not a sample."""

    pages: int
    pages_needing_ocr: int
    exact: bool
    modes: Mapping[str, ModeEstimate]


def estimate_parse(*, project: Project, path: Path, name: str, request: JobRequest) -> Estimate:
    """The estimate for the document at ``path``. The request's rules for pages are followed in its own mode alone.

    Raises DocumentErrors, PageOutOfRange and TooSlowToEstimate.
    """
    job = _job(project, name, request, request.mode or BALANCED, request.options)
    look = _look_at(path, job, request.password)
    quota = queries.project_quota(project.pk)
    modes: dict[str, ModeEstimate] = {}
    for mode in MODES:
        asked = mode == request.mode
        options = request.options if asked else request.options.without_page_rules()
        would_be = _job(project, name, request, mode, options)
        spelled = request.tier if asked else mode
        modes[mode] = _estimate(look, would_be, quota, why_not=_why_not(project, would_be, spelled, look.pages))
    return Estimate(look.pages, look.pages_to_recognize, look.exact, modes)


def _job(project: Project, name: str, request: JobRequest, mode: str, options: JobOptions) -> ParseJob:
    """The job that the request would become; it is never saved."""
    return ParseJob(
        project=project,
        document_name=name,
        mode=mode,
        options=options.stored(),
        target_pages=request.target_pages,
        max_pages=request.max_pages,
    )


@dataclass(frozen=True)
class _Look:
    """What a sample of a document's pages says: those that could be read, and those of them that go to OCR."""

    pages: int
    looked_at: int
    readable: Sequence[Page]
    unread: frozenset[int]

    @property
    def exact(self) -> bool:
        return self.looked_at == self.pages

    @property
    def scale(self) -> float:
        return self.pages / self.looked_at

    @property
    def pages_to_recognize(self) -> int:
        return round(len(self.unread) * self.scale)

    @property
    def typical_tokens(self) -> int:
        """Of a page that OCR will read: what the others have on average."""
        known = [page_tokens(page) for page in self.readable if page.number not in self.unread and page.blocks]
        return round(sum(known) / len(known)) if known else TYPICAL_PAGE_TOKENS


def _look_at(path: Path, job: ParseJob, password: str | None) -> _Look:
    until = time.monotonic() + MAX_SAMPLING_SECONDS
    numbers: Sequence[int] = ()

    def spread(page_count: int) -> Sequence[int]:
        nonlocal numbers
        numbers = wanted_pages(job, page_count)
        return _spread(numbers, MAX_SAMPLED_PAGES)

    def is_late() -> bool:
        return time.monotonic() > until

    try:
        with pool.reader_pool(1).reader(should_stop=is_late) as reader:
            _facts, results = reader.inspect_and_read(
                path,
                page_numbers=lambda facts: spread(facts.page_count),
                max_pages=MAX_SAMPLED_PAGES,
                password=password,
                hidden_text="remove",
                preserve_very_small_text=hidden_text_of(job)["preserve_very_small_text"],
                limits=reader_limits(),
                should_stop=is_late,
            )
    except Stopped as stopped:
        raise TooSlowToEstimate from stopped
    results = results or []
    readable = [page for page in results if isinstance(page, Page)]
    unread = pages_to_recognize(job, ((page.number, page.needs_ocr) for page in readable))
    return _Look(len(numbers), max(1, len(results)), readable, frozenset(unread))


def _spread(numbers: Sequence[int], most: int) -> Sequence[int]:
    """At most so many of them, evenly over the document, the first and the last among them."""
    if len(numbers) <= most:
        return numbers
    return [numbers[index * (len(numbers) - 1) // (most - 1)] for index in range(most)]


def _why_not(project: Project, job: ParseJob, spelled: str, pages: int) -> str:
    """Why the project cannot have this mode now; "" when it can."""
    try:
        admission = admit(project=project, mode=job.mode, options=job.parsed_options, asked=spelled)
        check_pages(project=project, count=pages)
    except ParseError as error:
        return error.detail
    return admission.warnings[0]["detail"] if admission.mode != job.mode else ""


def _estimate(look: _Look, job: ParseJob, quota: ProjectQuota | None, *, why_not: str) -> ModeEstimate:
    options = job.parsed_options
    demands: dict[str, UsageEstimate] = defaultdict(UsageEstimate)
    counts: dict[str, int] = defaultdict(int)
    for page in look.readable:
        route = route_of(page, job)
        counts[route.mode] += 1
        if route.mode in PAGE_PARSER_OF_MODE:
            demands[route.mode] += _demand(page, route, look, options)
    asking = {mode: demand.times(look.scale) for mode, demand in demands.items() if demand.requests}
    total = sum(asking.values(), UsageEstimate())
    rules = options.provider_rules(quota)
    targets = {mode: targets_of(mode, rules) for mode in asking}
    return ModeEstimate(
        pages={mode: round(count * look.scale) for mode, count in counts.items()},
        requests=round(total.requests),
        input_tokens=round(total.input.likely),
        output_tokens=round(total.output.likely),
        cost=_cost(asking, targets),
        seconds=_seconds(look, asking, targets),
        without_price=_without_price(targets),
        why_not=why_not,
    )


def _demand(page: Page, route: Route, look: _Look, options: JobOptions) -> UsageEstimate:
    is_unread = page.number in look.unread and page.needs_ocr in WHOLE_PAGE_REASONS
    return estimate_usage(
        page,
        PAGE_PARSER_OF_MODE[route.mode],
        instructions=options.instructions(route.rule),
        unread_tokens=look.typical_tokens if is_unread else 0,
    )


def _cost(asking: Mapping[str, UsageEstimate], targets: Mapping[str, Sequence[Target]]) -> Range | None:
    """From the cheapest of those that are asked first, without a retry, to the dearest of all with retries."""
    total = Range(0.0, 0.0)
    for mode, demand in asking.items():
        allowed = targets[mode]
        if not allowed or not all(target.row.has_price for target in allowed):
            return None
        first = [target for target in allowed if target.order == allowed[0].order]
        low = min(_dollars(target, demand.input.least, demand.output.least) for target in first)
        high = max(_dollars(target, demand.input.most, demand.output.most) for target in allowed)
        total += Range(low, high * RETRIES)
    return total


def _without_price(targets: Mapping[str, Sequence[Target]]) -> list[str]:
    allowed = (target for of_mode in targets.values() for target in of_mode)
    return list(dict.fromkeys(target.name for target in allowed if not target.row.has_price))


def _dollars(target: Target, input_tokens: float, output_tokens: float) -> float:
    return (target.cost_nanos(input_tokens=round(input_tokens), output_tokens=round(output_tokens)) or 0) / 1e9


def _seconds(look: _Look, asking: Mapping[str, UsageEstimate], targets: Mapping[str, Sequence[Target]]) -> Range:
    """Of this job alone, with one worker of each kind; what waits in the queues before it is not known here."""
    low, high = (
        begin + look.pages * read / settings.PARSE_PROCESSES + look.pages_to_recognize * ocr / settings.OCR_WORKER
        for begin, read, ocr in zip(_JOB_SECONDS, _READ_SECONDS, _OCR_SECONDS, strict=True)
    )
    models = [_model_seconds(mode, demand, targets[mode]) for mode, demand in asking.items()]  # side by side
    return Range(
        low + max((each.low for each in models), default=0.0), high + max((each.high for each in models), default=0.0)
    )


def _model_seconds(mode: str, demand: UsageEstimate, targets: Sequence[Target]) -> Range:
    parser = PAGE_PARSER_OF_MODE[mode]
    call = ledger.mean_seconds(parser) or CALL_SECONDS
    in_a_row = (2 if parser == "agent" else 1) * call
    at_once = _calls_at_once(settings.QUEUES[parser].width, targets)
    rate, burst = _granted(demand, targets)
    low = max(in_a_row, demand.requests * call / at_once, (demand.requests - burst) / rate)
    high = RETRIES * max(in_a_row, demand.requests * call / at_once, demand.requests / rate) + in_a_row
    return Range(low, high)


def _calls_at_once(width: int, targets: Sequence[Target]) -> int:
    limits = [target.limits.calls_in_flight for target in targets]
    granted = sum(limit for limit in limits if limit is not None)
    return min(width, granted) if limits and None not in limits else width


def _granted(demand: UsageEstimate, targets: Sequence[Target]) -> tuple[float, float]:
    """Requests a second that the quotas of all deployments allow together, and requests of their first windows."""
    rates = [_requests_a_window(demand, target) for target in targets]
    windows = [target.limits.window_seconds for target in targets]
    if not rates:
        return float("inf"), 0.0
    return sum(rate / window for rate, window in zip(rates, windows, strict=True)), sum(rates)


def _requests_a_window(demand: UsageEstimate, target: Target) -> float:
    limits = target.limits
    input_tokens, output_tokens = demand.input.likely / demand.requests, demand.output.likely / demand.requests
    each = (
        (limits.requests, 1.0),
        (limits.tokens, input_tokens + output_tokens),
        (limits.input_tokens, input_tokens),
        (limits.output_tokens, output_tokens),
    )
    return min((limit / need for limit, need in each if limit is not None), default=float("inf"))
