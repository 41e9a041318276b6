"""Reading pages in ranges, and what comes after: whoever settles the last range moves the job on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.jobs import queries, workflow
from apps.jobs.models import ParseJob, Step
from apps.jobs.services.claims import Claim, claimed, fail_pages, pages_of, settle
from apps.jobs.services.sending import send_pages_of, start_job_step
from apps.jobs.services.working import do_work, password_of, reader_limits
from apps.jobs.states import OPEN_STEPS, JobState, PageState, Stage
from apps.pages import isolation
from apps.pages.blocks import Page, PageFailure, encode_pages
from apps.pages.errors import ParseError


def make_ranges(job: ParseJob, numbers: Sequence[int]) -> None:
    """Rows for the work of reading these pages, a range each."""
    Step.objects.bulk_create(
        Step(
            job=job,
            project_id=job.project_id,
            stage=Stage.EXTRACT,
            queue=workflow.QUEUE_OF_STAGE[Stage.EXTRACT],
            first_page=first,
            last_page=last,
        )
        for first, last in queries.runs(numbers, longest=settings.PAGES_PER_RANGE)
    )


def extract_pages(*, step_id: int, fence: int) -> None:
    """Read one range of pages in the reader, keep what came of it, and move the job on if this was the last range."""
    with claimed(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        do_work(claim, _extract)
    move_on(job_id=claim.job.pk)


def _extract(claim: Claim) -> None:
    job, step = claim.job, claim.step
    if job.document_id is None:
        raise DocumentNotFound
    with storage.local_copy(storage.original(job.document_id)) as path:
        try:
            pages = isolation.shared_reader().read_range(
                path,
                range(step.first_page, step.last_page + 1),
                password=password_of(job),
                media_type=job.media_type,
                limits=reader_limits(),
                should_stop=claim.held.is_lost,
            )
        except isolation.Stopped:
            with transaction.atomic():
                settle(claim)
            return
    content = storage.page_content(job.pk, first=step.first_page, last=step.last_page, attempt=claim.attempt)
    storage.write(content, b"".join(encode_pages(pages)))
    with transaction.atomic():
        if settle(claim):
            _keep_pages(step, pages, content)


def _keep_pages(step: Step, pages: Sequence[Page | PageFailure], content: str) -> None:
    """Settle the page rows; pages with the same outcome share an UPDATE."""
    good: dict[str, list[int]] = defaultdict(list)
    for page in pages:
        if isinstance(page, PageFailure):
            fail_pages(pages_of(step).filter(number=page.number), _error_of(page))
        else:
            good[page.needs_ocr].append(page.number)
    for needs_ocr, numbers in good.items():
        rows = pages_of(step) if len(numbers) == step.page_total else pages_of(step).filter(number__in=numbers)
        rows.update(state=PageState.SUCCEEDED, content=content, needs_ocr=needs_ocr, error_code="", error_detail="")


def _error_of(failure: PageFailure) -> ParseError:
    error = ParseError(failure.detail)
    error.code = failure.code
    return error


def move_on(*, job_id: str) -> None:
    """Ask what is still open of the reading of pages: nothing, then the job advances; half a window is free, then more
    is sent."""
    still = queries.open_steps(job_id=job_id, stage=Stage.EXTRACT)
    if still.sent + still.unsent == 0:
        advance_job(job_id=job_id)
    elif still.unsent and still.sent <= settings.QUEUES[workflow.PAGES_QUEUE].window_per_job // 2:
        send_pages_of(ParseJob.objects.only("project_id").get(pk=job_id))


def advance_job(*, job_id: str) -> bool:
    """Move a job on whose stage of page work has nothing open; of all who ask, exactly one does it."""
    open_step = Step.objects.filter(job_id=OuterRef("pk"), state__in=OPEN_STEPS)
    with transaction.atomic():
        ready = ParseJob.objects.filter(~Exists(open_step), pk=job_id, state=JobState.RUNNING, stage=Stage.EXTRACT)
        if not ready.update(stage=Stage.PLAN, updated_at=Now()):
            return False
        start_job_step(job=ParseJob.objects.get(pk=job_id), stage=Stage.PLAN)
        return True


def close_window(*, job_id: str) -> None:
    """The body of a window's chord: everything in it has been answered, so there is room for more."""
    ParseJob.objects.filter(pk=job_id).update(windows_closed=F("windows_closed") + 1)
    job = ParseJob.objects.filter(pk=job_id, state=JobState.RUNNING).only("project_id").first()
    if job is not None:
        send_pages_of(job)


def plan_pages(*, step_id: int, fence: int) -> None:
    """Decide what each page needs after its text layer was read. Fast mode needs nothing more: on to assembly."""
    with claimed(step_id=step_id, fence=fence) as claim:
        if claim is not None:
            do_work(claim, _plan)


def _plan(claim: Claim) -> None:
    with transaction.atomic():
        if settle(claim):
            ParseJob.objects.filter(pk=claim.job.pk, state=JobState.RUNNING).update(
                stage=Stage.ASSEMBLE, updated_at=Now()
            )
            start_job_step(job=claim.job, stage=Stage.ASSEMBLE)
