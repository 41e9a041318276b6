"""The stages of a job: split, extract, plan, assemble. Whoever settles the last step of a stage moves the job on."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import BinaryIO

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from apps.accounts import sealing
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.jobs import queries, workflow
from apps.jobs.models import JobPage, ParseJob, Step
from apps.jobs.services import long_documents
from apps.jobs.services.claims import Claim, claimed, end_job, fail_pages, hand_back, pages_of, put_off, settle
from apps.jobs.services.sending import send_due, send_pages_of, start_job_step
from apps.jobs.states import OPEN_STEPS, JobState, PageState, Stage, StepState, job_outcome
from apps.pages import isolation
from apps.pages.assembly import Assembly, RenderOptions, assemble
from apps.pages.blocks import Page, PageFailure, decode_pages, encode_pages
from apps.pages.document import DocumentFacts
from apps.pages.errors import DocumentError, GarbledPage, ParseError, UnplannedError
from apps.pages.page_ranges import parse_page_ranges
from apps.pages.warnings import described

logger = logging.getLogger(__name__)


class StorageUnavailable(UnplannedError):
    """The storage did not answer or is full; the work is tried again."""

    code = "storage_unavailable"


# --- split -----------------------------------------------------------------------------------------------------------


def split_document(*, step_id: int, fence: int) -> None:
    """Look at the document, make its page rows and their ranges, and send the first window."""
    with claimed(step_id=step_id, fence=fence) as claim:
        if claim is not None and _run(claim, _split):
            send_pages_of(claim.job)


def _split(claim: Claim) -> None:
    job = claim.job
    if job.document_id is None:
        raise DocumentNotFound
    with storage.local_copy(storage.original(job.document_id)) as path:
        facts = isolation.shared_reader().inspect(path, password=_password(job), limits=_limits())
    numbers = _wanted_pages(job, facts.page_count)
    with long_documents.slot(pages=len(numbers)) as free:
        if free:
            _make_pages(claim, facts, numbers)
        else:
            put_off(claim)


def _make_pages(claim: Claim, facts: DocumentFacts, numbers: Sequence[int]) -> None:
    job = claim.job
    warnings = [*job.warnings, *({"code": code, "detail": described(code)} for code in facts.warnings)]
    with transaction.atomic():
        if not settle(claim):
            return
        JobPage.objects.bulk_create((JobPage(job=job, number=number) for number in numbers), batch_size=500)
        make_ranges(job, numbers)
        ParseJob.objects.filter(pk=job.pk, state=JobState.RUNNING).update(
            stage=Stage.EXTRACT,
            media_type=facts.media_type,
            document_pages=facts.page_count,
            page_count=len(numbers),
            warnings=warnings,
            deadline_at=Now() + _time_allowed(job, len(numbers)),
            updated_at=Now(),
        )


def _wanted_pages(job: ParseJob, page_count: int) -> Sequence[int]:
    if job.target_pages:
        return parse_page_ranges(job.target_pages, page_count=page_count)
    return range(1, min(page_count, job.max_pages or page_count) + 1)


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


def _time_allowed(job: ParseJob, pages: int) -> timedelta:
    control = job.options.get("processing_control") or {}
    asked = control.get("timeouts") or {}
    base = asked.get("base_in_seconds") or settings.JOB_BASE_SECONDS
    extra = asked.get("extra_time_per_page_in_seconds") or settings.JOB_SECONDS_PER_PAGE
    return timedelta(seconds=min(base + extra * pages, settings.MAX_JOB_SECONDS))


# --- extract ---------------------------------------------------------------------------------------------------------


def extract_pages(*, step_id: int, fence: int) -> None:
    """Read one range of pages in the reader, keep what came of it, and move the job on if this was the last range."""
    with claimed(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        _run(claim, _extract)
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
                password=_password(job),
                media_type=job.media_type,
                limits=_limits(),
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


# --- between stages --------------------------------------------------------------------------------------------------


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
            _run(claim, _plan)


def _plan(claim: Claim) -> None:
    with transaction.atomic():
        if settle(claim):
            ParseJob.objects.filter(pk=claim.job.pk, state=JobState.RUNNING).update(
                stage=Stage.ASSEMBLE, updated_at=Now()
            )
            start_job_step(job=claim.job, stage=Stage.ASSEMBLE)


# --- assemble --------------------------------------------------------------------------------------------------------


def assemble_document(*, step_id: int, fence: int) -> None:
    """Pages become the result; the job ends. While the worker is at enough long documents, this one waits."""
    with claimed(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with long_documents.slot(pages=claim.job.page_count or 0) as free:
            if free:
                _run(claim, _assemble)
            else:
                put_off(claim)
    if free:
        send_due()


def _assemble(claim: Claim) -> None:
    job = claim.job
    missing = _pages_without_content(job)
    if missing:
        _extract_again(claim, missing)
        return
    folder = storage.result_folder(job.pk, attempt=claim.attempt)

    def open_output(name: str) -> AbstractContextManager[BinaryIO]:
        return storage.open_for_writing(f"{folder}/{name}")

    report = assemble(lambda: _stored_pages(job), options=render_options(job), open_output=open_output)
    counts = queries.page_counts(job.pk)
    failed = counts.get(PageState.FAILED, 0)
    outcome = job_outcome(good_pages=counts.get(PageState.SUCCEEDED, 0), failed_pages=failed)
    error = _reason(job, failed) if _too_many_failed(job, failed) or outcome is JobState.FAILED else None
    with transaction.atomic():
        if settle(claim):
            end_job(
                job.pk,
                JobState.FAILED if error else outcome,
                error=error,
                result_folder="" if error else folder,
                result_facts=_facts(report),
                warnings=[*job.warnings, *_warnings(report)],
            )


def _stored_pages(job: ParseJob) -> Iterator[Page | PageFailure]:
    """The job's pages in order, as they were accepted. Pages of one range lie in one file, read once."""
    key, pages = "", {}
    for row in queries.page_rows(job.pk):
        if row.state != PageState.SUCCEEDED:
            yield PageFailure(row.number, row.error_code, row.error_detail)
            continue
        if row.content != key:
            key, pages = row.content, _read_pages(row.content)
        page = pages.get(row.number)
        if page is None:
            raise GarbledPage
        yield page


