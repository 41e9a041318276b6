"""/metrics counts each row once, even if it is deleted later, counts requests, and reports parts that are down."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.accounts import services as accounts
from apps.jobs.commands import clean_up, delete
from apps.jobs.models import JobPage, PageAttempt, ParseJob
from apps.jobs.scheduling import pauses, retention
from apps.monitoring.models import TallyMark
from apps.providers.models import CallOutcome, Deployment, Provider, Quota, Usage
from apps.webhooks.models import DeliveryState, WebhookDelivery
from tests.integration.api.conftest import PARSE, Api, Finish
from tests.integration.api.test_queue_status import use_broker
from tests.integration.monitoring.conftest import TOKEN, Metrics, Samples

ROOT = Path(__file__).resolve().parents[3]
HANDLE_ONE_REQUEST = """
import django
django.setup()
from django.test import Client
from apps.monitoring import request_counts
assert Client(headers={"host": "localhost"}).get("/livez").status_code == 200
print(request_counts.exposition().decode())
"""


def a_call(**facts: Any) -> Usage:
    values = {"project_id": accounts.default_project().pk, "job_id": "pjb-1", "page_number": 1, "page_parser": "llm"}
    values |= {"provider_name": "azure", "model": "gpt", "input_tokens": 1000, "output_tokens": 500}
    return Usage.objects.create(**values | {"started_at": Now(), "cost_nanos": 2_000_000_000} | facts)


def make_deployment() -> None:
    provider = Provider.objects.create(name="azure", family="azure")
    deployment = Deployment.objects.create(provider=provider, name="gpt-west", model="gpt", serves_llm=True)
    Quota.objects.create(deployment=deployment, requests_per_window=60)


def test_a_job_is_counted_once_when_it_has_ended(api: Api, finish: Finish, metrics: Metrics) -> None:
    job_id = api.parse().json()["id"]
    before = metrics()
    finish(job_id)

    for _ in range(2):
        after = metrics()
        assert before("llamaparse_done_total", status="succeeded") == 0
        assert after("llamaparse_done_total", status="succeeded") == 1
        assert after("llamaparse_pipeline_duration_seconds_count") == 1
        assert after("llamaparse_job_consumed_total") == 1
        assert after("leafmill_pages_total", mode="fast", state="succeeded", fallback="") == 1
        assert after("leafmill_attempts_total", queue="parse_raw_file_job", stage="split", outcome="accepted") == 1
        assert after("llamaparse_preprocessing_duration_seconds_bucket", le="+Inf") == 1


def test_totals_do_not_fall_when_a_job_is_deleted(api: Api, finish: Finish, metrics: Metrics) -> None:
    job = finish(api.parse().json()["id"])
    metrics()
    delete.delete_job(job=job)

    assert metrics()("llamaparse_done_total", status="succeeded") == 1


def test_removed_jobs_and_the_delay_of_overdue_ones_are_reported(api: Api, finish: Finish, metrics: Metrics) -> None:
    asked_for, expired = finish(api.parse().json()["id"]), finish(api.parse().json()["id"])
    delete.delete_job(job=asked_for)
    retention.keep_jobs(job_ids=[expired.pk], until=timezone.now() - timedelta(hours=2))
    behind = metrics()("leafmill_retention_behind_seconds")
    clean_up.clean_up()

    after = metrics()

    assert behind == pytest.approx(7200, abs=60)
    assert after("leafmill_retention_behind_seconds") == 0
    assert after("leafmill_jobs_removed_total", why="asked_for") == 1
    assert after("leafmill_jobs_removed_total", why="expired") == 1


def test_webhooks_are_counted_by_state_and_their_delay_is_reported(api: Api, metrics: Metrics, settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = [ip_network("127.0.0.0/8")]
    webhook = {"webhook_url": "http://127.0.0.1:9/hook", "webhook_output_format": "json"}
    api.post(f"{PARSE}/{api.parse(webhook_configurations=[webhook]).json()['id']}/cancel")
    hour_ago = Now() - timedelta(hours=1)
    WebhookDelivery.objects.filter(event="parse.pending").update(due_at=hour_ago)
    WebhookDelivery.objects.filter(event="parse.cancelled").update(state=DeliveryState.FAILED, due_at=None)

    after = metrics()

    assert after("leafmill_webhooks_behind_seconds") == pytest.approx(3600, abs=60)
    assert [after("leafmill_webhook_deliveries", state=state) for state in DeliveryState.values] == [1, 0, 1]


def test_an_attempt_that_ends_late_is_counted_once(api: Api, finish: Finish, metrics: Metrics) -> None:
    first = PageAttempt.objects.create(
        job=ParseJob.objects.get(pk=api.parse().json()["id"]),
        stage="model",
        step_id=0,  # no step has it
        fence=1,
        first_page=1,
        last_page=1,
        worker="slow",
        started_at=Now(),
    )
    finish(api.parse().json()["id"])
    metrics()
    PageAttempt.objects.filter(pk=first.pk).update(outcome="lease_lost", error_code="worker_lost", ended_at=Now())

    for _ in range(2):
        after = metrics()
        assert after("leafmill_leases_lost_total") == 1
        assert after("leafmill_attempt_errors_total", queue="model", code="worker_lost") == 1
        assert after("leafmill_attempts_total", queue="parse_raw_file_job", stage="split", outcome="accepted") == 1


def test_pages_and_their_errors_are_counted_by_code(api: Api, finish: Finish, metrics: Metrics) -> None:
    job = finish(api.parse().json()["id"])
    JobPage.objects.filter(job=job).update(state="failed", error_code="page_timeout", mode="balanced")
    ParseJob.objects.filter(pk=job.pk).update(error_code="page_timeout")

    after = metrics()

    assert after("leafmill_page_errors_total", code="page_timeout") == 1
    assert after("leafmill_job_errors_total", code="page_timeout") == 1
    assert after("leafmill_pages_total", mode="balanced", state="failed", fallback="") == 1


def test_calls_tokens_and_costs_are_counted_by_provider(metrics: Metrics) -> None:
    running = a_call(outcome=CallOutcome.RUNNING)
    a_call(outcome=CallOutcome.ANSWERED, seconds=1.5)
    a_call(outcome=CallOutcome.FAILED, error_code="timeout", seconds=20, cost_nanos=0, input_tokens=0, output_tokens=0)

    after = metrics()
    assert after("leafmill_provider_calls_total", provider="azure", page_parser="llm", outcome="answered", code="") == 1
    assert (
        after("leafmill_provider_calls_total", provider="azure", page_parser="llm", outcome="failed", code="timeout")
        == 1
    )
    assert after("leafmill_provider_tokens_total", provider="azure", direction="input") == 1000
    assert after("leafmill_provider_spend_dollars_total", provider="azure") == 2
    assert after("llamaparse_llm_calls_duration_seconds_count") == 2

    Usage.objects.filter(pk=running.pk).update(outcome=CallOutcome.ANSWERED, seconds=3)
    assert (
        metrics()("leafmill_provider_calls_total", provider="azure", page_parser="llm", outcome="answered", code="")
        == 2
    )


def test_quotas_are_reported_by_deployment(metrics: Metrics) -> None:
    make_deployment()

    after = metrics()

    assert after("leafmill_quota_limit", provider="azure", deployment="gpt-west", limit="requests_per_window") == 60
    assert after("leafmill_quota_used", provider="azure", deployment="gpt-west", limit="requests_per_window") == 0
    assert after("leafmill_deployment_available", provider="azure", deployment="gpt-west") == 1


def test_people_without_a_second_factor_are_counted(metrics: Metrics, django_user_model: Any) -> None:
    for name, rights in (("anna", {"is_staff": True}), ("ben", {"is_staff": True}), ("carl", {})):
        django_user_model.objects.create_user(name, **rights)
    TOTPDevice.objects.create(user=django_user_model.objects.get(username="anna"), confirmed=True)

    assert metrics()("leafmill_users_without_second_factor") == 1


def test_queues_and_open_jobs_are_reported(api: Api, metrics: Metrics) -> None:
    api.parse()

    after = metrics()

    assert after("leafmill_queue_waiting_messages", queue="parse_raw_file_job") == 1
    assert after("leafmill_queue_broker_messages", queue="parse_raw_file_job") == 1
    assert after("leafmill_jobs_pending") == 1
    assert after("leafmill_up", part="broker") == 1


def test_paused_queues_and_those_that_they_stop_are_reported(metrics: Metrics) -> None:
    before = metrics()
    pauses.pause(name="parse_raw_file_job_pages", by="tester")
    after = metrics()

    names = pauses.pausable()
    assert [name for name in names if before("leafmill_paused", what=name)] == []
    stopped = ["parse_raw_file_job_pages", "ocr_cpu", "ocr_gpu"]
    assert sorted(name for name in names if after("leafmill_paused", what=name)) == sorted(stopped)


def test_requests_are_counted_by_route_without_ids(api: Api, metrics: Metrics) -> None:
    api.job("pjb-unknown")

    after = metrics()

    assert after("api_http_requests_total", method="GET", handler="/api/v2/parse/<str:job_id>", status="4xx") >= 1
    assert "pjb-unknown" not in after.text


def test_processes_that_share_a_folder_report_the_requests_of_all(tmp_path: Path) -> None:
    shared = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "not" / "there"),
        "LEAFMILL_DATA": str(tmp_path),
    }
    outputs = [
        subprocess.run(
            [sys.executable, "-c", HANDLE_ONE_REQUEST],
            cwd=ROOT,
            env=os.environ | shared,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]

    seen = [Samples(text)("api_http_requests_total", method="GET", handler="/livez", status="2xx") for text in outputs]
    assert seen == [1, 2]


def test_the_other_metrics_remain_when_the_broker_is_down(api: Api, metrics: Metrics, settings: Any) -> None:
    make_deployment()
    use_broker("redis://127.0.0.1:1/0")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    api.parse()

    after = metrics()

    assert (after("leafmill_up", part="broker"), after("leafmill_up", part="quota_store")) == (0, 0)
    assert (after("leafmill_up", part="database"), after("leafmill_jobs_pending")) == (1, 1)


def test_a_quota_store_that_is_down_is_reported_without_deployments(metrics: Metrics, settings: Any) -> None:
    before = metrics()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert before("leafmill_up", part="quota_store") == 1
    assert metrics()("leafmill_up", part="quota_store") == 0


def test_counting_starts_with_the_first_scrape(api: Api, finish: Finish, metrics: Metrics) -> None:
    finish(api.parse().json()["id"])
    TallyMark.objects.all().delete()

    metrics()

    assert metrics()("llamaparse_done_total", status="succeeded") == 0


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}])
def test_metrics_require_the_token(metrics: Metrics, header: dict[str, str]) -> None:
    response = Client(headers=header).get("/metrics")

    assert response.status_code == 401
    assert "METRICS_TOKEN" in response.content.decode()


def test_metrics_do_not_exist_without_a_configured_token(metrics: Metrics, settings: Any) -> None:
    settings.METRICS_TOKEN = ""

    assert Client(headers={"authorization": f"Bearer {TOKEN}"}).get("/metrics").status_code == 404
