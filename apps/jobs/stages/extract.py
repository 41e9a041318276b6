"""Extract the text of pages, range by range. The worker that completes the last range advances the job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction

from apps.core import tracing
from apps.documents import storage
from apps.jobs import queries, workflow
from apps.jobs.models import ParseJob, Step
from apps.jobs.scheduling.advance import advance_if_done
from apps.jobs.scheduling.claims import Claim, claim_step, complete, fail_pages, pages_of
from apps.jobs.scheduling.moves import move_pages
from apps.jobs.stages.recognize import reason_for_ocr
from apps.jobs.stages.step_work import local_document, password_of, reader_limits, reading_options_of, record_errors
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Page, PageFailure, encode_pages
from apps.pages.model.errors import ParseError, Stopped
from apps.pages.sandbox import client


def make_ranges(job: ParseJob, numbers: Sequence[int]) -> None:
    """Create the steps that extract these pages, one for each range."""
    Step.objects.bulk_create(
        Step(
            job=job,
            project_id=job.project_id,
            stage=Stage.EXTRACT,
            queue=workflow.QUEUE_OF_STAGE[Stage.EXTRACT],
            first_page=first,
            last_page=last,
        )
        for first, last in queries.page_ranges(numbers, max_pages=settings.PAGES_PER_RANGE)
    )


def extract_pages(*, step_id: int, fence: int) -> None:
    """Extract one range of pages and store them. Advance the job if this was the last range."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with record_errors(claim):
            extract_range(claim)
    advance_if_done(job_id=claim.job.pk, stage=Stage.EXTRACT)


def extract_range(claim: Claim) -> None:
    """Extract the pages of a claimed range, store them and complete the claim."""
    job, step = claim.job, claim.step
    with local_document(job) as path:
        try:
            pages = client.shared_reader().read_range(
                path,
                range(step.first_page, step.last_page + 1),
                password=password_of(job),
                media_type=job.read_type,
                **reading_options_of(job),
                limits=reader_limits(),
                should_stop=claim.lease.is_lost,
            )
        except Stopped:
            with transaction.atomic():
                complete(claim)  # records the attempt as refused: the claim was lost
            return
    content = storage.page_content(job.pk, first=step.first_page, last=step.last_page, attempt=claim.attempt)
    storage.write(content, b"".join(encode_pages(pages)))
    good: dict[str, list[int]] = defaultdict(list)
    for page in pages:
        if isinstance(page, Page):
            good[reason_for_ocr(job, page)].append(page.number)
    with transaction.atomic():
        if not complete(claim):
            return
        tracing.add_attributes(failed_pages=sum(isinstance(page, PageFailure) for page in pages))
        for page in pages:
            if isinstance(page, PageFailure):
                error = ParseError(page.detail)
                error.code = page.code
                fail_pages(pages_of(step).filter(number=page.number), error)
        for needs_ocr, numbers in good.items():  # one UPDATE for all pages with the same columns
            rows = pages_of(step) if len(numbers) == step.page_total else pages_of(step).filter(number__in=numbers)
            move_pages(rows, PageState.SUCCEEDED, content=content, needs_ocr=needs_ocr, error_code="", error_detail="")
