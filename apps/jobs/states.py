"""The states of jobs, pages and steps, and the tables of their moves. Plain Python.

job    pending -> running -> succeeded | partial | failed           pending, running -> cancelled
page   pending -> running (<-> waiting) -> succeeded | failed       any open state   -> cancelled
       running -> pending (next step, retry, reclaim)
step   pending -> running -> succeeded | failed | split             pending, running -> cancelled
       running -> pending (retry, snooze, reclaim, wait for OCR)
retry of an ended job: job succeeded | partial | failed -> running, page succeeded | failed -> pending

``apps/jobs/scheduling/moves.py`` performs the moves; nothing else writes a state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto, unique


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
    """``SPLIT``: other rows do its work: the halves of a lost range, or the pages of a row that was sent."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SPLIT = "split"


class Stage(StrEnum):
    """The stages of a job, in order. A step belongs to one stage. After ``CONVERT`` the document is split again."""

    SPLIT = "split"
    CONVERT = "convert"
    EXTRACT = "extract"
    PLAN = "plan"
    RECOGNIZE = "recognize"
    ROUTE = "route"
    MODEL = "model"
    ANNOTATE = "annotate"
    ASSEMBLE = "assemble"
    DONE = "done"


NEXT_STAGE = {
    Stage.EXTRACT: Stage.PLAN,
    Stage.RECOGNIZE: Stage.ROUTE,
    Stage.MODEL: Stage.ANNOTATE,
    Stage.ANNOTATE: Stage.ASSEMBLE,
}
"""For each stage of work on pages, the stage that follows when no step of it is open. Routing is skipped if no page
needs a model, and annotating if the job asks for no annotation."""


class BatchStatus(StrEnum):
    """The state of a batch, which follows from its jobs. The names are LlamaCloud's."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


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
    PageState.SUCCEEDED: OPEN_PAGES,  # from pending or waiting: a page that keeps its fallback text
    PageState.FAILED: OPEN_PAGES,
    PageState.CANCELLED: OPEN_PAGES,
}
"""A page moves to the key from any of the values."""


class Effect(Enum):
    """The effect of a move on a column of the step's row."""

    KEEP = auto()
    CLEAR = auto()
    NOW = auto()
    NOW_IF_EMPTY = auto()
    NEW_LEASE = auto()
    GIVEN = auto()  # by the caller


KEEP, CLEAR, NOW, NOW_IF_EMPTY, NEW_LEASE, GIVEN = Effect


@dataclass(frozen=True)
class StepChange:
    """From any of ``sources`` to ``target``, and the effect on the other columns.

    ``fence`` and ``starts`` are added. A fence that goes up makes every message and result from before invalid. One
    that stays keeps the message valid (send, unsend, resend) or the OCR answer that is still to come.
    """

    sources: frozenset[StepState]
    target: StepState
    fence: int = 0
    starts: int = 0
    sent_at: Effect = KEEP
    window: Effect = KEEP
    begun_at: Effect = KEEP
    lease_expires_at: Effect = KEEP
    not_before: Effect = KEEP
    image: Effect = KEEP
    queue: Effect = KEEP
    outage_since: Effect = KEEP
    needs_micros: Effect = KEEP


_PENDING, _RUNNING = frozenset({StepState.PENDING}), frozenset({StepState.RUNNING})
_BACK_TO_PENDING = StepChange(
    _RUNNING,
    StepState.PENDING,
    fence=+1,
    sent_at=CLEAR,
    window=CLEAR,
    begun_at=CLEAR,
    lease_expires_at=CLEAR,
    image=CLEAR,
)


@unique
class StepMove(Enum):
    """Every move of a step."""

    SEND = StepChange(_PENDING, StepState.PENDING, sent_at=NOW, window=GIVEN)
    UNSEND = StepChange(_PENDING, StepState.PENDING, sent_at=CLEAR, window=CLEAR)
    POSTPONE = StepChange(_PENDING, StepState.PENDING, sent_at=CLEAR, window=CLEAR, not_before=GIVEN)
    RESEND = StepChange(_PENDING, StepState.PENDING, sent_at=NOW, window=GIVEN, image=CLEAR)
    CHANGE_QUEUE = StepChange(
        _PENDING, StepState.PENDING, fence=+1, sent_at=CLEAR, window=CLEAR, image=CLEAR, queue=GIVEN
    )
    REPLACE_BY_PAGES = StepChange(_PENDING, StepState.SPLIT)

    CLAIM = StepChange(
        _PENDING,
        StepState.RUNNING,
        fence=+1,
        starts=+1,
        sent_at=NOW_IF_EMPTY,
        begun_at=NOW,
        lease_expires_at=NEW_LEASE,
        needs_micros=CLEAR,
    )
    CLAIM_FOR_OCR = StepChange(_PENDING, StepState.RUNNING, starts=+1, begun_at=NOW, lease_expires_at=NEW_LEASE)

    COMPLETE = StepChange(_RUNNING, StepState.SUCCEEDED, lease_expires_at=CLEAR)
    FAIL = StepChange(_RUNNING, StepState.FAILED, lease_expires_at=CLEAR)

    WAIT_FOR_OCR = StepChange(
        _RUNNING, StepState.PENDING, starts=-1, sent_at=NOW, begun_at=CLEAR, lease_expires_at=CLEAR, image=GIVEN
    )
    RETRY = replace(_BACK_TO_PENDING, not_before=GIVEN)
    SNOOZE = replace(_BACK_TO_PENDING, starts=-1, not_before=GIVEN, outage_since=GIVEN)
    RECLAIM = _BACK_TO_PENDING
    RECLAIM_IN_HALVES = StepChange(_RUNNING, StepState.SPLIT, fence=+1, lease_expires_at=CLEAR)
    DISCARD = StepChange(_RUNNING, StepState.FAILED, fence=+1, lease_expires_at=CLEAR)

    EXPIRE = StepChange(OPEN_STEPS, StepState.FAILED, fence=+1, lease_expires_at=CLEAR)
    CANCEL = StepChange(OPEN_STEPS, StepState.CANCELLED, fence=+1, lease_expires_at=CLEAR)


def job_outcome(*, good_pages: int, failed_pages: int) -> JobState:
    """Return the state in which a job ends when all its pages have ended."""
    if failed_pages == 0:
        return JobState.SUCCEEDED
    return JobState.PARTIAL if good_pages else JobState.FAILED
