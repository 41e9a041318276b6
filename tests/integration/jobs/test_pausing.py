"""A paused queue gets no new messages, a paused intake takes no new jobs; both go on where they stood."""

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
TAKES_NOTHING = "The broker did not accept"


def windows_sent(job: ParseJob) -> int:
    job.refresh_from_db()
    return job.windows_sent


def test_pages_of_a_paused_queue_are_sent_when_it_goes_on(submit: Submit) -> None:
    pauses.pause(name=PAGES, by="tester")

    job = run_to(submit(pages=10), Stage.EXTRACT)
    dispatch.send_due()
    assert windows_sent(job) == 0

    pauses.resume(name=PAGES)
    assert windows_sent(job) > 0
    assert run(job).state == JobState.SUCCEEDED


def test_jobs_are_not_begun_while_their_queue_is_paused(submit: Submit, caplog: pytest.LogCaptureFixture) -> None:
    pauses.pause(name="parse_raw_file_job", by="tester")

    job = submit(pages=1)
    dispatch.send_due()
    assert TAKES_NOTHING not in caplog.text, "nothing was published"

    pauses.resume(name="parse_raw_file_job")
    assert TAKES_NOTHING in caplog.text, "it was, and there is no broker here"
    assert open_steps(job)[0].sent_at is None


def test_what_is_out_finishes(submit: Submit) -> None:
    job = run_to(submit(pages=10), Stage.EXTRACT)
    before = len(open_steps(job))
    pauses.pause(name=PAGES, by="tester")

    deliver(open_steps(job)[0])

    assert len(open_steps(job)) == before - 1


def test_pages_for_ocr_stand_still_with_the_queue_that_renders_them() -> None:
    assert "ocr_cpu" in queues_paused_by(PAGES)
    assert queues_paused_by("ocr_cpu") == ("ocr_cpu",)


def test_a_job_is_given_back_the_time_it_stood_still(submit: Submit) -> None:
    pauses.pause(name=PAGES, by="tester")
    job = run_to(submit(pages=10), Stage.EXTRACT)
    hours = timedelta(hours=3)
    ParseJob.objects.filter(pk=job.pk).update(deadline_at=timezone.now() - timedelta(hours=1))
    Pause.objects.update(since=F("since") - hours)

    assert rescue() == Rescued(), "past its deadline, and left alone"

    pauses.resume(name=PAGES)
    job.refresh_from_db()
    assert job.deadline_at > timezone.now() + timedelta(hours=1)
    assert run(job).state == JobState.SUCCEEDED


def test_a_paused_intake_takes_no_jobs(submit: Submit, project: Project) -> None:
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
    told = ["llm is paused.", "llm was already paused.", "llm is resumed.", "llm was not paused."]
    assert capsys.readouterr().out.splitlines() == told


def test_a_new_reason_takes_the_place_of_the_old_one(
    transactional_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    pauses.pause(name="intake", reason="maintenance until 18:00", by="somebody")
    since = Pause.objects.get().since

    call_command("pause", "intake", "--reason", "maintenance until 20:00")

    row = Pause.objects.get()
    assert (row.reason, row.since) == ("maintenance until 20:00", since)
    assert capsys.readouterr().out == "intake was already paused; the reason is updated.\n"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_without_a_name_the_commands_tell_what_is_paused(
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
def test_only_what_can_be_paused_is(name: str) -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("pause", name)


def test_the_jobs_of_the_highest_priority_are_sent_first(submit: Submit, settings: Any) -> None:
    jobs = [run_to(submit(pages=10), Stage.EXTRACT) for _ in range(3)]
    ParseJob.objects.update(windows_sent=0)
    settings.QUEUES = settings.QUEUES | {PAGES: replace(settings.QUEUES[PAGES], window_per_project=1)}

    set_priority(job_ids=[jobs[2].pk], priority=10)
    set_priority(job_ids=[jobs[0].pk], priority=-10)
    dispatch.send_due(queues=[PAGES])

    assert [windows_sent(job) for job in jobs] == [0, 0, 1]


def test_an_ended_job_has_no_priority_to_change(submit: Submit) -> None:
    done, still_open = run(submit(pages=1)), submit(pages=1)

    assert set_priority(job_ids=[done.pk, still_open.pk], priority=10) == [still_open.pk]


def test_another_mode_is_another_job_with_the_same_options(submit: Submit) -> None:
    old = run(submit(pages=6, target_pages="2-4", user_metadata={"case": "7"}))

    new = parse_in_mode(job=old, mode="fast")

    assert new.pk != old.pk
    assert (new.target_pages, new.user_metadata, new.document_id) == ("2-4", {"case": "7"}, old.document_id)
    assert run(new).page_count == 3
