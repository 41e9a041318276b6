"""The number and the plans of the admin's queries do not depend on the number of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts import services as accounts
from apps.jobs import queries
from apps.jobs.scheduling import retention
from apps.monitoring.worker_facts import MAX_EVENTS
from tests.fakes.many_rows import LONGEST_JOB, WORKERS, make_many_rows, remove_many_rows

MAX_QUERIES = 30
JOBS, DOCUMENTS = "/admin/jobs/parsejob/", "/admin/documents/document/"
PAGES = {
    "list": JOBS,
    "second page": f"{JOBS}?p=2",
    "running": f"{JOBS}?state__exact=running",
    "stuck": f"{JOBS}?stuck=yes",
    "ends within a week": f"{JOBS}?kept=week",
    "one code": f"{JOBS}?error_code=document_corrupt",
    "a name": f"{JOBS}?q=report+77",
    "a job": f"{JOBS}{LONGEST_JOB}/change/",
    "operations": "/admin/operations/",
    "index": "/admin/",
    "pages": "/admin/jobs/jobpage/",
    "pages of a job": f"/admin/jobs/jobpage/?job__id__exact={LONGEST_JOB}",
    "steps": "/admin/jobs/step/",
    "attempts": "/admin/jobs/pageattempt/",
    "calls": "/admin/providers/usage/",
    "documents": DOCUMENTS,
    "workers": "/admin/jobs/worker/",
}


@pytest.fixture(scope="module")
def many_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        accounts.create_api_key(name="many")
        make_many_rows(long_jobs=60, pages_of_short=2)
        yield
        remove_many_rows()


@pytest.fixture
def admin(many_rows: None, db: None, django_user_model: Any) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("admin", password="secret"))
    return client


def test_only_the_newest_scaling_events_are_shown(admin: Client) -> None:
    # The first test, because a worker that registered minutes ago and does not report counts as gone.
    found = admin.get(PAGES["operations"]).context

    assert len(found["scaling_events"]) == MAX_EVENTS
    assert found["workers"][0].workers == 2 * WORKERS // 3


@pytest.mark.parametrize("page", PAGES)
def test_a_page_needs_few_queries(admin: Client, page: str, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(MAX_QUERIES):
        answer = admin.get(PAGES[page])

    assert answer.status_code == 200


def test_housekeeping_finds_expired_jobs_without_a_table_scan(many_rows: None, db: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        retention.update_expiry()
        overdue = queries.overdue_seconds()
        batch = list(queries.overdue_jobs().order_by("expires_at").values_list("pk", flat=True)[:100])

    assert overdue > 9 * 86400
    assert len(batch) == 100
    plans = [plan_of(query["sql"]) for query in captured.captured_queries if "jobs_parsejob" in query["sql"]]
    assert len(plans) == 5
    assert [plan for plan in plans if "Seq Scan on jobs_parsejob" in plan] == []


def plan_of(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        return "\n".join(line for (line,) in cursor.fetchall())


def test_the_page_grid_has_a_cell_for_each_page(admin: Client) -> None:
    page = admin.get(PAGES["a job"]).content.decode()

    assert page.count(f'href="/admin/jobs/jobpage/?job__id__exact={LONGEST_JOB}&number=') == 2000


def test_the_newest_documents_come_first_and_not_all_are_counted(
    admin: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(MAX_QUERIES) as captured:
        page = admin.get(DOCUMENTS).content.decode()

    names = re.findall(r">report (\d+)\.pdf<", page)
    assert names[:3] == ["1", "2", "3"]
    assert "10000 documents" in page
    [rows] = [
        each["sql"] for each in captured.captured_queries if "ORDER BY" in each["sql"] and "sha256" in each["sql"]
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {rows}")
        assert "document_newest_of_all" in str(cursor.fetchall())
