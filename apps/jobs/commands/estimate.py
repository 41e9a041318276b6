"""Estimate a request before it is submitted: pages, requests, tokens, money and time in each mode.

The estimate comes from a sample of the document's pages. Nothing is submitted or stored, and no provider is called.
Answers that are cached from earlier jobs are not considered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.accounts.models import Project, ProjectQuota
from apps.jobs import queries
from apps.jobs.commands.cost_and_time import Range, estimate_cost, estimate_seconds
from apps.jobs.commands.page_sample import PageSample, read_sample
from apps.jobs.commands.submit import JobRequest
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.admission import admit, check_pages, targets_of
from apps.jobs.stages.routing import route_of
from apps.pages.model.errors import ParseError
from apps.pages.model.ocr_reasons import WHOLE_PAGE_REASONS
from apps.parsing.modes import BALANCED, MODES, PAGE_PARSER_OF_MODE
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.usage_estimate import UsageEstimate, estimate_usage
from apps.providers.catalog import Target


@dataclass(frozen=True)
class ModeEstimate:
    """The estimate for one mode. ``pages``: the number of pages that are parsed in each mode.

    ``cost`` is in US dollars; None if a price is unknown or no provider serves the mode. ``without_price``: the
    deployments without a price. ``why_not``: why the project cannot use the mode, empty if it can.
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
    """The estimates for all modes. ``exact``: they come from every page, not from a sample."""

    pages: int
    pages_needing_ocr: int
    exact: bool
    modes: Mapping[str, ModeEstimate]


def estimate_parse(*, project: Project, path: Path, name: str, request: JobRequest) -> Estimate:
    """Return the estimate for the document at ``path``. Rules for single pages apply only in the request's own mode.

    Raises DocumentErrors, PageOutOfRange and TooSlowToEstimate.
    """
    sample = read_sample(path, _unsaved_job(project, name, request, request.mode or BALANCED), request.password)
    quota = queries.project_quota(project.pk)
    modes: dict[str, ModeEstimate] = {}
    for mode in MODES:
        job = _unsaved_job(project, name, request, mode)
        try:
            tier = request.tier if mode == request.mode else mode
            admission = admit(project=project, mode=mode, options=job.parsed_options, tier=tier)
            check_pages(project=project, count=sample.pages)
        except ParseError as error:
            why_not = error.detail
        else:
            why_not = admission.warnings[0]["detail"] if admission.mode != mode else ""
        modes[mode] = _estimate_mode(sample, job, quota, why_not=why_not)
    return Estimate(sample.pages, sample.pages_needing_ocr, sample.exact, modes)


def _unsaved_job(project: Project, name: str, request: JobRequest, mode: str) -> ParseJob:
    """Return the job that the request would become in this mode. It is never saved."""
    options = request.options if mode == request.mode else request.options.without_page_rules()
    return ParseJob(
        project=project,
        document_name=name,
        mode=mode,
        options=options.stored(),
        target_pages=request.target_pages,
        max_pages=request.max_pages,
    )


def _estimate_mode(sample: PageSample, job: ParseJob, quota: ProjectQuota | None, *, why_not: str) -> ModeEstimate:
    options = job.parsed_options
    rules = options.provider_rules(quota)
    has_instructions = options.instructions(None) != CustomInstructions()
    targets = {
        # A model with a dialect of its own gets no page with instructions.
        each: [target for target in targets_of(each, rules) if not (target.dialect and has_instructions)]
        for each in PAGE_PARSER_OF_MODE
    }
    usage: dict[str, list[UsageEstimate]] = {}
    pages: dict[str, int] = defaultdict(int)
    for page in sample.readable:
        route = route_of(page, job)
        pages[route.mode] += 1
        if route.mode in PAGE_PARSER_OF_MODE:
            asked: Sequence[Target | None] = targets[route.mode] or [None]
            has_no_text_yet = page.number in sample.numbers_for_ocr and page.needs_ocr in WHOLE_PAGE_REASONS
            of_page = [
                estimate_usage(
                    page,
                    PAGE_PARSER_OF_MODE[route.mode],
                    instructions=options.instructions(route.rule),
                    target=target,
                    unread_tokens=sample.typical_tokens if has_no_text_yet else 0,
                )
                for target in asked
            ]
            before = usage.get(route.mode) or [UsageEstimate()] * len(of_page)
            usage[route.mode] = [one + other for one, other in zip(before, of_page, strict=True)]
    scaled = {mode: [each.times(sample.scale) for each in of] for mode, of in usage.items() if of[0].requests}
    targets = {mode: targets[mode] for mode in scaled}
    first = {mode: of_targets[0] for mode, of_targets in scaled.items()}
    total = sum(first.values(), UsageEstimate())
    unpriced = (target.name for of_mode in targets.values() for target in of_mode if not target.row.has_price)
    return ModeEstimate(
        pages={mode: round(count * sample.scale) for mode, count in pages.items()},
        requests=round(total.requests),
        input_tokens=round(total.input.likely),
        output_tokens=round(total.output.likely),
        cost=estimate_cost(scaled, targets, can_wait=options.can_wait),
        seconds=estimate_seconds(first, targets, pages=sample.pages, pages_for_ocr=sample.pages_needing_ocr),
        without_price=list(dict.fromkeys(unpriced)),
        why_not=why_not,
    )
