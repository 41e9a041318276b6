"""Parse pages with a model (llm, lvm or agent).

Waiting is not counted as an attempt. A page that no model can parse keeps its fallback text.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import ProjectQuota
from apps.core import tracing
from apps.core.database_connections import borrowed_connection
from apps.core.grouped_writes import GroupedWrites
from apps.documents import storage
from apps.jobs import queries
from apps.jobs.models import JobPage, PageAttempt, Step
from apps.jobs.scheduling import wake_up_timer
from apps.jobs.scheduling.claims import (
    Claim,
    complete,
    complete_together,
    fail,
    fail_pages,
    pages_of,
    postpone,
    renewed_lease,
    snooze,
    start_attempts,
)
from apps.jobs.scheduling.debounce import advance_soon
from apps.jobs.scheduling.moves import move_pages
from apps.jobs.stages.model_calls import answer_cache, budget_waits
from apps.jobs.stages.model_calls.page_threads import PageThreads, page_threads
from apps.jobs.stages.page_contents import READ_CONTENT, read_content, stored_page_and_before
from apps.jobs.stages.step_work import local_document, password_of, reader_limits, record_errors
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Page, encode_page
from apps.pages.model.errors import PageError, Stopped
from apps.pages.per_process import PerProcess
from apps.parsing import parsers
from apps.parsing.page_pictures import DocumentPictures
from apps.parsing.parsers import PageToParse
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.prompts.page_before import summary_of
from apps.providers import ledger
from apps.providers.calls.attempts import TRIES_PER_DEPLOYMENT, CallScope
from apps.providers.calls.gateway import MAX_QUOTA_WAIT_SECONDS
from apps.providers.calls.process_gateway import process_gateway
from apps.providers.catalog import MICROS_PER_DOLLAR, catalog
from apps.providers.errors import BudgetExceeded, BudgetReserved, ProviderError, ProvidersUnavailable, QuotaExhausted
from apps.providers.ledger import CallFor

logger = logging.getLogger(__name__)
_EXTRA_WAIT_SECONDS = 0.2


def parse_pages(*, queue: str, fences: Mapping[int, int]) -> None:
    """Claim pages of one job and parse each in a thread of its own. Return when the last one has begun.

    ``fences`` maps the ids of the steps to the fences in their message. Pages for which no thread is free in time are
    postponed.
    """
    begin_in_threads(queue, fences, _begin)


def begin_in_threads(
    queue: str, fences: Mapping[int, int], begin: Callable[[str, Mapping[int, int], PageThreads], None]
) -> None:
    """Call ``begin`` for the steps in parts for which the queue has threads. Postpone those for which it has none."""
    threads = page_threads()
    wanted, limit = list(fences.items()), threads.limit(queue)
    for start in range(0, len(wanted), limit):
        part = dict(wanted[start : start + limit])
        if threads.acquire(queue, len(part), seconds=MAX_QUOTA_WAIT_SECONDS):
            begin(queue, part, threads)
        else:
            seconds = random.uniform(0.5, 1.5)
            with borrowed_connection():
                postpone(part, delay=timedelta(seconds=seconds))
            wake_up_timer.wake_up_in(seconds)


def _begin(queue: str, fences: Mapping[int, int], threads: PageThreads) -> None:
    """Claim the pages with one borrowed connection, and start the thread of each page that could be claimed."""
    begun = 0
    try:
        with borrowed_connection():
            steps = start_attempts(fences)
            numbers = {number for step in steps for number in (step.first_page, step.first_page - 1)}
            rows = {
                row.number: row
                for row in JobPage.objects.filter(job_id__in={step.job_id for step in steps}, number__in=numbers)
            }
            contents = {number: read_content(row) for number, row in rows.items()}
            quota = queries.project_quota(steps[0].project_id) if steps else None
        for step in steps:
            number = step.first_page
            threads.run(queue, partial(_parse_claimed, step, rows[number], contents.get(number - 1, ""), quota))
            begun += 1
    finally:
        threads.release(queue, len(fences) - begun)
    if begun < len(fences):
        missing = len(fences) - begun
        logger.info("%s of %s pages could not be claimed: done, cancelled or claimed elsewhere", missing, len(fences))


def parse_page(*, step_id: int, fence: int) -> None:
    """Parse one page with the model of its mode."""
    queue = Step.objects.values_list("queue", flat=True).get(pk=step_id)
    parse_pages(queue=queue, fences={step_id: fence})


def _parse_claimed(step: Step, row: JobPage, before: str, quota: ProjectQuota | None) -> None:
    """Parse a claimed page. Snooze it while it must wait; fall back to its text if models fail.

    ``before``: the key of the content of the page before; "" if there is none.
    """
    with renewed_lease(step) as claim, record_errors(claim), provider_errors(claim, partial(_fall_back, claim)):
        _complete_with_answer(claim, _PageContext(claim, row, before, quota))
    budget_waits.wake_pages(claim.job, quota)
    advance_soon(job_id=claim.job.pk, stage=Stage.MODEL)


@contextmanager
def provider_errors(claim: Claim, give_up: Callable[[ProviderError], None]) -> Iterator[None]:
    """Snooze the step while it must wait for quota, money or providers. ``give_up`` ends it after any other error."""
    try:
        yield
    except BudgetReserved as reserved:
        if not budget_waits.wait_for_money(claim, reserved):
            give_up(BudgetExceeded("Other pages took the money for which the page waited."))
    except QuotaExhausted as exhausted:
        _snooze(claim, exhausted.wait_seconds)
    except ProvidersUnavailable as error:
        max_outage = timedelta(seconds=settings.PROVIDER_OUTAGE_SECONDS)
        with borrowed_connection():
            is_too_long = Step.objects.filter(pk=claim.step.pk, outage_since__lt=Now() - max_outage).exists()
        if is_too_long:
            give_up(error)
        else:
            # A circuit breaker may stay open for longer than pages wait for it.
            max_wait_seconds = max_outage.total_seconds() + _EXTRA_WAIT_SECONDS
            _snooze(claim, min(error.wait_seconds, max_wait_seconds), outage=True)
    except Stopped:
        with borrowed_connection(), transaction.atomic():
            complete(claim)  # records the attempt as refused: the claim was lost
    except ProviderError as error:
        give_up(error)


class _PageContext:
    """Everything that parsing a page needs to know."""

    def __init__(self, claim: Claim, row: JobPage, before_content: str, quota: ProjectQuota | None) -> None:
        job, step = claim.job, claim.step
        self.options = job.parsed_options
        self.row = row
        exhausted: set[int] = set()
        if step.fence > 1:  # claimed before: deployments may have used up their tries for this page
            with borrowed_connection():
                exhausted = ledger.exhausted_deployments(
                    job_id=job.pk, page_number=step.first_page, tries=TRIES_PER_DEPLOYMENT, since=job.created_at
                )
        self.page, before = stored_page_and_before(self.row, before_content)
        self.parser = parsers.PARSERS[step.queue]
        instructions = self.options.instructions(self.row.facts.get("rule"))
        dollars_per_day = quota.dollars_per_day if quota else None
        half_of_its_time = job.created_at + (job.deadline_at - job.created_at) / 2
        self.scope = CallScope(
            call_for=CallFor(job.project_id, job.pk, step.first_page, step.queue),
            rules=self.options.provider_rules(quota),
            project_money_per_day=None if dollars_per_day is None else int(dollars_per_day * MICROS_PER_DOLLAR),
            job_money=self.options.max_cost_micros,
            exhausted=frozenset(exhausted),
            # In the second half of its time a job pays the usual price, so that it ends with answers.
            can_wait=self.options.can_wait and timezone.now() < half_of_its_time,
            batch_until=half_of_its_time if self.options.can_wait else None,
            has_instructions=instructions != CustomInstructions(),
            should_stop=claim.lease.is_lost,
        )
        self.cache_inputs = answer_cache.AnswerInputs(
            job=job,
            row=self.row,
            page=self.page,
            before=summary_of(before) if before else "",
            prompt_version=self.parser.prompt_version,
            instructions=instructions,
            sees_picture=self.parser.sees_picture,
            refuses=self.options.refuses_answers,
        )


def _complete_with_answer(claim: Claim, context: _PageContext) -> None:
    """Complete the page with a cached answer or a new one. A page without content needs none."""
    job, page = claim.job, context.page
    if not context.parser.has_content(page):
        _complete(claim, context, page, {"empty": True})
        return
    if context.options.reads_cache:
        targets = catalog.targets(context.scope.call_for.page_parser)
        allowed = [target for target in targets if not context.scope.rules.refusal(target)]
        with borrowed_connection():
            cached = answer_cache.find(context.cache_inputs, allowed)
        if cached is not None:
            page, facts = cached
            _complete(claim, context, page, {**facts, "cache": "hit", "requests": 0, "cost_nanos": 0})
            return
    with DocumentPictures(
        job.document_id,
        password=password_of(job),
        media_type=job.read_type,
        limits=reader_limits(),
        should_stop=claim.lease.is_lost,
        open_document=lambda _document_id: local_document(job),
        margins=context.options.margins,
    ) as pictures:
        parsed = context.parser.parse(
            PageToParse(
                page=page,
                instructions=context.cache_inputs.instructions,
                pictures=pictures,
                scope=context.scope,
                before=context.cache_inputs.before,
                refuses=context.options.refuses_answers,
            ),
            process_gateway(),
        )
    facts = {
        "deployment": parsed.target.name,
        "provider": parsed.target.provider,
        "model": parsed.target.model,
        "prompt": parsed.prompt_version,
        **parsed.stored_facts(),
    }
    used = {"cache": "miss", "requests": parsed.requests, "cost_nanos": parsed.cost_nanos}
    _complete(claim, context, parsed.page, facts | used)
    if context.options.writes_cache:
        with borrowed_connection():
            answer_cache.keep(context.cache_inputs, parsed.target, parsed.page, facts)


def _complete(claim: Claim, context: _PageContext, page: Page, facts: dict[str, Any]) -> None:
    """Complete the page with this content. If the claim was lost, the content is refused; its cost stays recorded."""
    tracing.add_attributes(cache=str(facts.get("cache", "")))
    row = context.row
    if page is not context.page:
        facts = {**facts, READ_CONTENT: read_content(row)}
        row.content = storage.page_content(claim.job.pk, first=page.number, last=page.number, attempt=claim.attempt)
        storage.write(row.content, encode_page(page) + b"\n")
    row.facts = {**row.facts, **facts}
    _completed().write((claim, row))


def _write_completed(pages: Sequence[tuple[Claim, JobPage]]) -> Sequence[None]:
    """Complete pages with the content and facts in their rows. Pages whose claim was lost keep their old ones."""
    accepted: list[Claim] = []
    if len(pages) > 1:
        with transaction.atomic():
            accepted = complete_together(claim for claim, _ in pages)
            rows = [row for claim, row in pages if claim in accepted]
            _move_to_succeeded(JobPage.objects.filter(pk__in=[row.pk for row in rows]))
            # An upsert takes less CPU than an UPDATE with a CASE for each value. A page deleted meanwhile violates the
            # foreign key, and then pages are written one by one.
            JobPage.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["id"], update_fields=["content", "facts"]
            )
    for claim, row in pages:
        if claim not in accepted:
            with transaction.atomic():
                if complete(claim):
                    _move_to_succeeded(pages_of(claim.step), content=row.content, facts=row.facts)
    return [None] * len(pages)


def _move_to_succeeded(pages: QuerySet[JobPage], **columns: Any) -> None:
    move_pages(pages, PageState.SUCCEEDED, fallback="", error_code="", error_detail="", **columns)


_completed: PerProcess[GroupedWrites[tuple[Claim, JobPage], None]] = PerProcess(
    lambda: GroupedWrites("completed-pages", _write_completed, seconds=0.1)
)


def _snooze(claim: Claim, seconds: float, *, outage: bool = False) -> None:
    """Snooze the step, and let this process send it as soon as it is due."""
    with borrowed_connection():
        is_snoozed = snooze(claim, delay=timedelta(seconds=seconds), outage=outage)
    if is_snoozed:
        wake_up_timer.wake_up_in(seconds)


def _fall_back(claim: Claim, error: PageError) -> None:
    """Give the page its fallback text. It fails if it has no text, or if the job stops on its budget."""
    stops = isinstance(error, BudgetExceeded) and claim.job.parsed_options.stops_on_budget
    with borrowed_connection(), transaction.atomic():
        if not fail(claim, error_code=error.code):
            return
        PageAttempt.objects.filter(step_id=claim.step.pk, fence=claim.fence).update(detail=error.detail[:500])
        if stops:
            move_pages(pages_of(claim.step), PageState.FAILED, error_code=error.code, error_detail=error.detail)
        else:
            fail_pages(pages_of(claim.step), error)
