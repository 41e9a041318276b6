"""Choose the mode of each page: the job's own, one that a rule asks for, or a cheaper one for an easy page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django.db import transaction

from apps.jobs.models import JobPage, ParseJob, Step
from apps.jobs.scheduling.dispatch import dispatch_pages_of, make_page_steps
from apps.jobs.scheduling.moves import move_pages, move_to_stage
from apps.jobs.stages.page_contents import stored_page
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Page
from apps.pages.model.media_types import is_structured
from apps.parsing.modes import FAST, FOR_EASY_PAGES, PAGE_PARSER_OF_MODE
from apps.parsing.routing import auto_mode, cost_optimizer
from apps.providers.catalog import catalog

ROWS_PER_BATCH = 500
READ_FROM_STRUCTURE = "read from the structure of the document, which has no picture to show to a model"


@dataclass(frozen=True)
class Route:
    """The mode of a page, and the reason if it is not the job's. ``rule``: the number of the rule that chose it."""

    page_number: int
    mode: str
    reason: str = ""
    rule: int | None = None


def choose_routes(job: ParseJob) -> list[Route]:
    """Return the mode for every page that has been read and has no mode yet."""
    rows = JobPage.objects.filter(job=job, state=PageState.SUCCEEDED, mode="").exclude(content="").order_by("number")
    options = job.parsed_options
    if is_structured(job.read_type):
        return [Route(number, FAST, READ_FROM_STRUCTURE) for number in rows.values_list("number", flat=True)]
    if not options.auto_mode_rules and not options.optimizes_cost:
        return [Route(number, job.mode) for number in rows.values_list("number", flat=True)]
    return [route_of(stored_page(row), job) for row in rows.iterator(chunk_size=ROWS_PER_BATCH)]


def route_of(page: Page, job: ParseJob) -> Route:
    """Return the mode of one page, by the rules and options of its job."""
    options = job.parsed_options
    decision = auto_mode.choose_mode(
        page, rules=options.auto_mode_rules, markdown=None, file_name=job.document_name, base_mode=job.mode
    )
    if decision.rule is not None:
        parser = PAGE_PARSER_OF_MODE.get(decision.mode)
        is_served = parser is None or bool(catalog.targets(parser))
        return Route(page.number, decision.mode if is_served else job.mode, decision.reason, decision.rule)
    if options.optimizes_cost and job.mode in FOR_EASY_PAGES:
        is_easy, reason = cost_optimizer.is_easy(page)
        if is_easy:
            return Route(page.number, FOR_EASY_PAGES[job.mode], f"cost optimizer: {reason}")
    return Route(page.number, job.mode)


def begin_models(job: ParseJob, routes: Sequence[Route]) -> bool:
    """Create the steps of pages that go to a model, inside the caller's transaction. Return False if there are none.

    Their messages are sent after the commit.
    """
    alike: dict[tuple[str, str, int | None], list[int]] = defaultdict(list)
    for route in routes:
        alike[route.mode, route.reason, route.rule].append(route.page_number)
    pages_for: dict[str, list[int]] = defaultdict(list)
    for (mode, reason, rule), numbers in alike.items():
        parser = PAGE_PARSER_OF_MODE.get(mode)
        for start in range(0, len(numbers), ROWS_PER_BATCH):
            rows = JobPage.objects.filter(job=job, number__in=numbers[start : start + ROWS_PER_BATCH])
            facts = {} if rule is None else {"rule": rule}
            columns = {"mode": mode or FAST, "mode_reason": reason[:200], "facts": facts}
            if parser:
                move_pages(rows, PageState.PENDING, **columns)
            else:
                rows.update(**columns)
        if parser:
            pages_for[parser] += numbers
    if not pages_for:
        return False
    steps = [
        step
        for parser, numbers in pages_for.items()
        for step in make_page_steps(job=job, stage=Stage.MODEL, queue=parser, numbers=numbers)
    ]
    Step.objects.bulk_create(sorted(steps, key=lambda step: step.first_page), batch_size=ROWS_PER_BATCH)
    move_to_stage(job.pk, Stage.MODEL)
    transaction.on_commit(partial(dispatch_pages_of, job, Stage.MODEL))
    return True
