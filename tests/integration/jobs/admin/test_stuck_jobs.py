"""The filter for stuck jobs in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from apps.jobs.models import PageAttempt, ParseJob, Step
from apps.jobs.scheduling import pauses
from apps.jobs.states import JobState, Stage
from tests.integration.jobs.admin.conftest import JOBS
from tests.integration.jobs.conftest import Submit, run, run_to


def stuck(admin: Client) -> set[str]:
    page = admin.get(f"{JOBS}?stuck=yes").content.decode()
    return {job.pk for job in ParseJob.objects.all() if job.pk in page}


def without_progress(job: ParseJob) -> ParseJob:
    """Set the job's times as if it had made no progress for an hour."""
    long_ago = timezone.now() - timedelta(hours=1)
    ParseJob.objects.filter(pk=job.pk).update(created_at=long_ago, updated_at=long_ago)
    Step.objects.filter(job=job).update(begun_at=long_ago)
    PageAttempt.objects.filter(job=job).update(started_at=long_ago, ended_at=long_ago)
    return job


def test_a_job_without_progress_is_stuck(admin: Client, submit: Submit) -> None:
    job, fresh = without_progress(run_to(submit(pages=10), Stage.EXTRACT)), submit(pages=1)
    without_progress(run(submit(pages=1)))

    assert stuck(admin) == {job.pk}
    assert fresh.state == JobState.PENDING


def test_a_job_past_its_deadline_is_stuck(admin: Client, submit: Submit) -> None:
    job = submit(pages=1)
    ParseJob.objects.filter(pk=job.pk).update(deadline_at=timezone.now() - timedelta(minutes=1))

    assert stuck(admin) == {job.pk}


@pytest.mark.parametrize(
    "wait",
    [
        {"not_before": Now() + timedelta(minutes=5)},
        {"outage_since": Now() - timedelta(minutes=30)},
        {"state": "running", "lease_expires_at": Now() + timedelta(seconds=20)},
    ],
)
def test_a_job_that_waits_or_works_is_not_stuck(admin: Client, submit: Submit, wait: dict[str, Any]) -> None:
    job = without_progress(run_to(submit(pages=3), Stage.EXTRACT))
    Step.objects.filter(job=job, stage=Stage.EXTRACT).update(**wait)

    assert stuck(admin) == set()


def test_a_job_in_a_queue_that_processes_other_jobs_is_not_stuck(admin: Client, submit: Submit) -> None:
    without_progress(run_to(submit(pages=3), Stage.EXTRACT))
    run(submit(pages=3))

    assert stuck(admin) == set()


def test_a_job_in_a_paused_queue_is_not_stuck(admin: Client, submit: Submit) -> None:
    without_progress(run_to(submit(pages=3), Stage.EXTRACT))
    pauses.pause(name="parse_raw_file_job_pages", by="tester")

    assert stuck(admin) == set()
