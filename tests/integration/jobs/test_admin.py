"""What somebody who runs the service sees of jobs in the Django admin, and may do there."""

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

from apps.jobs import admin as jobs_admin
from apps.jobs import admin_facts
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
    """Somebody who may look at jobs and nothing else."""
    person = django_user_model.objects.create_user("reader", password="secret", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_parsejob"))
    client = Client()
    client.force_login(person)
    return client


def order(admin: Client, action: str, *jobs: ParseJob, across: str = "", **answers: str) -> str:
    """Give an order to these jobs, or ``across`` all that a filter matches; what the admin says then."""
    asked: dict[str, Any] = {"action": action, "_selected_action": [job.pk for job in jobs], **answers}
    if across:
        asked["select_across"] = "1"
    return admin.post(f"{JOBS}?{across}", asked, follow=True).content.decode()


def test_the_list_shows_how_far_each_job_is(admin: Client, submit: Submit) -> None:
    done, under_way = run(submit(pages=6)), run_to(submit(pages=6), Stage.EXTRACT)

    page = admin.get(JOBS).content.decode()

    assert "6 of 6" in page
    assert "0 of 6" in page
    assert done.pk in page
    assert under_way.pk in page


def test_a_list_of_many_jobs_costs_no_more_queries(
    admin: Client, submit: Submit, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for _ in range(12):
        submit(pages=1)

    with django_assert_max_num_queries(14):
        admin.get(JOBS)


def test_facts_cannot_be_changed(admin: Client, submit: Submit) -> None:
    job = submit(pages=1, password="open sesame")

    page = admin.get(f"{JOBS}{job.pk}/change/").content.decode()

    assert 'name="_save"' not in page
    assert job.password_sealed
    assert job.password_sealed not in page
    assert admin.get(f"{JOBS}add/").status_code == 403


@pytest.mark.parametrize("rows", ["jobpage", "step", "pageattempt"])
def test_the_rows_of_one_job_are_a_click_away(admin: Client, submit: Submit, rows: str) -> None:
    job = run(submit(pages=6))

    link = f"/admin/jobs/{rows}/?job__id__exact={job.pk}"

    assert link in admin.get(f"{JOBS}{job.pk}/change/").content.decode()
    assert job.pk in admin.get(link).content.decode()


def test_a_job_tells_what_its_calls_cost_and_leads_to_them(admin: Client, submit: Submit) -> None:
    paid, dark, free = submit(pages=1), submit(pages=1), submit(pages=1)
    for job, cost_nanos in ((paid, 1_500_000), (paid, 250_000), (dark, 1_500_000), (dark, None)):
        call = {"project_id": job.project_id, "job_id": job.pk, "page_number": 1, "page_parser": "llm", "model": "m"}
        Usage.objects.create(**call, started_at=job.created_at, input_tokens=1, output_tokens=1, cost_nanos=cost_nanos)

    pages = [admin.get(f"{JOBS}{job.pk}/change/").content.decode() for job in (paid, dark, free)]

    assert "$0.001750, 2 call(s)" in pages[0]
    assert "unknown, 2 call(s)" in pages[1]
    assert "call(s)" not in pages[2]
    link = f"/admin/providers/usage/?job_id__exact={paid.pk}"
    assert link in pages[0]
    calls = admin.get(link).content.decode()
    assert paid.pk in calls
    assert dark.pk not in calls


def test_pages_tell_their_mode_and_why(admin: Client, submit: Submit) -> None:
    job = run(submit(pages=1))
    JobPage.objects.filter(job=job).update(mode="agentic", mode_reason="table_in_page", fallback="output_altered")

    page = admin.get(f"/admin/jobs/jobpage/?job__id__exact={job.pk}").content.decode()
    wall = admin.get(f"{JOBS}{job.pk}/change/").content.decode()

    assert all(told in page for told in ("agentic", "table_in_page", "output_altered"))
    assert 'title="Page 1: succeeded, agentic (table_in_page), its fallback text, because of output_altered"' in wall


def test_cancel(admin: Client, submit: Submit) -> None:
    open_job, done = submit(pages=1), run(submit(pages=1))

    page = order(admin, "cancel", open_job, done)

    open_job.refresh_from_db()
    assert open_job.state == JobState.CANCELLED
    assert "1 job(s) cancelled" in page
    assert f"Job {done.pk}: The job has already ended" in page


def test_retry_of_failed_pages(admin: Client, submit: Submit) -> None:
    failed = run(submit(b"%PDF-1.7\n"))
    assert failed.state == JobState.FAILED

    order(admin, "retry_failed_pages", failed)

    failed.refresh_from_db()
    assert failed.state == JobState.RUNNING


def test_an_order_holds_for_all_jobs_of_a_filter(
    admin: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_admin, "BATCH", 2)
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


def test_of_many_that_refuse_the_first_are_named(
    admin: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_admin, "MAX_LISTED", 1)

    page = order(admin, "cancel", *(run(submit(pages=1)) for _ in range(3)))

    assert page.count("The job has already ended") == 1
    assert "2 more refused it" in page


def test_priority(admin: Client, submit: Submit) -> None:
    job, done = submit(pages=1), run(submit(pages=1))

    page = order(admin, "priority_10", job, done)

    job.refresh_from_db()
    assert job.priority == 10
    assert "1 job(s) set to go first" in page
    assert LogEntry.objects.get().object_id == job.pk


def test_another_mode(admin: Client, submit: Submit) -> None:
    old = run(submit(pages=2, mode="balanced", tier="balanced"))
    button = "Parse the document of this job again, in mode fast"
    assert button in admin.get(f"/admin/jobs/parsejob/{old.pk}/change/").content.decode()

    page = order(admin, "parse_in_fast", old)

    new = ParseJob.objects.exclude(pk=old.pk).get()
    assert "1 job(s) parsed again, fast asked for" in page
    assert f'New: <a href="/admin/jobs/parsejob/{new.pk}/change/">{new.pk}</a> in mode fast' in page
    assert (new.mode, new.tier, new.document_id) == ("fast", "fast", old.document_id)


def test_another_mode_that_nobody_serves_is_told(admin: Client, submit: Submit) -> None:
    page = order(admin, "parse_in_balanced", run(submit(pages=1)))

    assert "in mode fast. No provider serves the mode balanced; fast mode takes its place." in page


def test_a_job_without_its_document_is_not_parsed_again(admin: Client, submit: Submit) -> None:
    old = run(submit(pages=1))
    assert old.document is not None
    delete.delete_document(document=old.document)

    assert f"Job {old.pk}: " in order(admin, "parse_in_fast", old)
    assert ParseJob.objects.count() == 1


def test_keep_until_asks_for_the_day(admin: Client, submit: Submit) -> None:
    job, other = run(submit(pages=1)), run(submit(pages=1))
    day = timezone.now().date() + timedelta(days=400)

    asked = order(admin, "keep_until", job)
    page = order(admin, "keep_until", job, day=day.isoformat())

    assert 'name="day"' in asked
    assert f"1 job(s) kept up to and including {day}" in page
    job.refresh_from_db()
    assert job.expires_at is not None
    assert job.expires_at.date() == day + timedelta(days=1)
    assert LogEntry.objects.get().object_id == job.pk
    told, of_other = (admin.get(f"{JOBS}{row.pk}/change/").content.decode() for row in (job, other))
    assert f"until {job.expires_at:%Y-%m-%d} 00:00 UTC, by order" in told
    assert ", 30 days after its end" in of_other


@pytest.mark.parametrize(("day", "told"), [("2026-01-01", "This day is over"), ("soon", "Enter a valid date")])
def test_a_day_that_cannot_be_meant_is_asked_for_again(admin: Client, submit: Submit, day: str, told: str) -> None:
    assert told in order(admin, "keep_until", run(submit(pages=1)), day=day)
    assert not LogEntry.objects.exists()


def test_keep_for_ever_holds_for_all_jobs_of_a_filter(admin: Client, submit: Submit) -> None:
    for _ in range(3):
        cancel_job(job=submit(pages=1))
    other = run(submit(pages=1))

    page = order(admin, "keep_for_ever", other, across="state__exact=cancelled")

    assert "3 job(s) kept for ever" in page
    kept = ParseJob.objects.filter(state=JobState.CANCELLED)
    assert all(admin_facts.kept(job) == "for ever, by order" for job in kept)
    other.refresh_from_db()
    assert other.expires_at is not None


def test_delete_now_asks_first_and_leaves_nothing(
    admin: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_admin, "BATCH", 2)
    done = [run(submit(pages=1)) for _ in range(3)]
    waiting = submit(pages=1)

    asked = order(admin, "delete_now", done[0], across="kept=")
    assert "4 job(s) are meant" in asked
    assert ParseJob.objects.count() == 4
    page = order(admin, "delete_now", done[0], across="kept=", sure="yes")

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


def test_orders_stand_on_the_page_of_a_job(admin: Client, submit: Submit) -> None:
    waiting, done = submit(pages=1), run(submit(pages=1))

    pages = [admin.get(f"{JOBS}{job.pk}/change/").content.decode() for job in (waiting, done)]

    assert ['value="cancel"' in page for page in pages] == [True, False]
    assert ['value="parse_in_agentic"' in page for page in pages] == [False, True]
    assert ['value="delete_now"' in page for page in pages] == [False, True]
    assert ['value="keep_for_ever"' in page for page in pages] == [True, True]


def test_who_may_only_look_can_give_no_order(reader: Client, submit: Submit) -> None:
    job = submit(pages=1)

    page = reader.get(f"{JOBS}{job.pk}/change/").content.decode()
    listed = reader.get(JOBS).content.decode()
    order(reader, "cancel", job)
    order(reader, "priority_10", job)
    order(reader, "keep_for_ever", job)
    order(reader, "delete_now", run(submit(pages=1)), sure="yes")

    assert 'name="action"' not in page + listed
    assert ParseJob.objects.count() == 2
    job.refresh_from_db()
    assert (job.state, job.priority, job.expiry_ordered) == (JobState.PENDING, 0, False)


def test_a_wall_is_cut_into_parts(admin: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_facts, "PAGES_ON_A_WALL", 4)
    job = run(submit(pages=6))

    first, second, none = (
        admin.get(f"{JOBS}{job.pk}/change/{part}").content.decode() for part in ("", "?part=2", "?part=nonsense")
    )

    assert "Page 4: succeeded" in first
    assert "Page 5: succeeded" not in first
    assert "Page 6: succeeded" in second
    assert "Page 1: succeeded" in none


def test_a_cell_of_the_wall_leads_to_the_row_of_its_page(admin: Client, submit: Submit) -> None:
    job = run(submit(pages=6))
    link = f"/admin/jobs/jobpage/?job__id__exact={job.pk}&number=2"

    assert link in admin.get(f"{JOBS}{job.pk}/change/").content.decode()
    assert "1 job page" in admin.get(link).content.decode()


def test_the_page_of_a_job_tells_its_road(admin: Client, submit: Submit) -> None:
    job = run(submit(pages=6))

    page = admin.get(f"{JOBS}{job.pk}/change/").content.decode()

    road = page[page.index("Road") : page.index("Newest attempts")]
    stages = [stage for stage in ("split", "extract", "plan", "assemble") if f"<td>{stage}</td>" in road]
    assert stages == ["split", "extract", "plan", "assemble"]
    assert f"kwargs%3A{job.pk}" in page


# --- stuck ---


def stuck(admin: Client) -> set[str]:
    page = admin.get(f"{JOBS}?stuck=yes").content.decode()
    return {job.pk for job in ParseJob.objects.all() if job.pk in page}


def silent(job: ParseJob) -> ParseJob:
    """The job as it is when nothing was heard of it for an hour."""
    long_ago = timezone.now() - timedelta(hours=1)
    ParseJob.objects.filter(pk=job.pk).update(created_at=long_ago, updated_at=long_ago)
    Step.objects.filter(job=job).update(begun_at=long_ago)
    PageAttempt.objects.filter(job=job).update(started_at=long_ago, ended_at=long_ago)
    return job


def test_a_job_of_which_nothing_is_heard_is_stuck(admin: Client, submit: Submit) -> None:
    job, fresh = silent(run_to(submit(pages=10), Stage.EXTRACT)), submit(pages=1)
    silent(run(submit(pages=1)))

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
    job = silent(run_to(submit(pages=3), Stage.EXTRACT))
    Step.objects.filter(job=job, stage=Stage.EXTRACT).update(**wait)

    assert stuck(admin) == set()


def test_a_job_in_a_queue_that_moves_is_not_stuck(admin: Client, submit: Submit) -> None:
    silent(run_to(submit(pages=3), Stage.EXTRACT))
    run(submit(pages=3))

    assert stuck(admin) == set()


def test_a_job_in_a_paused_queue_is_not_stuck(admin: Client, submit: Submit) -> None:
    silent(run_to(submit(pages=3), Stage.EXTRACT))
    pauses.pause(name="parse_raw_file_job_pages", by="tester")

    assert stuck(admin) == set()
