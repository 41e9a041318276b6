"""Every read about jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import Project, ProjectQuota
from apps.documents import services as documents
from apps.documents import storage
from apps.jobs.errors import JobNotFound
from apps.jobs.models import JobPage, ParseJob, Pause, RemovedJobs, Step, Worker
from apps.jobs.states import ENDED_JOBS, OPEN_JOBS, OPEN_STEPS, JobState, Stage, StepState

# A worker that was not heard of for so long is gone.
WORKER_TIMEOUT = timedelta(seconds=45)


def find_job(*, project: Project, job_id: str) -> ParseJob:
    """The project's job; JobNotFound for an unknown id and for another project's alike."""
    job = ParseJob.objects.filter(project=project, pk=job_id).first()
    if job is None:
        raise JobNotFound
    return job


def list_jobs(
    *,
    project: Project,
    states: Collection[str] | None = None,
    job_ids: Collection[str] | None = None,
    created_from: datetime | None = None,
    created_until: datetime | None = None,
) -> QuerySet[ParseJob]:
    """The project's jobs, newest first."""
    jobs = ParseJob.objects.filter(project=project)
    if states is not None:
        jobs = jobs.filter(state__in=states)
    if job_ids is not None:
        jobs = jobs.filter(pk__in=job_ids)
    if created_from is not None:
        jobs = jobs.filter(created_at__gte=created_from)
    if created_until is not None:
        jobs = jobs.filter(created_at__lte=created_until)
    return jobs.order_by("-created_at", "-id")


def pages_by_arrival(*, since: datetime) -> Iterator[tuple[datetime, int]]:
    """When each job that came since then came, and its pages; jobs whose pages nobody counted are left out."""
    jobs = ParseJob.objects.filter(created_at__gte=since, page_count__isnull=False)
    for came_at, pages in jobs.values_list("created_at", "page_count").iterator(chunk_size=5000):
        yield came_at, pages or 0


def page_counts(job_id: str) -> dict[str, int]:
    """How many pages of the job are in each state; states without pages are left out."""
    rows = JobPage.objects.filter(job_id=job_id).values_list("state").annotate(Count("id")).order_by()
    return dict(rows)


def open_result(job: ParseJob, name: str) -> BinaryIO | None:
    """The accepted result's file of this name (``text.json``, ``markdown.md``...); None when there is none."""
    if not job.result_folder:
        return None
    try:
        return storage.open_for_reading(f"{job.result_folder}/{name}")
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class OpenSteps:
    """The open steps of one stage of a job in one queue: in the broker or a worker, and rows that wait to be sent."""

    queue: str
    sent: int
    unsent: int


def open_steps(*, job_id: str, stage: Stage) -> list[OpenSteps]:
    """By queue; none when nothing of the stage is open."""
    rows = (
        Step.objects.filter(job_id=job_id, stage=stage, state__in=OPEN_STEPS)
        .values_list("queue")
        .annotate(sent=Count("id", filter=Q(sent_at__isnull=False)), unsent=Count("id", filter=Q(sent_at=None)))
        .order_by()
    )
    return [OpenSteps(*row) for row in rows]


def sent_by_job(*, queue: str, project_id: UUID) -> dict[str, int]:
    """Messages of the project that were sent to the queue and are not settled, counted by job.

    Those that were put off for a moment count too: they come back, and until then nobody gains by more of them.
    """
    in_window = Q(sent_at__isnull=False) | Q(not_before__gt=Now())
    rows = (
        Step.objects.filter(in_window, queue=queue, project_id=project_id, state__in=OPEN_STEPS)
        .values_list("job_id")
        .annotate(Count("id"))
        .order_by()
    )
    return dict(rows)


def jobs_that_may_begin(project_id: UUID) -> int | None:
    """How many more jobs of the project may run now; None: as many as there are."""
    limit = ProjectQuota.objects.filter(project_id=project_id).values_list("concurrent_jobs", flat=True).first()
    if limit is None:
        return None
    running = ParseJob.objects.filter(project_id=project_id, state=JobState.RUNNING).count()
    about_to = Step.objects.filter(
        project_id=project_id, stage=Stage.SPLIT, state=StepState.PENDING, sent_at__isnull=False
    ).count()
    return max(0, limit - running - about_to)


def has_priorities(project_id: UUID) -> bool:
    """Whether some open job of the project goes before or after its others."""
    return ParseJob.objects.filter(~Q(priority=0), project_id=project_id, state__in=OPEN_JOBS).exists()


def pauses() -> list[Pause]:
    """What is paused, the longest first."""
    return list(Pause.objects.order_by("since", "name"))


@dataclass(frozen=True)
class WorkersOfQueue:
    """How many take from a queue, and how much of it they do at once, all together."""

    workers: int = 0
    width: int = 0


def live_workers() -> dict[str, WorkersOfQueue]:
    """The queues that somebody takes from."""
    there: Any = Worker.objects.filter(stopped_at=None, seen_at__gte=Now() - WORKER_TIMEOUT).order_by()
    found: dict[str, WorkersOfQueue] = {}
    for queues, alike in there.values_list("queues").annotate(Count("pk")):
        for queue, width in queues.items():
            before = found.get(queue, WorkersOfQueue())
            found[queue] = WorkersOfQueue(before.workers + alike, before.width + alike * width)
    return found


def overdue_jobs() -> QuerySet[ParseJob]:
    """Ended jobs whose time is over and that are still there."""
    return ParseJob.objects.filter(expires_at__lte=Now(), state__in=ENDED_JOBS)


def overdue_seconds() -> float:
    """How long the first job, or the first bytes of a removed one, have been there beyond their time; 0 without any."""
    first = overdue_jobs().order_by("expires_at").values_list("expires_at", flat=True).first()
    of_jobs = (timezone.now() - first).total_seconds() if first else 0.0
    return max(of_jobs, documents.removals_overdue_seconds())


def documents_expire_at(document_ids: Collection[str]) -> dict[str, datetime]:
    """When each document goes that goes with its jobs; without those that one of their jobs may keep for longer."""
    rows = (
        ParseJob.objects.filter(document_id__in=document_ids, document__kept_as_file=False)
        .values_list("document_id")
        .annotate(last=Max("expires_at"), kept=Count("pk", filter=Q(expires_at=None) | Q(state__in=OPEN_JOBS)))
        .order_by()
    )
    return {str(document_id): last for document_id, last, kept in rows if last and not kept}


def removed_jobs() -> dict[str, int]:
    """How many jobs were removed since the beginning, by why."""
    return dict(RemovedJobs.objects.values_list("why", "jobs"))


def page_rows(job_id: str) -> Iterator[JobPage]:
    """The job's pages in order, a few at a time."""
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
