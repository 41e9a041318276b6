"""Reads about jobs."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, TypeVar
from uuid import UUID

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from apps.accounts.models import Project, ProjectQuota
from apps.documents import services as documents
from apps.documents import storage
from apps.jobs.errors import JobNotFound, ResultMissing
from apps.jobs.models import (
    AttemptOutcome,
    JobBatch,
    JobBatchFile,
    JobKind,
    JobPage,
    PageAttempt,
    ParseJob,
    Pause,
    RemovedJobs,
    Step,
    Worker,
)
from apps.jobs.states import ENDED_JOBS, OPEN_JOBS, OPEN_STEPS, BatchStatus, JobState, Stage, StepState
from apps.pages.model.media_types import PDF
from apps.pages.output.assembly import OUTPUTS
from apps.parsing.modes import FAST

logger = logging.getLogger(__name__)
Read = TypeVar("Read")

# A worker that has not reported for this long is considered gone.
WORKER_TIMEOUT = timedelta(seconds=45)
RECENT_ATTEMPTS = 200
MAX_ATTEMPTS_OF_PAGE = 100


def project_quota(project_id: UUID) -> ProjectQuota | None:
    """Return the limits of a project; None when it has none."""
    return ProjectQuota.objects.filter(project_id=project_id).first()


def open_pages(project_id: UUID | None = None) -> int:
    """Return the pages of jobs that have not ended, of a project or of all; one for a job that is not split yet."""
    jobs = ParseJob.objects.filter(state__in=OPEN_JOBS)
    if project_id is not None:
        jobs = jobs.filter(project_id=project_id)
    return int(jobs.aggregate(pages=Sum(Coalesce("page_count", 1)))["pages"] or 0)


def find_job(*, project: Project, job_id: str) -> ParseJob:
    """Return the project's job. Raise JobNotFound for an unknown id and for a job of another project alike."""
    job = ParseJob.objects.filter(project=project, pk=job_id).first()
    if job is None:
        raise JobNotFound
    return job


def find_repeated_job(
    *,
    project: Project,
    name: str,
    sha256: str,
    tier: str,
    target_pages: str,
    max_pages: int | None,
    options: dict[str, Any],
    waited: timedelta,
) -> ParseJob | None:
    """Return the job that an earlier, equal request created and whose result it did not get; None if there is none.

    That job is open, or it took longer than the request ``waited``. Only the last hour counts.
    """
    unread = Q(state__in=OPEN_JOBS) | Q(
        state__in=(JobState.SUCCEEDED, JobState.PARTIAL), finished_at__gt=F("created_at") + waited
    )
    same = ParseJob.objects.filter(
        unread,
        project=project,
        created_at__gte=timezone.now() - timedelta(hours=1),
        document_name=name,
        document__sha256=sha256,
        tier=tier,
        target_pages=target_pages,
        max_pages=max_pages,
        options=options,
        password_sealed="",
    )
    return same.order_by("-created_at").first()


def find_job_of_link(job_id: str) -> ParseJob | None:
    """Return the job that a signed link names, of whatever project; None if it was deleted."""
    return ParseJob.objects.filter(pk=job_id).first()


def list_jobs(
    *,
    project: Project,
    states: Collection[str] | None = None,
    job_ids: Collection[str] | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
    kind: JobKind = JobKind.PARSE,
) -> QuerySet[ParseJob]:
    """Return the project's jobs of this kind, newest first."""
    jobs = ParseJob.objects.filter(project=project, kind=kind)
    if states is not None:
        jobs = jobs.filter(state__in=states)
    if job_ids is not None:
        jobs = jobs.filter(pk__in=job_ids)
    if created_from is not None:
        jobs = jobs.filter(created_at__gte=created_from)
    if created_until is not None:
        jobs = jobs.filter(created_at__lte=created_until)
    return jobs.order_by("-created_at", "-id")


