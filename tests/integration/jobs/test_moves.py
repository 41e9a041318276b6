"""The tables of moves, on a real database: the rows that a move changes, and the effect on their columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings

from apps.jobs.models import JobPage, ParseJob, Step
from apps.jobs.scheduling.moves import COLUMNS, move_jobs, move_pages, move_steps
from apps.jobs.states import JobState, PageState, Stage, StepMove, StepState
from tests.integration.jobs.conftest import Submit

PENDING, RUNNING = StepState.PENDING, StepState.RUNNING
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2036, 1, 1, tzinfo=UTC)
FILLED: dict[str, Any] = {
    **dict.fromkeys(("sent_at", "begun_at", "lease_expires_at", "not_before", "outage_since"), BEFORE),
    "needs_micros": 5,
    "window": "old",
    "image": "old.png",
    "queue": "ocr_gpu",
    "fence": 5,
    "starts": 2,
}
UNSENT = {"sent_at": None, "window": ""}
BACK = {**UNSENT, "begun_at": None, "lease_expires_at": None, "image": "", "fence": 6}
ENDED = {"lease_expires_at": None}
BEGUN = {"begun_at": "now", "lease_expires_at": "lease", "starts": 3}
# The move, its source states, its target, the columns that the caller gives, the changes in the row afterwards.
MOVES: list[tuple[StepMove, set[StepState], StepState, dict[str, Any], dict[str, Any]]] = [
    (StepMove.SEND, {PENDING}, PENDING, {"window": "new"}, {"sent_at": "now"}),
    (StepMove.UNSEND, {PENDING}, PENDING, {}, UNSENT),
    (StepMove.POSTPONE, {PENDING}, PENDING, {"not_before": LATER}, UNSENT),
    (StepMove.RESEND, {PENDING}, PENDING, {"window": "new"}, {"sent_at": "now", "image": ""}),
    (StepMove.CHANGE_QUEUE, {PENDING}, PENDING, {"queue": "ocr_cpu"}, {**UNSENT, "image": "", "fence": 6}),
    (StepMove.REPLACE_BY_PAGES, {PENDING}, StepState.SPLIT, {}, {}),
    (StepMove.CLAIM, {PENDING}, RUNNING, {}, {**BEGUN, "fence": 6, "needs_micros": None}),
    (StepMove.CLAIM_FOR_OCR, {PENDING}, RUNNING, {}, BEGUN),
    (StepMove.COMPLETE, {RUNNING}, StepState.SUCCEEDED, {}, ENDED),
    (StepMove.FAIL, {RUNNING}, StepState.FAILED, {}, ENDED),
    (
        *(StepMove.WAIT_FOR_OCR, {RUNNING}, PENDING, {"image": "new.png"}),
        {"sent_at": "now", "begun_at": None, "lease_expires_at": None, "starts": 1},
    ),
    (StepMove.RETRY, {RUNNING}, PENDING, {"not_before": LATER}, BACK),
    (StepMove.SNOOZE, {RUNNING}, PENDING, {"not_before": LATER, "outage_since": LATER}, {**BACK, "starts": 1}),
    (StepMove.RECLAIM, {RUNNING}, PENDING, {}, BACK),
    (StepMove.RECLAIM_IN_HALVES, {RUNNING}, StepState.SPLIT, {}, {**ENDED, "fence": 6}),
    (StepMove.DISCARD, {RUNNING}, StepState.FAILED, {}, {**ENDED, "fence": 6}),
    (StepMove.EXPIRE, {PENDING, RUNNING}, StepState.FAILED, {}, {**ENDED, "fence": 6}),
    (StepMove.CANCEL, {PENDING, RUNNING}, StepState.CANCELLED, {}, {**ENDED, "fence": 6}),
]


def rows(job: ParseJob, **columns: Any) -> dict[StepState, Step]:
    """Create a step in each state."""
    facts = {"job": job, "project_id": job.project_id, "stage": Stage.RECOGNIZE, **columns}
    return {state: Step.objects.create(state=state, **facts) for state in StepState}


def test_every_move_is_tested() -> None:
    assert [move for move, *_ in MOVES] == list(StepMove)


@pytest.mark.parametrize(("move", "sources", "target", "given", "expected"), MOVES)
def test_a_move_changes_only_rows_in_its_source_states(
    submit: Submit,
    move: StepMove,
    sources: set[StepState],
    target: StepState,
    given: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    steps = rows(submit(pages=1), **FILLED)

    for before, step in steps.items():
        assert move_steps(Step.objects.filter(pk=step.pk), move, **given) == int(before in sources)

        step.refresh_from_db()
        if before not in sources:
            assert (step.state, step.fence, step.starts) == (before, 5, 2)
            continue
        assert step.state == target
        for column, value in (FILLED | given | expected).items():
            found = getattr(step, column)
            if value in ("now", "lease"):
                seconds = (found - datetime.now(UTC)).total_seconds()
                assert abs(seconds - (settings.LEASE.total_seconds() if value == "lease" else 0)) < 10, column
            else:
                assert found == value, column


def test_claiming_an_unsent_row_sets_sent_at(submit: Submit) -> None:
    step = rows(submit(pages=1))[PENDING]

    move_steps(Step.objects.filter(pk=step.pk), StepMove.CLAIM)

    step.refresh_from_db()
    assert step.sent_at == step.begun_at is not None


@pytest.mark.parametrize("given", [{}, {"not_before": LATER, "image": "x"}])
def test_a_move_accepts_exactly_the_columns_that_it_needs(submit: Submit, given: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        move_steps(Step.objects.all(), StepMove.RETRY, **given)


def test_the_columns_of_moves_exist_in_the_table() -> None:
    assert set(COLUMNS) <= {field.attname for field in Step._meta.concrete_fields}


def test_ended_pages_are_not_cancelled(submit: Submit) -> None:
    job = submit(pages=1)
    numbers = {state: number for number, state in enumerate(PageState, 1)}
    JobPage.objects.bulk_create(JobPage(job=job, number=number, state=state) for state, number in numbers.items())

    assert move_pages(JobPage.objects.filter(job=job), PageState.CANCELLED) == 3

    cancelled = JobPage.objects.filter(job=job, state=PageState.CANCELLED).values_list("number", flat=True)
    expected = {PageState.PENDING, PageState.RUNNING, PageState.WAITING, PageState.CANCELLED}
    assert set(cancelled) == {numbers[state] for state in expected}


@pytest.mark.parametrize(("state", "moved"), [(JobState.RUNNING, 1), (JobState.CANCELLED, 0), (JobState.PENDING, 0)])
def test_only_a_running_job_succeeds(submit: Submit, state: JobState, moved: int) -> None:
    job = submit(pages=1)
    ParseJob.objects.filter(pk=job.pk).update(state=state)

    assert move_jobs(ParseJob.objects.filter(pk=job.pk), JobState.SUCCEEDED) == moved