def _read_pages(key: str) -> dict[int, Page]:
    results = decode_pages(storage.read(key).splitlines())
    return {page.number: page for page in results if isinstance(page, Page)}


def _pages_without_content(job: ParseJob) -> list[int]:
    """Pages that were accepted and whose content has gone from storage since."""
    kept = JobPage.objects.filter(job=job, state=PageState.SUCCEEDED)
    gone = [key for key in kept.values_list("content", flat=True).distinct().order_by() if not storage.exists(key)]
    return list(kept.filter(content__in=gone).values_list("number", flat=True)) if gone else []


def _extract_again(claim: Claim, numbers: Sequence[int]) -> None:
    job = claim.job
    logger.error("Content of %s pages of %s is gone from storage; they are read again", len(numbers), job.pk)
    with transaction.atomic():
        if not settle(claim, state=StepState.FAILED, error_code=StorageUnavailable.code):
            return
        JobPage.objects.filter(job=job, number__in=numbers).update(state=PageState.PENDING, content="")
        make_ranges(job, numbers)
        ParseJob.objects.filter(pk=job.pk, state=JobState.RUNNING).update(stage=Stage.EXTRACT, updated_at=Now())
        transaction.on_commit(lambda: send_pages_of(job))


def render_options(job: ParseJob) -> RenderOptions:
    """What of the request changes how pages are written; None there means the default."""
    markdown = (job.options.get("output_options") or {}).get("markdown") or {}
    as_pipes = (markdown.get("tables") or {}).get("output_tables_as_markdown")
    return RenderOptions(table_format="pipe" if as_pipes else "html")


def _too_many_failed(job: ParseJob, failed: int) -> bool:
    """LlamaParse's ``allowed_page_failure_ratio``, which counts only where the request sends it."""
    control = job.options.get("processing_control") or {}
    allowed = (control.get("job_failure_conditions") or {}).get("allowed_page_failure_ratio")
    return allowed is not None and failed > allowed * (job.page_count or 0)


def _reason(job: ParseJob, failed: int) -> ParseError:
    first = JobPage.objects.filter(job=job, state=PageState.FAILED).order_by("number").first()
    assert first is not None
    error = ParseError(f"{failed} of {job.page_count} pages failed; page {first.number}: {first.error_detail}")
    error.code = first.error_code
    return error


def _facts(report: Assembly) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(report)
    return {name: value for name, value in facts.items() if name != "warnings"}


def _warnings(report: Assembly) -> list[dict[str, object]]:
    return [
        {"code": code, "detail": described(code), "pages": count} for code, count in sorted(report.warnings.items())
    ]


# --- for every stage -------------------------------------------------------------------------------------------------


def _run(claim: Claim, work: Callable[[Claim], None]) -> bool:
    """Do a step's work; whatever goes wrong becomes a fact in the database. True when nothing did."""
    try:
        work(claim)
    except DocumentError as error:
        _refuse_document(claim, error)
    except OSError as error:
        logger.exception("Storage failed during %s", claim.step)
        hand_back(claim, StorageUnavailable(f"Storage failed: {error.strerror}. The work is tried again."))
    except ParseError as error:
        hand_back(claim, error)
    except Exception:
        logger.exception("%s stopped on an unplanned error", claim.step)
        hand_back(claim, UnplannedError())
    else:
        return True
    return False


def _refuse_document(claim: Claim, error: DocumentError) -> None:
    with transaction.atomic():
        if settle(claim, state=StepState.FAILED, error_code=error.code):
            end_job(claim.job.pk, JobState.FAILED, error=error)


def _password(job: ParseJob) -> str | None:
    return sealing.unseal(job.password_sealed) if job.password_sealed else None


def _limits() -> isolation.Limits:
    return isolation.Limits(
        cpu_seconds=settings.PAGE_CPU_SECONDS,
        wall_seconds=settings.PAGE_WALL_SECONDS,
        memory_bytes=settings.READER_MEMORY_MB * 1024 * 1024,
        max_pages=settings.MAX_PAGES_PER_DOCUMENT,
    )