def list_batches(
    *,
    project: Project,
    status: BatchStatus | None = None,
    directory_id: str | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
) -> QuerySet[JobBatch]:
    """Return the project's batches with these values; omitted filters are ignored."""
    jobs = JobBatchFile.objects.filter(batch=OuterRef("pk"), job__isnull=False)
    rows = JobBatch.objects.filter(project=project)
    if directory_id is not None:
        rows = rows.filter(directory_id=directory_id)
    if created_from is not None:
        rows = rows.filter(created_at__gte=created_from)
    if created_until is not None:
        rows = rows.filter(created_at__lte=created_until)
    if status is not None:
        is_open = Exists(jobs.filter(job__state__in=OPEN_JOBS))
        has_begun = Exists(jobs.exclude(job__state=JobState.PENDING))
        conditions = {
            BatchStatus.PENDING: Q(is_open, ~Q(has_begun)),
            BatchStatus.RUNNING: Q(is_open, has_begun),
            BatchStatus.CANCELLED: Q(~Q(is_open), cancelled_at__isnull=False),
            BatchStatus.COMPLETED: Q(~Q(is_open), cancelled_at=None),
        }
        rows = rows.filter(conditions[status])
    return rows


def batch_counts(batch_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Return the number of jobs by state of each batch, without jobs that were removed."""
    counts: dict[str, dict[str, int]] = {}
    rows = JobBatchFile.objects.filter(batch_id__in=batch_ids, job__isnull=False).values_list("batch_id", "job__state")
    for batch_id, state, count in rows.annotate(Count("pk")).order_by():
        counts.setdefault(batch_id, {})[str(state)] = count
    return counts


def batch_status(batch: JobBatch, counts: Mapping[str, int]) -> BatchStatus:
    """Return the status of a batch from the number of its jobs by state."""
    if any(counts.get(state) for state in OPEN_JOBS):
        return BatchStatus.RUNNING if counts.keys() - {JobState.PENDING} else BatchStatus.PENDING
    return BatchStatus.CANCELLED if batch.cancelled_at else BatchStatus.COMPLETED


def newest_result_of(document_id: str) -> ParseJob | None:
    """Return the job of the document that ended last with a result; None if none has one."""
    with_result = ParseJob.objects.filter(document_id=document_id).exclude(result_folder="")
    return with_result.order_by("-finished_at", "-pk").first()


def pages_by_arrival(*, since: datetime) -> Iterator[tuple[datetime, int]]:
    """Yield the arrival and the page count of each job since then, without jobs whose pages are not counted yet."""
    jobs = ParseJob.objects.filter(created_at__gte=since, page_count__isnull=False)
    for created_at, pages in jobs.values_list("created_at", "page_count").iterator(chunk_size=5000):
        yield created_at, pages or 0


def list_pages(job_id: str) -> QuerySet[JobPage]:
    """Return the job's pages, in no order yet."""
    return JobPage.objects.filter(job_id=job_id)


def attempts_at_page(job_id: str, number: int) -> list[PageAttempt]:
    """Return the attempts at steps that contain the page, the newest last, at most ``MAX_ATTEMPTS_OF_PAGE``."""
    attempts = PageAttempt.objects.filter(job_id=job_id, first_page__lte=number, last_page__gte=number)
    return list(attempts.order_by("-pk")[:MAX_ATTEMPTS_OF_PAGE])[::-1]


def page_counts(job_id: str) -> dict[str, int]:
    """Return the number of the job's pages by state, without empty states."""
    rows = JobPage.objects.filter(job_id=job_id).values_list("state").annotate(Count("id")).order_by()
    return dict(rows)


def auto_mode_pages(job_id: str) -> int:
    """Return the number of the job's pages whose mode a rule of auto mode chose."""
    return JobPage.objects.filter(job_id=job_id, facts__has_key="rule").count()


def is_cache_hit(job_id: str) -> bool:
    """Return whether the answers of all pages that were to go to a model, at least one, came from the cache."""
    asked = JobPage.objects.filter(job_id=job_id).exclude(mode__in=("", FAST)).exclude(facts__has_key="empty")
    counts = asked.aggregate(pages=Count("pk"), hits=Count("pk", filter=Q(facts__cache="hit")))
    return bool(0 < counts["pages"] == counts["hits"])


def open_result(job: ParseJob, name: str) -> BinaryIO | None:
    """Open a file of the accepted result (``text.json``, ``markdown.md``...). Return None if there is none.

    Raise ResultMissing if an ended job has lost a file that every result has.
    """
    return _of_result(job, name, storage.open_for_reading)


def pdf_document(job: ParseJob) -> tuple[int, BinaryIO] | None:
    """Return size and bytes of the document as a PDF: as it was uploaded, converted or printed.

    Return None if there is none, or if the document was deleted. Raise DocumentMissing if its bytes are gone.
    """
    if job.document is None:
        return None
    if job.pdf_key:
        content = storage.open_document(job.pdf_key)
        return storage.size(job.pdf_key), content
    if job.read_type != PDF:
        return None
    return job.document.size_bytes, storage.open_original(job.document.pk)


def result_size(job: ParseJob, name: str) -> int | None:
    """Return the size in bytes of a file of the accepted result; None if there is none. Raise as ``open_result``."""
    return _of_result(job, name, storage.size)


def _of_result(job: ParseJob, name: str, read: Callable[[str], Read]) -> Read | None:
    if not job.result_folder:
        return None
    key = f"{job.result_folder}/{name}"
    try:
        return read(key)
    except FileNotFoundError as error:
        if name not in OUTPUTS or not job.has_ended:
            return None
        if not ParseJob.objects.filter(pk=job.pk).exists():
            raise JobNotFound from error
        logger.exception("%s is missing from storage; its job can be assembled again", key)
        raise ResultMissing from error


def has_lost_result(job: ParseJob) -> bool:
    """Return whether a file that every result has is missing from storage."""
    return any(not storage.exists(f"{job.result_folder}/{name}") for name in OUTPUTS if job.result_folder)


@dataclass(frozen=True)
class OpenSteps:
    """Open steps of one stage of a job in one queue: sent to the broker, and waiting to be sent."""

    queue: str
    sent: int
    unsent: int


def open_steps(*, job_id: str, stage: Stage) -> list[OpenSteps]:
    """Return the open steps of a stage by queue; an empty list if none is open."""
    rows = (
        Step.objects.filter(job_id=job_id, stage=stage, state__in=OPEN_STEPS)
        .values_list("queue")
        .annotate(sent=Count("id", filter=Q(sent_at__isnull=False)), unsent=Count("id", filter=Q(sent_at=None)))
        .order_by()
    )
    return [OpenSteps(*row) for row in rows]


def sent_by_job(*, queue: str, project_id: UUID) -> dict[str, int]:
    """Return the number of the project's open steps that were sent to the queue, by job.

    Snoozed steps count too: they become due again, and sending others in their place would gain nothing.
    """
    in_window = Q(sent_at__isnull=False) | Q(not_before__gt=Now())
    rows = (
        Step.objects.filter(in_window, queue=queue, project_id=project_id, state__in=OPEN_STEPS)
        .values_list("job_id")
        .annotate(Count("id"))
        .order_by()
    )
    return dict(rows)


def jobs_that_may_start(project_id: UUID) -> int | None:
    """Return how many more jobs of the project may start now; None means no limit."""
    limit = ProjectQuota.objects.filter(project_id=project_id).values_list("concurrent_jobs", flat=True).first()
    if limit is None:
        return None
    running = ParseJob.objects.filter(project_id=project_id, state=JobState.RUNNING).count()
    starting = Step.objects.filter(
        project_id=project_id,
        stage=Stage.SPLIT,
        state=StepState.PENDING,
        sent_at__isnull=False,
        job__state=JobState.PENDING,
    ).count()
    return max(0, limit - running - starting)


def has_priorities(project_id: UUID) -> bool:
    """Return whether an open job of the project has a priority."""
    return ParseJob.objects.filter(~Q(priority=0), project_id=project_id, state__in=OPEN_JOBS).exists()


def pauses() -> list[Pause]:
    """Return the pauses, the oldest first."""
    return list(Pause.objects.order_by("since", "name"))


@dataclass(frozen=True)
class WorkersOfQueue:
    """How many workers consume a queue, and how many of its messages they process at once, all together."""

    workers: int = 0
    width: int = 0


def live_workers() -> dict[str, WorkersOfQueue]:
    """Return the queues that have live workers."""
    live: Any = Worker.objects.filter(stopped_at=None, seen_at__gte=Now() - WORKER_TIMEOUT).order_by()
    found: dict[str, WorkersOfQueue] = {}
    for queues, alike in live.values_list("queues").annotate(Count("pk")):
        for queue, width in queues.items():
            before = found.get(queue, WorkersOfQueue())
            found[queue] = WorkersOfQueue(before.workers + alike, before.width + alike * width)
    return found


def workers_not_confined() -> int:
    """Return the number of live workers whose readers a document could leave. See ``Worker.reader_escapes``."""
    live: Any = Worker.objects.filter(stopped_at=None, seen_at__gte=Now() - WORKER_TIMEOUT)
    return int(live.exclude(reader_escapes=None).exclude(reader_escapes=[]).count())


def seconds_per_unit() -> dict[str, float]:
    """Return by queue the mean seconds per page, or per message of a whole job, of the newest attempts."""
    queue = Subquery(Step.objects.filter(pk=OuterRef("step_id")).values("queue"))
    newest = (
        PageAttempt.objects.filter(outcome=AttemptOutcome.ACCEPTED, ended_at__isnull=False)
        .order_by("-pk")
        .values_list(queue, "started_at", "ended_at", "first_page", "last_page")[:RECENT_ATTEMPTS]
    )
    seconds: dict[str, timedelta] = defaultdict(timedelta)
    units: dict[str, int] = defaultdict(int)
    for name, started_at, ended_at, first, last in newest:
        if name and ended_at:
            seconds[name] += ended_at - started_at
            units[name] += last - first + 1
    return {name: total.total_seconds() / units[name] for name, total in seconds.items()}


def overdue_jobs() -> QuerySet[ParseJob]:
    """Return expired jobs that are not removed yet."""
    return ParseJob.objects.filter(expires_at__lte=Now(), state__in=ENDED_JOBS)


def overdue_seconds() -> float:
    """Return how long ago the oldest expired job, or the bytes of a removed one, should have been removed."""
    first = overdue_jobs().order_by("expires_at").values_list("expires_at", flat=True).first()
    of_jobs = (timezone.now() - first).total_seconds() if first else 0.0
    return max(of_jobs, documents.removals_overdue_seconds())


def documents_expire_at(document_ids: Collection[str]) -> dict[str, datetime]:
    """Return when each document expires together with its jobs, without documents that a job keeps for ever."""
    rows = (
        ParseJob.objects.filter(document_id__in=document_ids, document__kept_as_file=False)
        .values_list("document_id")
        .annotate(last=Max("expires_at"), kept=Count("pk", filter=Q(expires_at=None) | Q(state__in=OPEN_JOBS)))
        .order_by()
    )
    return {str(document_id): last for document_id, last, kept in rows if last and not kept}


def removed_jobs() -> dict[str, int]:
    """Return how many jobs have ever been removed, by reason."""
    return dict(RemovedJobs.objects.values_list("why", "jobs"))


def page_rows(job_id: str) -> Iterator[JobPage]:
    """Yield the job's pages in order, in chunks."""
    return JobPage.objects.filter(job_id=job_id).order_by("number").iterator(chunk_size=500)


def page_ranges(numbers: Collection[int], *, max_pages: int) -> list[tuple[int, int]]:
    """Cut page numbers into ranges (first, last) without gaps, none longer than ``max_pages``."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1 and number - ranges[-1][0] < max_pages:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
