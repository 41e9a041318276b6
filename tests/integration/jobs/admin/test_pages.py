"""The pages of jobs in the admin: the list and the page of one job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.jobs.admin import job_page
from apps.jobs.models import JobPage
from apps.jobs.scheduling import retention
from apps.jobs.states import Stage
from apps.providers.models import Usage
from tests.integration.jobs.admin.conftest import JOBS
from tests.integration.jobs.conftest import Submit, run, run_to


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


def test_a_job_names_the_files_attached_to_its_document(admin: Client, submit: Submit) -> None:
    job = submit(pages=1)
    job.result_facts = {"attachments": [{"name": "factur-x<1>.xml", "media_type": "text/xml", "size_bytes": 4}]}
    job.save()

    assert "Attached files: factur-x&lt;1&gt;.xml (text/xml)" in admin.get(f"{JOBS}{job.pk}/change/").content.decode()


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


def test_the_list_can_be_filtered_for_jobs_that_expire_within_a_week(admin: Client, submit: Submit) -> None:
    soon, later = run(submit(pages=1)), run(submit(pages=1))
    retention.keep_jobs(job_ids=[soon.pk], until=timezone.now() + timedelta(days=6))

    page = admin.get(f"{JOBS}?kept=week").content.decode()

    assert soon.pk in page
    assert later.pk not in page


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
