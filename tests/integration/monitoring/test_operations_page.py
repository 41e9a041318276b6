"""The operations page shows the state of the service, and pauses and resumes queues."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client

from apps.accounts.models import Project, ProjectQuota
from apps.jobs.models import PageAttempt, ParseJob, Pause, Step, Worker
from apps.jobs.scheduling import pauses
from apps.jobs.scheduling.workers import record_worker_stopped
from apps.jobs.states import Stage
from apps.providers.calls.process_gateway import configured_quota_store
from apps.providers.models import Deployment, Provider, Quota
from apps.providers.quota.store import QuotaDemand, QuotaLimits, QuotaStore, Reservation
from tests.fakes.workers import register_worker, stop_heartbeat
from tests.integration.jobs.conftest import Submit, _own_storage, project, run, run_to, submit

__all__ = ["_own_storage", "project", "submit"]
OPERATIONS = "/admin/operations/"


def logged_in(django_user_model: Any, *permissions: str) -> Client:
    person = django_user_model.objects.create_user("person", password="secret", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def operator(transactional_db: None, django_user_model: Any) -> Client:
    return logged_in(django_user_model, "view_parsejob", "add_pause", "delete_pause")


@pytest.fixture
def quota_store(settings: Any, redis_url: str) -> QuotaStore:
    settings.REDIS_URL = redis_url
    store = configured_quota_store()
    store.client.flushall()
    return store


def facts(client: Client) -> Any:
    answer = client.get(OPERATIONS)
    assert answer.status_code == 200
    return answer.context


def test_jobs_and_pages_are_counted(operator: Client, submit: Submit) -> None:
    run(submit(pages=6))
    run(submit(b"%PDF-1.7\n"))
    run_to(submit(pages=6), Stage.EXTRACT)
    submit(pages=6)

    found = facts(operator)

    assert dict(found["jobs_now"]) == {"pending": 1, "running": 1}
    assert dict(found["jobs_ended"]) == {"succeeded": 1, "failed": 1}
    fast = next(rate for rate in found["rates_of_jobs"] if rate.what == "fast")
    read = next(rate for rate in found["rates_of_work"] if rate.what == "pages read")
    assert (fast.short, fast.long) == (read.short, read.long) == (6 / 5, 6 / 60)
    assert ("document_corrupt", 1, "50.0 %") in found["job_errors"]
    waiting = {queue.name: queue.unsent + queue.sent for queue in found["queues"]}
    assert waiting["parse_raw_file_job"] == 1
    assert waiting["parse_raw_file_job_pages"] == 2, "ranges of four pages"
    assert found["stuck"] == 0


def test_only_the_newest_attempts_are_read(operator: Client, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    job = run(submit(pages=16))
    monkeypatch.setattr("apps.monitoring.recent_work.MAX_ROWS", 2)
    assert PageAttempt.objects.filter(job=job).count() > 2

    assert sum(rate.long for rate in facts(operator)["rates_of_work"]) < 16


def test_an_error_code_links_to_its_attempts_for_users_who_may_view_them(
    operator: Client, submit: Submit, django_user_model: Any
) -> None:
    run(submit(pages=1))
    PageAttempt.objects.update(error_code="worker_lost")
    link = "/admin/jobs/pageattempt/?error_code=worker_lost"
    assert f'href="{link}"' not in operator.get(OPERATIONS).content.decode()

    django_user_model.objects.all().delete()
    reader = logged_in(django_user_model, "view_parsejob", "view_pageattempt")

    assert f'href="{link}"' in reader.get(OPERATIONS).content.decode()
    assert len(reader.get(link).context["cl"].result_list) == PageAttempt.objects.count()
    assert len(reader.get(f"{link}_not").context["cl"].result_list) == 0


def test_a_quota_store_that_is_down_is_reported(operator: Client) -> None:
    provider = Provider.objects.create(name="house", family="openai")
    Deployment.objects.create(name="small", provider=provider, model="m")

    assert "The quota store does not respond" in operator.get(OPERATIONS).content.decode()


def test_the_most_used_quotas_come_first(
    operator: Client, submit: Submit, project: Project, quota_store: QuotaStore
) -> None:
    run(submit(pages=6))
    ProjectQuota.objects.create(project=project, pages_per_day=10)
    provider = Provider.objects.create(name="house", family="openai")
    deployment = Deployment.objects.create(name="small", provider=provider, model="m", input_price=1, output_price=1)
    Quota.objects.create(deployment=deployment, requests_per_day=100, dollars_per_day=1)
    account = QuotaLimits(key=f"deployment:{deployment.pk}")
    reserved = quota_store.reserve([account], QuotaDemand(10, 10, 900_000))
    while not isinstance(reserved, Reservation):
        reserved = quota_store.reserve([account], QuotaDemand(10, 10, 900_000))

    found = facts(operator)

    assert [(limit.whose, limit.percent, limit.kind) for limit in found["limits"]] == [
        ("deployment small", 90, "near"),
        ("project default", 60, "good"),
        ("deployment small", 1, "good"),
    ]
    assert found["spent"] == [("house", "$0.90", 1)]


def test_workers_are_shown_with_their_utilization(operator: Client, submit: Submit) -> None:
    register_worker("parse_raw_file_job", "parse_raw_file_job_pages", width=4)
    register_worker("housekeeping", width=4)
    job = run_to(submit(pages=6), Stage.EXTRACT)
    step = Step.objects.filter(job=job, stage=Stage.EXTRACT)[:1].get()
    Step.objects.filter(pk=step.pk).update(state="running", sent_at=Now())

    workers = {one.queue: one for one in facts(operator)["workers"]}

    pages = workers["parse_raw_file_job_pages"]
    assert (pages.workers, pages.width, pages.busy) == (1, 4, 25)
    assert workers["parse_raw_file_job"].busy == 0
    assert (workers["llm"].workers, workers["llm"].busy) == (0, None)
    assert (workers["housekeeping"].workers, workers["housekeeping"].busy) == (1, None), "its messages are no steps"


def test_scaling_events_are_shown_newest_first(operator: Client) -> None:
    old, silent, stopped = (
        register_worker("ocr_cpu"),
        register_worker("llm", host="two"),
        register_worker("llm", host="three"),
    )
    for worker, minutes in ((old, 120), (silent, 30), (stopped, 20)):
        Worker.objects.filter(pk=worker).update(started_at=Now() - timedelta(minutes=minutes))
    stop_heartbeat(silent, ago=timedelta(minutes=10))
    record_worker_stopped(stopped)

    events = facts(operator)["scaling_events"]

    assert [(event.change, event.host, event.how) for event in events] == [
        (-1, "three", "stopped"),
        (-1, "two", "fell silent"),
        (1, "three", "started"),
        (1, "two", "started"),
    ]
    assert "fell silent" in operator.get(OPERATIONS).content.decode()


def test_workers_are_listed_read_only(transactional_db: None, django_user_model: Any) -> None:
    worker = register_worker("llm", "lvm")
    admin = Client()
    admin.force_login(django_user_model.objects.create_superuser("admin", password="secret"))

    assert "llm, lvm" in admin.get("/admin/jobs/worker/").content.decode()
    assert 'name="_save"' not in admin.get(f"/admin/jobs/worker/{worker}/change/").content.decode()
    assert admin.post(f"/admin/jobs/worker/{worker}/delete/", {"post": "yes"}).status_code == 403


def test_a_queue_is_paused_and_resumed(operator: Client) -> None:
    page = operator.post(OPERATIONS, {"pause": "llm", "reason": "it <fails>"}, follow=True).content.decode()

    pause = Pause.objects.get()
    assert (pause.name, pause.reason, pause.by) == ("llm", "it <fails>", "person")
    assert "The queue llm is paused" in page
    assert "it &lt;fails&gt;" in operator.get("/admin/").content.decode(), "shown on every page"

    operator.post(OPERATIONS, {"resume": "llm"})

    assert not Pause.objects.exists()
    assert [entry.object_id for entry in LogEntry.objects.all()] == ["llm", "llm"]


def test_a_user_who_may_only_view_jobs_cannot_pause(transactional_db: None, django_user_model: Any) -> None:
    reader = logged_in(django_user_model, "view_parsejob")
    pauses.pause(name="llm", by="tester")

    assert "<button" not in reader.get(OPERATIONS).content.decode().split('id="content"')[1]
    assert reader.post(OPERATIONS, {"pause": "intake"}).status_code == 403
    assert reader.post(OPERATIONS, {"resume": "llm"}).status_code == 403
    assert [pause.name for pause in Pause.objects.all()] == ["llm"]


def test_staff_who_may_not_see_jobs_do_not_see_the_page(transactional_db: None, django_user_model: Any) -> None:
    assert logged_in(django_user_model).get(OPERATIONS).status_code == 403


def test_anonymous_users_are_sent_to_the_login(transactional_db: None) -> None:
    answer = Client().get(OPERATIONS)

    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


@pytest.mark.parametrize("page", ["/admin", "/admin/operations", "/admin/jobs/parsejob"])
def test_an_admin_url_without_its_last_slash_is_redirected(operator: Client, page: str) -> None:
    answer = operator.get(f"{page}?p=1", follow=True)

    assert answer.redirect_chain[0] == (f"{page}/?p=1", 302)
    assert answer.status_code == 200


def test_the_page_refreshes_itself_on_request(operator: Client) -> None:
    assert 'http-equiv="refresh"' not in operator.get(OPERATIONS).content.decode()
    assert 'http-equiv="refresh"' in operator.get(f"{OPERATIONS}?refresh").content.decode()


def test_flower_is_linked(operator: Client, settings: Any) -> None:
    assert "http://testserver:5555" in operator.get(OPERATIONS).content.decode()

    settings.FLOWER_URL = "https://flower.example.com"
    assert "https://flower.example.com" in operator.get(OPERATIONS).content.decode()


def test_adding_and_deleting_a_pause_row_pauses_and_resumes(transactional_db: None, django_user_model: Any) -> None:
    admin = Client()
    admin.force_login(django_user_model.objects.create_superuser("admin", password="secret"))

    admin.post("/admin/jobs/pause/add/", {"name": "intake", "reason": "full"})
    assert Pause.objects.get().by == "admin"
    admin.post("/admin/jobs/pause/intake/delete/", {"post": "yes"})

    assert not Pause.objects.exists()
    assert not ParseJob.objects.exists()
