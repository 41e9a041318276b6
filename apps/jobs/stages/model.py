"""Parse one page with a model (llm, lvm or agent).

Waiting is not counted as an attempt. A page that no model can parse keeps its fallback text.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import tracing
from apps.core.database_connections import borrowed_connection
from apps.documents import storage
from apps.jobs import queries
from apps.jobs.models import JobPage, PageAttempt, Step
from apps.jobs.scheduling import budget_waits, wake_up_timer
from apps.jobs.scheduling.claims import Claim, claim_step, complete, fail, fail_pages, pages_of, snooze
from apps.jobs.scheduling.debounce import advance_soon
from apps.jobs.scheduling.moves import move_pages
from apps.jobs.stages import answer_cache
from apps.jobs.stages.page_contents import stored_page
from apps.jobs.stages.step_work import password_of, reader_limits, record_errors
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Page, encode_page
from apps.pages.model.errors import PageError, Stopped
from apps.parsing import parsers
from apps.parsing.page_pictures import DocumentPictures
from apps.parsing.parsers import PageToParse
from apps.parsing.prompts.messages import CustomInstructions
from apps.providers import ledger
from apps.providers.calls.attempts import TRIES_PER_DEPLOYMENT, CallScope
from apps.providers.calls.process_gateway import process_gateway
from apps.providers.catalog import MICROS_PER_DOLLAR, catalog
from apps.providers.errors import BudgetExceeded, BudgetReserved, ProviderError, ProvidersUnavailable, QuotaExhausted
from apps.providers.ledger import CallFor

logger = logging.getLogger(__name__)
_EXTRA_WAIT_SECONDS = 0.2


def parse_page(*, step_id: int, fence: int) -> None:
    """Parse one page with the model of its mode. Snooze it while it must wait; fall back to its text if models fail."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with record_errors(claim):
            try:
                _complete_with_answer(claim, _PageContext(claim))
            except BudgetReserved as reserved:
                if not budget_waits.wait_for_money(claim, reserved):
                    _fall_back(claim, BudgetExceeded("Other pages took the money for which the page waited."))
            except QuotaExhausted as quota:
                _snooze(claim, quota.wait_seconds)
            except ProvidersUnavailable as error:
                max_outage = timedelta(seconds=settings.PROVIDER_OUTAGE_SECONDS)
                with borrowed_connection():
                    is_too_long = Step.objects.filter(pk=claim.step.pk, outage_since__lt=Now() - max_outage).exists()
                if is_too_long:
                    _fall_back(claim, error)
                else:
                    # A circuit breaker may stay open for longer than pages wait for it.
                    max_wait_seconds = max_outage.total_seconds() + _EXTRA_WAIT_SECONDS
                    _snooze(claim, min(error.wait_seconds, max_wait_seconds), outage=True)
            except Stopped:
                with borrowed_connection(), transaction.atomic():
                    complete(claim)  # records the attempt as refused: the claim was lost
            except ProviderError as error:
                _fall_back(claim, error)
    budget_waits.wake_pages(claim.job)
    advance_soon(job_id=claim.job.pk, stage=Stage.MODEL)


class _PageContext:
    """Everything that parsing a page needs from the database, read with one borrowed connection."""

    def __init__(self, claim: Claim) -> None:
        job, step = claim.job, claim.step
        self.options = job.parsed_options
        exhausted: set[int] = set()
        with borrowed_connection():
            self.row = JobPage.objects.get(job=job, number=step.first_page)
            quota = queries.project_quota(job.project_id)
            if step.starts > 1 or step.not_before is not None:
                # Deployments that have used up their tries for this page.
                exhausted = ledger.exhausted_deployments(
                    job_id=job.pk, page_number=step.first_page, tries=TRIES_PER_DEPLOYMENT, since=job.created_at
                )
        self.page = stored_page(self.row)
        self.parser = parsers.PARSERS[step.queue]
        instructions = self.options.instructions(self.row.facts.get("rule"))
        dollars_per_day = quota.dollars_per_day if quota else None
        self.scope = CallScope(
            call_for=CallFor(job.project_id, job.pk, step.first_page, step.queue),
            rules=self.options.provider_rules(quota),
            project_money_per_day=None if dollars_per_day is None else int(dollars_per_day * MICROS_PER_DOLLAR),
            job_money=self.options.max_cost_micros,
            exhausted=frozenset(exhausted),
            # In the second half of its time a job pays the usual price, so that it ends with answers.
            can_wait=self.options.can_wait and timezone.now() - job.created_at < job.deadline_at - timezone.now(),
            has_instructions=instructions != CustomInstructions(),
            should_stop=claim.lease.is_lost,
        )
        self.cache_inputs = answer_cache.AnswerInputs(
            job=job,
            row=self.row,
            page=self.page,
            prompt_version=self.parser.prompt_version,
            instructions=instructions,
            sees_picture=self.parser.sees_picture,
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
        media_type=job.media_type,
        limits=reader_limits(),
        should_stop=claim.lease.is_lost,
        open_document=storage.local_original,
    ) as pictures:
        parsed = context.parser.parse(
            PageToParse(
                page=page, instructions=context.cache_inputs.instructions, pictures=pictures, scope=context.scope
            ),
            process_gateway(),
        )
    facts = {
        "deployment": parsed.target.name,
        "provider": parsed.target.provider,
        "model": parsed.target.model,
        "prompt": parsed.prompt_version,
        **parsed.fidelity_facts(),
    }
    used = {"cache": "miss", "requests": parsed.requests, "cost_nanos": parsed.cost_nanos}
    _complete(claim, context, parsed.page, facts | used)
    if context.options.writes_cache:
        with borrowed_connection():
            answer_cache.keep(context.cache_inputs, parsed.target, parsed.page, facts)


def _complete(claim: Claim, context: _PageContext, page: Page, facts: dict[str, Any]) -> None:
    """Complete the page with this content. If the claim was lost, the content is refused; its cost stays recorded."""
    tracing.add_attributes(cache=str(facts.get("cache", "")))
    content = context.row.content
    if page is not context.page:
        content = storage.page_content(claim.job.pk, first=page.number, last=page.number, attempt=claim.attempt)
        storage.write(content, encode_page(page) + b"\n")
    with borrowed_connection(), transaction.atomic():
        if complete(claim):
            move_pages(
                pages_of(claim.step),
                PageState.SUCCEEDED,
                content=content,
                fallback="",
                facts={**context.row.facts, **facts},
                error_code="",
                error_detail="",
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
