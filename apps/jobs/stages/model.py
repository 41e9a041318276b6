"""Parsing one page with a model: llm, lvm or agent. Waiting is never an attempt, and a page never goes without text."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.core import tracing
from apps.core.database_connections import borrowed_connection
from apps.documents import storage
from apps.jobs import queries
from apps.jobs.models import JobPage, PageAttempt, Step
from apps.jobs.scheduling import wake_up_timer
from apps.jobs.scheduling.claims import Claim, claim_step, complete, fail, fail_pages, pages_of, snooze
from apps.jobs.scheduling.debounce import advance_soon
from apps.jobs.scheduling.moves import move_pages
from apps.jobs.stages import answer_cache
from apps.jobs.stages.page_contents import stored_page
from apps.jobs.stages.step_work import do_work, password_of, reader_limits
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Page, encode_page
from apps.pages.model.errors import PageError, Stopped
from apps.parsing import parsers
from apps.parsing.page_pictures import DocumentPictures
from apps.parsing.parsers import PageToParse, ParsedPage
from apps.providers import ledger
from apps.providers.calls.attempts import TRIES_PER_DEPLOYMENT, CallScope
from apps.providers.calls.shared_gateway import shared_gateway
from apps.providers.catalog import MICROS_PER_DOLLAR, catalog
from apps.providers.errors import (
    BudgetExceeded,
    ProviderError,
    ProvidersUnavailable,
    QuotaExhausted,
)
from apps.providers.ledger import CallFor

logger = logging.getLogger(__name__)
MIN_PAUSE_SECONDS = 0.2


def parse_page(*, step_id: int, fence: int) -> None:
    """Parse one page with the model of its mode, or put it off, or give it its fallback text."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        do_work(claim, _parse)
    advance_soon(job_id=claim.job.pk, stage=Stage.MODEL)


def _parse(claim: Claim) -> None:
    try:
        _ask(claim, _Work(claim))
    except QuotaExhausted as quota:
        _wait(claim, quota.wait_seconds)
    except ProvidersUnavailable as error:
        _wait_for_providers(claim, error)
    except Stopped:
        with borrowed_connection(), transaction.atomic():
            complete(claim)  # refused: the claim was overtaken or cancelled
    except ProviderError as error:
        _go_without(claim, error)


class _Work:
    """What a page's parsing needs from the database, read in one turn."""

    def __init__(self, claim: Claim) -> None:
        job, step = claim.job, claim.step
        self.options = job.parsed_options
        with borrowed_connection():
            self.row = JobPage.objects.get(job=job, number=step.first_page)
            quota = queries.project_quota(job.project_id)
            tried = step.starts > 1 or step.not_before is not None
            exhausted = _exhausted(step) if tried else set()
        self.page = stored_page(self.row)
        self.parser = parsers.PARSERS[step.queue]
        self.order = CallScope(
            call_for=CallFor(job.project_id, job.pk, step.first_page, step.queue),
            rules=self.options.provider_rules(quota),
            project_money_per_day=_micros(quota.dollars_per_day) if quota else None,
            job_money=self.options.max_cost_micros,
            exhausted=frozenset(exhausted),
            should_stop=claim.lease.is_lost,
        )
        self.kept = answer_cache.Asked(
            job=job,
            row=self.row,
            page=self.page,
            prompt_version=self.parser.prompt_version,
            instructions=self.options.instructions(self.row.facts.get("rule")),
            sees_picture=self.parser.sees_picture,
        )


def _micros(dollars: object) -> int | None:
    return None if dollars is None else int(dollars * MICROS_PER_DOLLAR)  # type: ignore[operator]


def _exhausted(step: Step) -> set[int]:
    """Deployments that have had their chance with the page in this round."""
    return ledger.exhausted_deployments(
        job_id=step.job_id, page_number=step.first_page, tries=TRIES_PER_DEPLOYMENT, since=step.job.created_at
    )


