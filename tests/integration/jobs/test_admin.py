"""What somebody who runs the service sees of jobs in the Django admin, and may do there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.jobs.models import JobPage, ParseJob
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


def order(admin: Client, action: str, *jobs: ParseJob) -> str:
    answer = admin.post(JOBS, {"action": action, "_selected_action": [job.pk for job in jobs]}, follow=True)
    return answer.content.decode()


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

    with django_assert_max_num_queries(12):
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

    assert all(told in page for told in ("agentic", "table_in_page", "output_altered"))


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
