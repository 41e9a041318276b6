"""The only writer of states: guarded UPDATEs that read the tables in ``states``. Of two processes exactly one wins."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from apps.jobs.models import JobPage, ParseJob, Step
from apps.jobs.states import JOB_SOURCES, PAGE_SOURCES, Effect, JobState, PageState, Stage, StepMove

COLUMNS = (
    *("sent_at", "window", "begun_at", "lease_expires_at", "not_before", "image", "queue", "outage_since"),
    "needs_micros",
)
_EMPTY = {"window": "", "image": ""}


def move_jobs(jobs: QuerySet[ParseJob], target: JobState, **columns: Any) -> int:
    """Move those of ``jobs`` that may move to ``target``, and set ``columns``. Return the number of rows moved."""
    return jobs.filter(state__in=JOB_SOURCES[target]).update(state=target, updated_at=Now(), **columns)


def move_to_stage(job_id: str, stage: Stage, **columns: Any) -> int:
    """Set the stage of a running job, and ``columns``. Return 0 if it has ended."""
    running = ParseJob.objects.filter(pk=job_id, state=JobState.RUNNING)
    return running.update(stage=stage, updated_at=Now(), **columns)


def move_pages(pages: QuerySet[JobPage], target: PageState, **columns: Any) -> int:
    """Move those of ``pages`` that may move to ``target``, and set ``columns``. Return the number of rows moved."""
    return pages.filter(state__in=PAGE_SOURCES[target]).update(state=target, **columns)


def move_steps(steps: QuerySet[Step], move: StepMove, **given: Any) -> int:
    """Perform ``move`` on those of ``steps`` that it may start from. Return the number of rows moved.

    ``given`` holds exactly the columns that the table leaves to the caller.
    """
    change = move.value
    values: dict[str, Any] = {"state": change.target}
    for column in ("fence", "starts"):
        if step := getattr(change, column):
            values[column] = F(column) + step
    for column in COLUMNS:
        match getattr(change, column):
            case Effect.CLEAR:
                values[column] = _EMPTY.get(column)
            case Effect.NOW:
                values[column] = Now()
            case Effect.NOW_IF_EMPTY:
                values[column] = Coalesce(column, Now())
            case Effect.NEW_LEASE:
                values[column] = Now() + settings.LEASE
            case Effect.GIVEN:
                values[column] = given.pop(column)
    if given:
        raise TypeError(f"{move} does not set {', '.join(given)}")
    return steps.filter(state__in=change.sources).update(**values)
