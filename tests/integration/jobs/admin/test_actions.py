"""The actions on jobs in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from apps.jobs.admin import display
from apps.jobs.admin import jobs as jobs_admin
from apps.jobs.commands import delete
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.states import JobState
from tests.integration.jobs.admin.conftest import JOBS
from tests.integration.jobs.conftest import Submit, run


def run_action(admin: Client, action: str, *jobs: ParseJob, across: str = "", **fields: str) -> str:
    """Run an action on these jobs, or on all jobs that the filter ``across`` matches. Return the page that follows."""
    posted: dict[str, Any] = {"action": action, "_selected_action": [job.pk for job in jobs], **fields}
    if across:
        posted["select_across"] = "1"
    return admin.post(f"{JOBS}?{across}", posted, follow=True).content.decode()


def test_open_jobs_are_cancelled_and_ended_ones_refuse(admin: Client, submit: Submit) -> None:
    open_job, done = submit(pages=1), run(submit(pages=1))

    page = run_action(admin, "cancel", open_job, done)

    open_job.refresh_from_db()
    assert open_job.state == JobState.CANCELLED
    assert "1 job(s) cancelled" in page
    assert f"Job {done.pk}: The job has already ended" in page


def test_a_failed_job_is_started_again(admin: Client, submit: Submit) -> None:
    failed = run(submit(b"%PDF-1.7\n"))
    assert failed.state == JobState.FAILED

    run_action(admin, "retry_failed_pages", failed)

    failed.refresh_from_db()
    assert failed.state == JobState.RUNNING


def test_an_action_applies_to_all_jobs_of_a_filter(
    admin: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_admin, "JOBS_PER_BATCH", 2)
    monkeypatch.setattr(jobs_admin.ParseJobAdmin, "list_per_page", 2)
    waiting = [submit(pages=1) for _ in range(5)]
    done = run(submit(pages=1))

    answer = admin.post(
        f"{JOBS}?state__exact=pending",
        {"action": "cancel", "select_across": "1", "_selected_action": [waiting[0].pk]},
        follow=True,
    )

    assert "5 job(s) cancelled" in answer.content.decode()
    assert ParseJob.objects.filter(state=JobState.CANCELLED).count() == 5
    assert set(LogEntry.objects.values_list("object_id", flat=True)) == {job.pk for job in waiting}
    done.refresh_from_db()
    assert done.state == JobState.SUCCEEDED


def test_only_the_first_refusals_are_listed(admin: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_admin, "MAX_LISTED", 1)

    page = run_action(admin, "cancel", *(run(submit(pages=1)) for _ in range(3)))

    assert page.count("The job has already ended") == 1
    assert "2 more job(s) refused the action" in page


def test_the_priority_of_open_jobs_is_set(admin: Client, submit: Submit) -> None:
    job, done = submit(pages=1), run(submit(pages=1))

    page = run_action(admin, "priority_10", job, done)

    job.refresh_from_db()
    assert job.priority == 10
    assert "1 job(s) set to run first" in page
    assert LogEntry.objects.get().object_id == job.pk


def test_a_document_is_parsed_again_in_another_mode(admin: Client, submit: Submit) -> None:
    old = run(submit(pages=2, mode="balanced", tier="balanced"))
    button = "Parse the document of this job again, in mode fast"
    assert button in admin.get(f"/admin/jobs/parsejob/{old.pk}/change/").content.decode()

    page = run_action(admin, "parse_in_fast", old)

    new = ParseJob.objects.exclude(pk=old.pk).get()
    assert "1 job(s) parsed again, requested mode fast" in page
    assert f'New: <a href="/admin/jobs/parsejob/{new.pk}/change/">{new.pk}</a> in mode fast' in page
    assert (new.mode, new.tier, new.document_id) == ("fast", "fast", old.document_id)


def test_a_mode_without_a_provider_is_replaced_with_a_warning(admin: Client, submit: Submit) -> None:
    page = run_action(admin, "parse_in_balanced", run(submit(pages=1)))

    assert "in mode fast. No provider serves the mode balanced; fast mode takes its place." in page


def test_a_job_without_its_document_is_not_parsed_again(admin: Client, submit: Submit) -> None:
    old = run(submit(pages=1))
    assert old.document is not None
    delete.delete_document(document=old.document)

    assert f"Job {old.pk}: " in run_action(admin, "parse_in_fast", old)
    assert ParseJob.objects.count() == 1


def test_keep_until_asks_for_the_day(admin: Client, submit: Submit) -> None:
    job, other = run(submit(pages=1)), run(submit(pages=1))
    day = timezone.now().date() + timedelta(days=400)

    asked = run_action(admin, "keep_until", job)
    page = run_action(admin, "keep_until", job, day=day.isoformat())

    assert 'name="day"' in asked
    assert f"1 job(s) kept up to and including {day}" in page
    job.refresh_from_db()
    assert job.expires_at is not None
    assert job.expires_at.date() == day + timedelta(days=1)
    assert LogEntry.objects.get().object_id == job.pk
    kept, other_kept = (admin.get(f"{JOBS}{row.pk}/change/").content.decode() for row in (job, other))
    assert f"until {job.expires_at:%Y-%m-%d} 00:00 UTC, set by an operator" in kept
    assert ", 30 days after its end" in other_kept


@pytest.mark.parametrize(("day", "message"), [("2026-01-01", "day is in the past"), ("soon", "Enter a valid date")])
def test_an_invalid_day_shows_the_form_again(admin: Client, submit: Submit, day: str, message: str) -> None:
    assert message in run_action(admin, "keep_until", run(submit(pages=1)), day=day)
    assert not LogEntry.objects.exists()


def test_keep_for_ever_applies_to_all_jobs_of_a_filter(admin: Client, submit: Submit) -> None:
    for _ in range(3):
        cancel_job(job=submit(pages=1))
    other = run(submit(pages=1))

    page = run_action(admin, "keep_for_ever", other, across="state__exact=cancelled")

    assert "3 job(s) kept for ever" in page
    kept = ParseJob.objects.filter(state=JobState.CANCELLED)
    assert all(display.kept(job) == "for ever, set by an operator" for job in kept)
    other.refresh_from_db()
    assert other.expires_at is not None


def test_delete_now_asks_for_confirmation_and_deletes_all_rows(
    admin: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_admin, "JOBS_PER_BATCH", 2)
    done = [run(submit(pages=1)) for _ in range(3)]
    waiting = submit(pages=1)

    asked = run_action(admin, "delete_now", done[0], across="kept=")
    assert "This affects 4 job(s)" in asked
    assert ParseJob.objects.count() == 4
    page = run_action(admin, "delete_now", done[0], across="kept=", confirmed="yes")

    assert "3 job(s) deleted" in page
    assert f"Job {waiting.pk}: The job is still running" in page
    assert ParseJob.objects.get().pk == waiting.pk
    assert not JobPage.objects.exists()
    assert set(LogEntry.objects.values_list("object_id", flat=True)) == {job.pk for job in done}


def test_a_job_shows_the_actions_that_its_state_allows(admin: Client, submit: Submit) -> None:
    waiting, done = submit(pages=1), run(submit(pages=1))

    pages = [admin.get(f"{JOBS}{job.pk}/change/").content.decode() for job in (waiting, done)]

    assert ['value="cancel"' in page for page in pages] == [True, False]
    assert ['value="parse_in_agentic"' in page for page in pages] == [False, True]
    assert ['value="delete_now"' in page for page in pages] == [False, True]
    assert ['value="keep_for_ever"' in page for page in pages] == [True, True]


def test_a_user_who_may_only_view_jobs_has_no_actions(reader: Client, submit: Submit) -> None:
    job = submit(pages=1)

    page = reader.get(f"{JOBS}{job.pk}/change/").content.decode()
    listed = reader.get(JOBS).content.decode()
    run_action(reader, "cancel", job)
    run_action(reader, "priority_10", job)
    run_action(reader, "keep_for_ever", job)
    run_action(reader, "delete_now", run(submit(pages=1)), confirmed="yes")

    assert 'name="action"' not in page + listed
    assert ParseJob.objects.count() == 2
    job.refresh_from_db()
    assert (job.state, job.priority, job.expiry_ordered) == (JobState.PENDING, 0, False)
