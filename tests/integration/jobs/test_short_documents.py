"""A short document is read and assembled by the process that opens it, with the same guarantees as a long one."""

from __future__ import annotations

from typing import Any

import pytest

from apps.jobs import queries
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import ParseJob
from apps.jobs.scheduling import claims
from apps.jobs.scheduling.claims import reclaim_from_lost_worker
from apps.jobs.states import JobState, PageState, Stage
from tests.integration.jobs.conftest import Submit, deliver, open_steps, run


@pytest.fixture
def _short_documents_in_one_task(settings: Any) -> None:
    settings.SHORT_ROAD_PAGES = 16


def markdown(job: ParseJob) -> bytes:
    source = queries.open_result(job, "markdown.md")
    assert source is not None
    with source:
        return source.read()


@pytest.mark.usefixtures("_short_documents_in_one_task")
def test_one_message_parses_a_short_document_with_the_same_result_as_ranges(submit: Submit, settings: Any) -> None:
    job = submit(pages=3)
    deliver(open_steps(job)[0])
    job.refresh_from_db()

    assert job.state == JobState.SUCCEEDED
    assert queries.page_counts(job.pk) == {PageState.SUCCEEDED: 3}
    assert job.page_count == 3
    settings.SHORT_ROAD_PAGES = 0
    assert markdown(job) == markdown(run(submit(pages=3)))


@pytest.mark.usefixtures("_short_documents_in_one_task")
def test_a_second_start_extracts_in_ranges(submit: Submit) -> None:
    job = submit(pages=3)
    (split,) = open_steps(job)
    claims.start_attempt(step_id=split.pk, fence=split.fence)
    reclaim_from_lost_worker(step_id=split.pk, fence=split.fence)

    deliver(open_steps(job)[0])

    assert [step.stage for step in open_steps(job)] == [Stage.EXTRACT]
    assert run(job).state == JobState.SUCCEEDED


@pytest.mark.usefixtures("_short_documents_in_one_task")
def test_a_cancelled_short_document_gets_no_result(submit: Submit) -> None:
    job = submit(pages=3)
    (split,) = open_steps(job)
    cancel_job(job=job)

    deliver(split)

    job.refresh_from_db()
    assert (job.state, job.result_folder) == (JobState.CANCELLED, "")
