"""The states of jobs, pages and steps, and the moves between them. Plain Python.

job    pending -> running -> succeeded | partial | failed           pending, running -> cancelled
page   pending -> running (<-> waiting) -> succeeded | failed       any open state   -> cancelled
       running -> pending (next step, or the worker was lost)
step   pending -> running -> succeeded | failed                     pending, running -> cancelled
       running -> pending (sent again), running -> split (sent again in halves)
retry  job succeeded | partial | failed -> running, page succeeded | failed -> pending
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PageState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """``SPLIT``: its worker was lost and two halves do its work now."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SPLIT = "split"


class Stage(StrEnum):
    """Where a job is on its road; a step's kind is the stage it belongs to."""

    SPLIT = "split"
    EXTRACT = "extract"
    PLAN = "plan"
    RECOGNIZE = "recognize"
    ROUTE = "route"
    MODEL = "model"
    ASSEMBLE = "assemble"
    DONE = "done"


NEXT_STAGE = {Stage.EXTRACT: Stage.PLAN, Stage.RECOGNIZE: Stage.ROUTE, Stage.MODEL: Stage.ASSEMBLE}
"""Stages of work on pages, and what comes when nothing of one is open any more. Where no page needs a model, routing
is passed over."""
OPEN_JOBS = frozenset({JobState.PENDING, JobState.RUNNING})
ENDED_JOBS = frozenset(JobState) - OPEN_JOBS
RETRYABLE_JOBS = frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED})
OPEN_PAGES = frozenset({PageState.PENDING, PageState.RUNNING, PageState.WAITING})
OPEN_STEPS = frozenset({StepState.PENDING, StepState.RUNNING})

JOB_SOURCES: dict[JobState, frozenset[JobState]] = {
    JobState.RUNNING: frozenset({JobState.PENDING}) | RETRYABLE_JOBS,
    JobState.SUCCEEDED: frozenset({JobState.RUNNING}),
    JobState.PARTIAL: frozenset({JobState.RUNNING}),
    JobState.FAILED: OPEN_JOBS,
    JobState.CANCELLED: OPEN_JOBS,
}
"""A job moves to the key from any of the values."""

PAGE_SOURCES: dict[PageState, frozenset[PageState]] = {
    PageState.PENDING: frozenset({PageState.RUNNING, PageState.SUCCEEDED, PageState.FAILED}),
    PageState.RUNNING: frozenset({PageState.PENDING, PageState.WAITING}),
    PageState.WAITING: frozenset({PageState.RUNNING}),
    PageState.SUCCEEDED: frozenset({PageState.RUNNING}),
    PageState.FAILED: OPEN_PAGES,
    PageState.CANCELLED: OPEN_PAGES,
}
"""A page moves to the key from any of the values."""


def job_outcome(*, good_pages: int, failed_pages: int) -> JobState:
    """How a job ends whose pages are all settled."""
    if failed_pages == 0:
        return JobState.SUCCEEDED
    return JobState.PARTIAL if good_pages else JobState.FAILED
