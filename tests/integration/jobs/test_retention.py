"""The retention time of jobs: by the setting, by their project, or set by a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Project
from apps.jobs import queries
from apps.jobs.commands import clean_up
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import ParseJob
from apps.jobs.scheduling import retention
from tests.integration.jobs.conftest import Submit, ended_days_ago, exists, run

DAY = timedelta(days=1)


def kept_for(job: ParseJob) -> timedelta | None:
    job.refresh_from_db()
    assert job.finished_at is not None
    return job.expires_at - job.finished_at if job.expires_at else None


def test_a_job_is_kept_for_the_days_of_the_setting(submit: Submit, settings: Any) -> None:
    assert kept_for(run(submit(pages=1))) == 30 * DAY

    settings.CLEANUP_PARSE_V2_RETENTION_DAYS = 7
    cancelled = cancel_job(job=submit(pages=1))
    assert kept_for(cancelled) == 7 * DAY
    assert kept_for(run(submit(b"no\0document"))) == 7 * DAY


@pytest.mark.parametrize("days", [0, -1])
def test_zero_or_negative_days_keep_jobs_for_ever(submit: Submit, settings: Any, days: int) -> None:
    settings.CLEANUP_PARSE_V2_RETENTION_DAYS = days
    job = ended_days_ago(run(submit(pages=1)), days=10_000)

    assert clean_up.clean_up() == 0
    assert kept_for(job) is None


@pytest.mark.parametrize(("own", "kept"), [(3, 3 * DAY), (90, 90 * DAY), (0, None), (None, 30 * DAY)])
def test_a_project_can_have_its_own_days(submit: Submit, own: int | None, kept: timedelta | None) -> None:
    assert kept_for(run(submit(pages=1, owner=Project.objects.create(name="own", retention_days=own)))) == kept


def test_changed_days_apply_to_jobs_that_have_ended(submit: Submit, project: Project, settings: Any) -> None:
    ten, forty = ended_days_ago(run(submit(pages=1)), days=10), ended_days_ago(run(submit(pages=1)), days=40)
    settings.CLEANUP_PARSE_V2_RETENTION_DAYS = 50
    assert clean_up.clean_up() == 0

    Project.objects.filter(pk=project.pk).update(retention_days=20)
    assert clean_up.clean_up() == 1

    assert (exists(ten), exists(forty)) == (True, False)
    assert kept_for(ten) == 20 * DAY


def test_more_days_keep_a_job_that_had_expired(submit: Submit, project: Project) -> None:
    job = ended_days_ago(run(submit(pages=1)), days=31)
    retention.update_expiry()
    assert queries.overdue_seconds() > 0

    Project.objects.filter(pk=project.pk).update(retention_days=365)

    assert clean_up.clean_up() == 0
    assert exists(job)
    assert queries.overdue_seconds() == 0


def test_an_expiry_set_by_a_person_overrides_the_days(submit: Submit, settings: Any) -> None:
    for_ever, tomorrow, yesterday = (ended_days_ago(run(submit(pages=1))) for _ in range(3))
    retention.keep_jobs(job_ids=[for_ever.pk], until=None)
    retention.keep_jobs(job_ids=[tomorrow.pk], until=timezone.now() + DAY)
    retention.keep_jobs(job_ids=[yesterday.pk], until=timezone.now() - DAY)
    settings.CLEANUP_PARSE_V2_RETENTION_DAYS = 1

    assert clean_up.clean_up() == 1

    assert [exists(job) for job in (for_ever, tomorrow, yesterday)] == [True, True, False]


def test_an_expiry_set_for_an_open_job_stays_when_it_ends(submit: Submit) -> None:
    job = submit(pages=1)
    moment = timezone.now() + 100 * DAY
    retention.keep_jobs(job_ids=[job.pk], until=moment)

    run(job)

    assert job.expires_at == moment
