"""An outage of storage or database delays a job. It never fails one, and no attempt is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from apps.documents import storage
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling.claims import claim_step
from apps.jobs.stages.step_work import record_errors
from apps.jobs.states import JobState, Stage
from apps.pages.sandbox import client
from apps.pages.sandbox.client import Reader
from tests.integration.jobs.conftest import Submit, deliver, open_steps, run, run_to
from tests.small_disk import SmallDisk, small_disk


@pytest.fixture
def disk(tmp_path: Path, settings: Any) -> Iterator[SmallDisk]:
    """The disk that holds the storage."""
    with small_disk(tmp_path / "disk", kilobytes=2048) as disk:
        settings.STORAGES = settings.STORAGES | {
            "default": settings.STORAGES["default"] | {"OPTIONS": {"location": str(disk.path / "storage")}}
        }
        yield disk


def seconds_until_due(step: Step) -> float:
    step.refresh_from_db()
    return (step.not_before - timezone.now()).total_seconds() if step.not_before else 0.0


def make_due(job: ParseJob) -> None:
    """Let the time pass until the job's snoozed steps are due."""
    Step.objects.filter(job=job).update(not_before=None)


def assert_unharmed(job: ParseJob) -> None:
    """Assert that the job succeeds, with one attempt at everything."""
    make_due(job)
    assert run(job).state == JobState.SUCCEEDED
    assert not PageAttempt.objects.filter(job=job).exclude(outcome="accepted").exists()
    assert set(JobPage.objects.filter(job=job).values_list("attempts", flat=True)) == {1}


@pytest.mark.parametrize("stage", [Stage.SPLIT, Stage.EXTRACT, Stage.ASSEMBLE])
def test_a_full_disk_delays_each_stage_and_counts_no_attempt(
    submit: Submit, disk: SmallDisk, settings: Any, stage: Stage
) -> None:
    settings.SHORT_ROAD_PAGES = 16 if stage is Stage.SPLIT else 0
    job = run_to(submit(pages=6), stage)
    disk.fill()

    waits = []
    for _ in range(5):
        step = open_steps(job, stage)[0]
        deliver(step)
        waits.append(seconds_until_due(step))
        assert step.starts == 0
        make_due(job)
    disk.free()

    assert 0 < waits[0] < 2 < waits[-1] < 15
    assert_unharmed(job)


def test_a_read_only_disk_delays_a_job(submit: Submit, disk: SmallDisk) -> None:
    job = run_to(submit(pages=6), Stage.ASSEMBLE)
    disk.set_read_only(True)
    deliver(open_steps(job)[0])
    disk.set_read_only(False)

    assert_unharmed(job)


def test_a_storage_that_is_away_delays_a_job(submit: Submit, disk: SmallDisk) -> None:
    job = run_to(submit(pages=6), Stage.EXTRACT)
    folder, away = disk.path / "storage", disk.path / "away"
    folder.rename(away)
    deliver(open_steps(job)[0])
    away.rename(folder)

    assert_unharmed(job)


def test_a_step_whose_connection_broke_is_snoozed_on_a_new_one(submit: Submit) -> None:
    """Django replaces a broken connection only between tasks. A step that waited for that held its lease for ever."""
    job = run_to(submit(pages=2), Stage.SPLIT)
    step = open_steps(job)[0]

    with claim_step(step_id=step.pk, fence=step.fence) as claim:
        assert claim is not None
        with record_errors(claim):
            if connection.vendor == "postgresql":
                connection.connection.close()
            JobPage.objects.count()
            raise OperationalError("disk I/O error")  # SQLite has no connection that breaks

    assert seconds_until_due(step) > 0
    assert_unharmed(job)


def test_a_document_whose_bytes_are_gone_fails_its_job_at_once(submit: Submit, disk: SmallDisk) -> None:
    job = run_to(submit(pages=6), Stage.EXTRACT)
    storage.delete(storage.original(job.document_id or ""))

    job = run(job)

    assert (job.state, job.error_code) == (JobState.FAILED, "document_missing")
    assert "Upload the document again" in job.error_detail


def test_a_machine_that_may_not_read_documents_leaves_the_job_to_others(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAFMILL_CONFINEMENT", "required")
    job = run_to(submit(pages=2), Stage.SPLIT)
    step = open_steps(job, Stage.SPLIT)[0]

    with Reader(unavailable=["landlock", "asking"]) as exposed, monkeypatch.context() as patched:
        patched.setattr(client._shared, "reader", exposed)
        deliver(step)

    assert seconds_until_due(step) > 0
    assert step.starts == 0
    assert_unharmed(job)