def _ask(claim: Claim, work: _Work) -> None:
    if not work.parser.has_content(work.page):
        _accept(claim, work, work.page, {"empty": True})
        return
    if work.options.reads_cache and (found := _kept_answer(work)) is not None:
        page, facts = found
        _accept(claim, work, page, {**facts, "cache": "hit", "requests": 0, "cost_nanos": 0})
        return
    parsed = _parsed_page(claim, work)
    facts = _facts(parsed)
    _accept(
        claim,
        work,
        parsed.page,
        {**facts, "cache": "miss", "requests": parsed.requests, "cost_nanos": parsed.cost_nanos},
    )
    if work.options.writes_cache:
        with borrowed_connection():
            answer_cache.keep(work.kept, parsed.model, parsed.page, facts)


def _kept_answer(work: _Work) -> tuple[Page, dict[str, object]] | None:
    targets = catalog.targets(work.order.call_for.page_parser)
    models = [target.model for target in targets if not work.order.rules.refusal(target)]
    with borrowed_connection():
        return answer_cache.find(work.kept, list(dict.fromkeys(models)))


def _parsed_page(claim: Claim, work: _Work) -> ParsedPage:
    job = claim.job
    with DocumentPictures(
        job.document_id,
        password=password_of(job),
        media_type=job.media_type,
        limits=reader_limits(),
        should_stop=claim.lease.is_lost,
        open_document=storage.local_original,
    ) as pictures:
        return work.parser.parse(
            PageToParse(page=work.page, instructions=work.kept.instructions, pictures=pictures, order=work.order),
            shared_gateway(),
        )


def _facts(parsed: ParsedPage) -> dict[str, object]:
    return {
        "deployment": parsed.deployment,
        "provider": parsed.provider,
        "model": parsed.model,
        "prompt": parsed.prompt_version,
        **parsed.fidelity_facts(),
    }


def _accept(claim: Claim, work: _Work, page: Page, facts: dict[str, object]) -> None:
    """Settle the page with this content; the answer that comes too late is refused, and its cost stays booked."""
    tracing.add_attributes(cache=str(facts.get("cache", "")))
    content = work.row.content
    if page is not work.page:
        content = storage.page_content(claim.job.pk, first=page.number, last=page.number, attempt=claim.attempt)
        storage.write(content, encode_page(page) + b"\n")
    with borrowed_connection(), transaction.atomic():
        if complete(claim):
            move_pages(
                pages_of(claim.step),
                PageState.SUCCEEDED,
                content=content,
                fallback="",
                facts={**work.row.facts, **facts},
                error_code="",
                error_detail="",
            )


def _wait(claim: Claim, seconds: float, *, outage: bool = False) -> None:
    with borrowed_connection():
        waits = snooze(claim, delay=timedelta(seconds=seconds), outage=outage)
    if waits:
        wake_up_timer.wake_up_in(seconds)


def _wait_for_providers(claim: Claim, error: ProvidersUnavailable) -> None:
    """Providers that are out of order are waited for, for a while; then the page goes without."""
    patience = timedelta(seconds=settings.PROVIDER_OUTAGE_SECONDS)
    with borrowed_connection():
        too_long = Step.objects.filter(pk=claim.step.pk, outage_since__lt=Now() - patience).exists()
    if too_long:
        _go_without(claim, error)
    else:
        # A breaker may stay open for longer than pages wait for it.
        _wait(claim, min(error.wait_seconds, patience.total_seconds() + MIN_PAUSE_SECONDS), outage=True)


def _go_without(claim: Claim, error: PageError) -> None:
    """The page takes its fallback text, and says why. One that has no text, or may not, fails."""
    stops = isinstance(error, BudgetExceeded) and claim.job.parsed_options.stops_on_budget
    with borrowed_connection(), transaction.atomic():
        if not fail(claim, error_code=error.code):
            return
        PageAttempt.objects.filter(step_id=claim.step.pk, fence=claim.fence).update(detail=error.detail[:500])
        if stops:
            move_pages(pages_of(claim.step), PageState.FAILED, error_code=error.code, error_detail=error.detail)
        else:
            fail_pages(pages_of(claim.step), error)
