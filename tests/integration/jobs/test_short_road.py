"""Short documents are read and assembled by the process that opens them, and are as safe as the others."""

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
def _short_road(settings: Any) -> None:
    settings.SHORT_ROAD_PAGES = 16


def markdown(job: ParseJob) -> bytes:
    source = queries.open_result(job, "markdown.md")
    assert source is not None
    with source:
        return source.read()


@pytest.mark.usefixtures("_short_road")
def test_one_message_is_enough_and_gives_what_the_long_road_gives(submit: Submit, settings: Any) -> None:
    job = submit(pages=3)
    deliver(open_steps(job)[0])
    job.refresh_from_db()

    assert job.state == JobState.SUCCEEDED
    assert queries.page_counts(job.pk) == {PageState.SUCCEEDED: 3}
    assert job.page_count == 3
    settings.SHORT_ROAD_PAGES = 0
    assert markdown(job) == markdown(run(submit(pages=3)))


@pytest.mark.usefixtures("_short_road")
def test_a_second_start_takes_the_long_road(submit: Submit) -> None:
    job = submit(pages=3)
    (split,) = open_steps(job)
    claims._claim(step_id=split.pk, fence=split.fence)
    reclaim_from_lost_worker(step_id=split.pk, fence=split.fence)

    deliver(open_steps(job)[0])

    assert [step.stage for step in open_steps(job)] == [Stage.EXTRACT]
    assert run(job).state == JobState.SUCCEEDED


@pytest.mark.usefixtures("_short_road")
def test_a_cancelled_short_job_is_not_finished(submit: Submit) -> None:
    job = submit(pages=3)
    (split,) = open_steps(job)
    cancel_job(job=job)

    deliver(split)

    job.refresh_from_db()
    assert (job.state, job.result_folder) == (JobState.CANCELLED, "")
