"""Jobs in the Django admin: what an operator sees and can do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from apps.jobs.admin import display, job_page
from apps.jobs.admin import jobs as jobs_admin
from apps.jobs.commands import delete
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import pauses, retention
from apps.jobs.states import JobState, Stage
from apps.providers.models import Usage
from tests.integration.jobs.conftest import Submit, run, run_to

JOBS = "/admin/jobs/parsejob/"


@pytest.fixture
def admin(transactional_db: None, django_user_model: Any) -> Client:
    person = django_user_model.objects.create_superuser("admin", password="secret")
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def reader(transactional_db: None, django_user_model: Any) -> Client:
    """A user who may see jobs and has no other permission."""
    person = django_user_model.objects.create_user("reader", password="secret", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_parsejob"))
    client = Client()
    client.force_login(person)
    return client


def run_action(admin: Client, action: str, *jobs: ParseJob, across: str = "", **fields: str) -> str:
    """Run an action on these jobs, or on all jobs that the filter ``across`` matches. Return the page that follows."""
    posted: dict[str, Any] = {"action": action, "_selected_action": [job.pk for job in jobs], **fields}
    if across:
        posted["select_across"] = "1"
    return admin.post(f"{JOBS}?{across}", posted, follow=True).content.decode()


def test_the_list_shows_the_progress_of_each_job(admin: Client, submit: Submit) -> None:
    done, under_way = run(submit(pages=6)), run_to(submit(pages=6), Stage.EXTRACT)

    page = admin.get(JOBS).content.decode()

    assert "6 of 6" in page
    assert "0 of 6" in page
    assert done.pk in page
    assert under_way.pk in page


def test_the_list_needs_a_fixed_number_of_queries(
    admin: Client, submit: Submit, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for _ in range(12):
        submit(pages=1)

    with django_assert_max_num_queries(14):
        admin.get(JOBS)


def test_a_job_is_read_only(admin: Client, submit: Submit) -> None:
    job = submit(pages=1, password="open sesame")

    page = admin.get(f"{JOBS}{job.pk}/change/").content.decode()

    assert 'name="_save"' not in page
    assert job.password_sealed
    assert job.password_sealed not in page
    assert admin.get(f"{JOBS}add/").status_code == 403


@pytest.mark.parametrize("rows", ["jobpage", "step", "pageattempt"])
def test_a_job_links_to_its_rows(admin: Client, submit: Submit, rows: str) -> None:
    job = run(submit(pages=6))

    link = f"/admin/jobs/{rows}/?job__id__exact={job.pk}"

    assert link in admin.get(f"{JOBS}{job.pk}/change/").content.decode()
    assert job.pk in admin.get(link).content.decode()


def test_a_job_shows_the_cost_of_its_calls_and_links_to_them(admin: Client, submit: Submit) -> None:
    paid, unpriced, free = submit(pages=1), submit(pages=1), submit(pages=1)
    for job, cost_nanos in ((paid, 1_500_000), (paid, 250_000), (unpriced, 1_500_000), (unpriced, None)):
        call = {"project_id": job.project_id, "job_id": job.pk, "page_number": 1, "page_parser": "llm", "model": "m"}
        Usage.objects.create(**call, started_at=job.created_at, input_tokens=1, output_tokens=1, cost_nanos=cost_nanos)

    pages = [admin.get(f"{JOBS}{job.pk}/change/").content.decode() for job in (paid, unpriced, free)]

    assert "$0.001750, 2 call(s)" in pages[0]
    assert "unknown, 2 call(s)" in pages[1]
    assert "call(s)" not in pages[2]
    link = f"/admin/providers/usage/?job_id__exact={paid.pk}"
    assert link in pages[0]
    calls = admin.get(link).content.decode()
    assert paid.pk in calls
    assert unpriced.pk not in calls


def test_pages_show_their_mode_and_its_reason(admin: Client, submit: Submit) -> None:
    job = run(submit(pages=1))
    JobPage.objects.filter(job=job).update(mode="agentic", mode_reason="table_in_page", fallback="output_altered")

    page = admin.get(f"/admin/jobs/jobpage/?job__id__exact={job.pk}").content.decode()
    details = admin.get(f"{JOBS}{job.pk}/change/").content.decode()

    assert all(text in page for text in ("agentic", "table_in_page", "output_altered"))
    assert 'title="Page 1: succeeded, agentic (table_in_page), fallback text because of output_altered"' in details


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


def test_jobs_that_end_within_a_week(admin: Client, submit: Submit) -> None:
    soon, later = run(submit(pages=1)), run(submit(pages=1))
    retention.keep_jobs(job_ids=[soon.pk], until=timezone.now() + timedelta(days=6))

    page = admin.get(f"{JOBS}?kept=week").content.decode()

    assert soon.pk in page
    assert later.pk not in page


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


def test_a_large_page_grid_is_split_into_parts(admin: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_page, "PAGES_PER_GRID", 4)
    job = run(submit(pages=6))

    first, second, none = (
        admin.get(f"{JOBS}{job.pk}/change/{part}").content.decode() for part in ("", "?part=2", "?part=nonsense")
    )

    assert "Page 4: succeeded" in first
    assert "Page 5: succeeded" not in first
    assert "Page 6: succeeded" in second
    assert "Page 1: succeeded" in none


def test_a_cell_of_the_page_grid_links_to_the_row_of_its_page(admin: Client, submit: Submit) -> None:
    job = run(submit(pages=6))
    link = f"/admin/jobs/jobpage/?job__id__exact={job.pk}&number=2"

    assert link in admin.get(f"{JOBS}{job.pk}/change/").content.decode()
    assert "1 job page" in admin.get(link).content.decode()


def test_a_job_shows_the_timeline_of_its_stages(admin: Client, submit: Submit) -> None:
    job = run(submit(pages=6))

    page = admin.get(f"{JOBS}{job.pk}/change/").content.decode()

    timeline = page[page.index("Timeline") : page.index("Newest attempts")]
    stages = [stage for stage in ("split", "extract", "plan", "assemble") if f"<td>{stage}</td>" in timeline]
    assert stages == ["split", "extract", "plan", "assemble"]
    assert f"kwargs%3A{job.pk}" in page


# --- stuck ---


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
