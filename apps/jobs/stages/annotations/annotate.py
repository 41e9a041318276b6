"""Ask a model about the parsed document, or about each page: extract, classify, split."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import msgspec
from django.db import transaction

from apps.accounts.models import ProjectQuota
from apps.core.database_connections import borrowed_connection
from apps.documents import storage
from apps.jobs import queries, workflow
from apps.jobs.models import Annotation, JobPage, Step
from apps.jobs.scheduling.claims import Claim, complete, end_job, fail, renewed_lease, start_attempts
from apps.jobs.scheduling.debounce import advance_soon
from apps.jobs.stages.model import begin_in_threads, provider_errors
from apps.jobs.stages.model_calls import budget_waits
from apps.jobs.stages.model_calls.page_threads import PageThreads
from apps.jobs.stages.page_contents import stored_page, stored_pages
from apps.jobs.stages.step_work import record_errors
from apps.jobs.states import JobState, Stage
from apps.pages.model.blocks import Page
from apps.pages.model.errors import ParseError
from apps.parsing.annotations.annotate import DocumentTooLong, annotate
from apps.providers import ledger
from apps.providers.calls.attempts import TRIES_PER_DEPLOYMENT, CallScope
from apps.providers.calls.process_gateway import process_gateway
from apps.providers.catalog import MICROS_PER_DOLLAR
from apps.providers.ledger import CallFor


def annotate_pages(*, fences: Mapping[int, int]) -> None:
    """Claim steps of one job and do each in a thread of its own. Return when the last one has begun.

    ``fences`` maps the ids of the steps to the fences in their message.
    """
    begin_in_threads(workflow.ANNOTATION_QUEUE, fences, _begin)


def annotate_step(*, step_id: int, fence: int) -> None:
    """Do one step of an annotation."""
    annotate_pages(fences={step_id: fence})


def _begin(queue: str, fences: Mapping[int, int], threads: PageThreads) -> None:
    begun = 0
    try:
        with borrowed_connection():
            steps = start_attempts(fences)
            quota = queries.project_quota(steps[0].project_id) if steps else None
        for step in steps:
            threads.run(queue, partial(_annotate_claimed, step, quota))
            begun += 1
    finally:
        threads.release(queue, len(fences) - begun)


def _annotate_claimed(step: Step, quota: ProjectQuota | None) -> None:
    with renewed_lease(step) as claim, record_errors(claim), provider_errors(claim, partial(_give_up, claim)):
        try:
            _complete_with_answer(claim, quota)
        except DocumentTooLong as error:
            _give_up(claim, error)
    budget_waits.wake_pages(claim.job, quota)
    advance_soon(job_id=claim.job.pk, stage=Stage.ANNOTATE)


def _complete_with_answer(claim: Claim, quota: ProjectQuota | None) -> None:
    job, number = claim.job, claim.step.first_page
    task = job.annotation_task
    assert task is not None
    with borrowed_connection():
        pages = _pages(claim)
        exhausted = ledger.exhausted_deployments(
            job_id=job.pk, page_number=number, tries=TRIES_PER_DEPLOYMENT, since=job.created_at
        )
    options, dollars_per_day = job.parsed_options, quota.dollars_per_day if quota else None
    answer = annotate(
        task,
        pages,
        CallScope(
            call_for=CallFor(job.project_id, job.pk, number, claim.step.queue),
            rules=options.provider_rules(quota),
            project_money_per_day=None if dollars_per_day is None else int(dollars_per_day * MICROS_PER_DOLLAR),
            job_money=options.max_cost_micros,
            exhausted=frozenset(exhausted if claim.step.fence > 1 else ()),
            has_instructions=True,  # document models, which take none, cannot answer
            should_stop=claim.lease.is_lost,
        ),
        process_gateway(),
    )
    content = storage.annotation(job.pk, number=number, attempt=claim.attempt)
    storage.write(content, msgspec.json.encode(answer.data))
    _store(claim, content=content, facts=answer.facts())


def _pages(claim: Claim) -> list[Page]:
    number = claim.step.first_page
    if number:
        return [stored_page(JobPage.objects.get(job_id=claim.job.pk, number=number))]
    return list(stored_pages(claim.job.pk))


def _store(claim: Claim, **columns: object) -> None:
    with borrowed_connection(), transaction.atomic():
        if complete(claim):
            row = {"content": "", "facts": {}, "error_code": "", "error_detail": "", **columns}
            Annotation.objects.update_or_create(job=claim.job, page_number=claim.step.first_page, defaults=row)


def _give_up(claim: Claim, error: ParseError) -> None:
    """Fail the annotation of the page, and the job if it is that of the whole document."""
    with borrowed_connection(), transaction.atomic():
        if not fail(claim, error_code=error.code):
            return
        row = {"content": "", "facts": {}, "error_code": error.code, "error_detail": error.detail}
        Annotation.objects.update_or_create(job=claim.job, page_number=claim.step.first_page, defaults=row)
        if not claim.step.first_page:
            end_job(claim.job.pk, JobState.FAILED, error=error)
