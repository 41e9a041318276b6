"""A paused queue gets no new messages and a paused intake accepts no new jobs, until they are resumed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Project
from apps.jobs.commands.priority import set_priority
from apps.jobs.commands.submit import parse_in_mode
from apps.jobs.errors import IntakePaused
from apps.jobs.models import ParseJob, Pause
from apps.jobs.scheduling import dispatch, pauses
from apps.jobs.scheduling.pauses import queues_paused_by
from apps.jobs.scheduling.rescue import Rescued
from apps.jobs.states import JobState, Stage
from tests.integration.jobs.conftest import Submit, deliver, open_steps, rescue, run, run_to

PAGES = "parse_raw_file_job_pages"
NOT_ACCEPTED = "The broker did not accept"


def windows_sent(job: ParseJob) -> int:
    job.refresh_from_db()
    return job.windows_sent


def test_pages_of_a_paused_queue_are_sent_on_resume(submit: Submit) -> None:
    pauses.pause(name=PAGES, by="tester")

    job = run_to(submit(pages=10), Stage.EXTRACT)
    dispatch.dispatch_due()
    assert windows_sent(job) == 0

    pauses.resume(name=PAGES)
    assert windows_sent(job) > 0
    assert run(job).state == JobState.SUCCEEDED


def test_jobs_do_not_start_while_their_queue_is_paused(submit: Submit, caplog: pytest.LogCaptureFixture) -> None:
    pauses.pause(name="parse_raw_file_job", by="tester")

    job = submit(pages=1)
    dispatch.dispatch_due()
    assert NOT_ACCEPTED not in caplog.text, "nothing was published"

    pauses.resume(name="parse_raw_file_job")
    assert NOT_ACCEPTED in caplog.text, "the message was published; there is no broker here"
    assert open_steps(job)[0].sent_at is None


def test_sent_work_finishes_while_the_queue_is_paused(submit: Submit) -> None:
    job = run_to(submit(pages=10), Stage.EXTRACT)
    before = len(open_steps(job))
    pauses.pause(name=PAGES, by="tester")

    deliver(open_steps(job)[0])

    assert len(open_steps(job)) == before - 1


def test_pausing_the_pages_queue_pauses_ocr() -> None:
    assert "ocr_cpu" in queues_paused_by(PAGES)
    assert queues_paused_by("ocr_cpu") == ("ocr_cpu",)


def test_resume_extends_the_deadline_of_waiting_jobs(submit: Submit) -> None:
    pauses.pause(name=PAGES, by="tester")
    job = run_to(submit(pages=10), Stage.EXTRACT)
    hours = timedelta(hours=3)
    ParseJob.objects.filter(pk=job.pk).update(deadline_at=timezone.now() - timedelta(hours=1))
    Pause.objects.update(since=F("since") - hours)

    assert rescue() == Rescued(), "the job is past its deadline and must not end"

    pauses.resume(name=PAGES)
    job.refresh_from_db()
    assert job.deadline_at > timezone.now() + timedelta(hours=1)
    assert run(job).state == JobState.SUCCEEDED


def test_a_paused_intake_accepts_no_jobs(submit: Submit, project: Project) -> None:
    old = run(submit(pages=2))
    pauses.pause(name="intake", reason="the disks are full", by="tester")

    with pytest.raises(IntakePaused, match="the disks are full"):
        parse_in_mode(job=old, mode="fast")

    pauses.resume(name="intake")
    assert run(parse_in_mode(job=old, mode="fast")).state == JobState.SUCCEEDED


def test_the_commands_pause_and_resume(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("pause", "llm", "--reason", "the model is wrong")
    call_command("pause", "llm")
    row = Pause.objects.get()
    assert (row.name, row.reason) == ("llm", "the model is wrong")

    call_command("resume", "llm")
    call_command("resume", "llm")

    assert not Pause.objects.exists()
    expected = ["llm is paused.", "llm was already paused.", "llm is resumed.", "llm was not paused."]
    assert capsys.readouterr().out.splitlines() == expected


def test_a_new_reason_replaces_the_old_one(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> None:
    pauses.pause(name="intake", reason="maintenance until 18:00", by="operator")
    since = Pause.objects.get().since

    call_command("pause", "intake", "--reason", "maintenance until 20:00")

    row = Pause.objects.get()
    assert (row.reason, row.since) == ("maintenance until 20:00", since)
    assert capsys.readouterr().out == "intake was already paused; the reason is updated.\n"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_without_a_name_the_commands_list_the_pauses(
    transactional_db: None, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    call_command(command)
    nothing = capsys.readouterr().out
    pauses.pause(name="llm", reason="the model is wrong", by="tester")
    Pause.objects.update(since="2026-01-02T03:04:05Z")
    call_command(command)
    paused, can_be = capsys.readouterr().out.splitlines()

    assert nothing.splitlines()[0] == "Nothing is paused."
    assert paused == "Paused: llm, since 2026-01-02 03:04 UTC, by tester: the model is wrong."
    assert can_be.startswith("Can be paused: intake, parse_raw_file_job, ")
    assert Pause.objects.count() == 1


@pytest.mark.parametrize("name", ["nothing", "housekeeping"])
def test_a_name_that_cannot_be_paused_is_refused(name: str) -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("pause", name)


def test_jobs_of_the_highest_priority_are_sent_first(submit: Submit, settings: Any) -> None:
    jobs = [run_to(submit(pages=10), Stage.EXTRACT) for _ in range(3)]
    ParseJob.objects.update(windows_sent=0)
    settings.QUEUES = settings.QUEUES | {PAGES: replace(settings.QUEUES[PAGES], window_per_project=1)}

    set_priority(job_ids=[jobs[2].pk], priority=10)
    set_priority(job_ids=[jobs[0].pk], priority=-10)
    dispatch.dispatch_due(queues=[PAGES])

    assert [windows_sent(job) for job in jobs] == [0, 0, 1]


def test_the_priority_of_an_ended_job_does_not_change(submit: Submit) -> None:
    done, still_open = run(submit(pages=1)), submit(pages=1)

    assert set_priority(job_ids=[done.pk, still_open.pk], priority=10) == [still_open.pk]


def test_parsing_in_another_mode_creates_a_job_with_the_same_options(submit: Submit) -> None:
    old = run(submit(pages=6, target_pages="2-4", user_metadata={"case": "7"}))

    new = parse_in_mode(job=old, mode="fast")

    assert new.pk != old.pk
    assert (new.target_pages, new.user_metadata, new.document_id) == ("2-4", {"case": "7"}, old.document_id)
    assert run(new).page_count == 3
