"""Jobs that can wait, on deployments with a batch API: half the price, nothing lost, nothing paid twice."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db.models import F
from django.utils import timezone

from apps.jobs.commands import delete
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import JobPage, LeaderLock, ParseJob, Step
from apps.jobs.stages.model_calls import batches
from apps.jobs.states import JobState, Stage, StepState
from apps.providers.calls.gateway import Gateway
from apps.providers.ledger import job_quota_key
from apps.providers.models import Batch, BatchRequest, BatchState, CallOutcome, Deployment, Usage
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.fakes.providers import credentials
from tests.integration.jobs.conftest import Submit, deliver, open_steps, run, run_to

HOURS: dict[str, Any] = {"mode": "balanced", "tier": "balanced", "uses_models": True, "options": {"urgency": "hours"}}
PAGE_NANOS = 1800 * 2500 + 1000 * 10_000

pytestmark = pytest.mark.usefixtures("gateway")


def batched(provider: FakeProvider, family: str = "openai", **fields: Any) -> Deployment:
    provider.count_tokens(input=1800, output=1000)
    return deploy(provider, family, batch=True, **fields)


def put_in(job: ParseJob) -> ParseJob:
    """Deliver the job's steps until all its pages wait for a batch."""
    run_to(job, Stage.MODEL)
    for step in open_steps(job, Stage.MODEL):
        deliver(step)
    return job


def pass_time() -> None:
    """Let the pauses of the batches pass, and look after them."""
    LeaderLock.objects.filter(name="batches").delete()
    BatchRequest.objects.update(created_at=F("created_at") - timedelta(minutes=5), not_before=None)
    Batch.objects.update(check_at=timezone.now() - timedelta(seconds=1))
    batches.look_after_batches()


def half_of_its_time_passes() -> None:
    ParseJob.objects.update(created_at=F("deadline_at") - timedelta(hours=20))
    BatchRequest.objects.update(until=timezone.now() - timedelta(seconds=1))


def booked() -> list[tuple[str, str, int | None]]:
    return list(Usage.objects.order_by("pk").values_list("service_tier", "outcome", "cost_nanos"))


def warnings_of(job: ParseJob) -> dict[str, Any]:
    return {warning["code"]: warning.get("pages") for warning in job.warnings}


@pytest.mark.parametrize("family", ["openai", "azure", "anthropic"])
def test_pages_of_a_job_are_answered_by_one_batch_at_half_price(
    submit: Submit, provider: FakeProvider, family: str
) -> None:
    batched(provider, family)
    job = put_in(submit(pages=2, **HOURS))

    pass_time()
    [sent] = provider.batches()["batches"]
    pass_time()
    provider.end_batches()
    pass_time()
    run(job)

    assert job.state == JobState.SUCCEEDED
    assert sent["pages"] == 2
    assert booked() == [("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2)] * 2
    assert provider.requests() == []
    assert "batch_unanswered" not in warnings_of(job)
    assert [page.facts["requests"] for page in JobPage.objects.filter(job=job)] == [1, 1]
    assert "fallback" not in str([page.facts for page in JobPage.objects.filter(job=job)])
    if family != "anthropic":
        assert provider.batches()["files"] == []


def test_the_picture_of_a_page_is_in_the_batch(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    put_in(submit(pages=1, **HOURS | {"mode": "multimodal", "tier": "multimodal"}))

    pass_time()

    assert provider.batches()["batches"][0]["pictures"] == 1


def test_a_page_in_a_batch_is_sent_on_when_its_answer_is_there(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    job = put_in(submit(pages=1, **HOURS))
    [step] = open_steps(job)
    assert (step.state, step.starts) == (StepState.PENDING, 0)
    assert step.not_before is not None
    pass_time()
    provider.end_batches()

    pass_time()

    assert Step.objects.filter(pk=step.pk, not_before__lte=timezone.now()).exists()


@pytest.mark.parametrize("family", ["openai", "azure", "anthropic"])
def test_a_batch_whose_response_was_lost_is_found_again_and_not_sent_twice(
    submit: Submit, provider: FakeProvider, family: str
) -> None:
    batched(provider, family)
    job = put_in(submit(pages=2, **HOURS))
    provider.fault("reset", family=f"{family}-batch", model="POST */batches", times=1)

    pass_time()
    assert Batch.objects.get().state == BatchState.SENDING
    pass_time()
    provider.end_batches()
    pass_time()
    pass_time()
    run(job)

    assert provider.batches()["created"] == 1
    assert booked() == [("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2)] * 2


def sent_by_others(provider: FakeProvider, family: str, count: int) -> None:
    """Create batches with one request each, as another program with the same key would."""
    body: dict[str, Any]
    if family == "anthropic":
        headers = {"x-api-key": credentials.ANTHROPIC_KEY, "anthropic-version": "2023-06-01"}
        url, body = f"{provider.url}/anthropic/v1/messages/batches", {"requests": [{"custom_id": "a", "params": {}}]}
    else:
        headers = {"Authorization": f"Bearer {credentials.OPENAI_KEY}"}
        url = f"{provider.url}/openai/v1/batches"
        line = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}})
        files = {"file": ("others.jsonl", line)}
        stored = httpx.post(f"{provider.url}/openai/v1/files", headers=headers, data={"purpose": "batch"}, files=files)
        file = stored.raise_for_status().json()["id"]
        body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    with httpx.Client(headers=headers, trust_env=False) as client:
        for _ in range(count):
            client.post(url, json=body).raise_for_status()


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_a_lost_batch_is_found_behind_more_batches_than_one_list_has(
    submit: Submit, provider: FakeProvider, family: str
) -> None:
    batched(provider, family)
    job = put_in(submit(pages=2, **HOURS))
    provider.fault("reset", family=f"{family}-batch", model="POST */batches", times=1)
    pass_time()
    provider.end_batches()
    sent_by_others(provider, family, 101)

    for _ in range(3):
        pass_time()
    run(job)

    assert provider.batches()["created"] == 102
    assert booked() == [("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2)] * 2


@pytest.mark.parametrize("path", ["POST */files", "POST */batches"])
def test_a_provider_that_is_overloaded_gets_the_batch_later(submit: Submit, provider: FakeProvider, path: str) -> None:
    batched(provider)
    job = put_in(submit(pages=1, **HOURS))
    provider.fault("overloaded", family="openai-batch", model=path, times=2)

    for _ in range(4):
        pass_time()
    provider.end_batches()
    pass_time()
    run(job)

    assert booked() == [("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2)]


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_pages_that_a_batch_did_not_answer_are_asked_for_one_by_one_with_a_warning(
    submit: Submit, provider: FakeProvider, family: str
) -> None:
    batched(provider, family)
    job = put_in(submit(pages=3, **HOURS))
    pass_time()
    provider.end_batches("expired", answered=2)
    pass_time()

    run(job)

    assert warnings_of(job) == {"batch_unanswered": 1}
    assert booked() == [
        *[("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2)] * 2,
        ("batch", CallOutcome.FAILED, 0),
        ("", CallOutcome.ANSWERED, PAGE_NANOS),
    ]


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_a_request_that_the_provider_refuses_inside_a_batch_is_asked_for_again(
    submit: Submit, provider: FakeProvider, family: str
) -> None:
    batched(provider, family)
    job = put_in(submit(pages=1, **HOURS))
    pass_time()
    provider.know_models(family, "other")
    provider.end_batches()
    provider.know_models(family, "*")
    pass_time()

    run(job)

    assert warnings_of(job) == {"batch_unanswered": 1}
    assert booked()[-1] == ("", CallOutcome.ANSWERED, PAGE_NANOS)


def test_an_answer_that_is_not_usable_is_paid_and_asked_for_again(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    provider.fault("prose", times=1)
    job = put_in(submit(pages=1, **HOURS))
    pass_time()
    provider.end_batches()
    pass_time()

    run(job)

    assert booked() == [
        ("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2),
        ("", CallOutcome.ANSWERED, PAGE_NANOS),
    ]
    assert Usage.objects.order_by("pk").first().error_code  # type: ignore[union-attr]
    assert JobPage.objects.get(job=job).facts["requests"] == 2


def test_a_batch_with_too_many_tokens_waits_and_is_formed_again(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    job = put_in(submit(pages=1, **HOURS))
    pass_time()
    provider.end_batches("failed", code="token_limit_exceeded")
    for _ in range(2):
        pass_time()
    provider.end_batches()
    pass_time()

    run(job)

    assert booked() == [("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2)]
    assert sorted(Batch.objects.values_list("state", flat=True)) == [BatchState.ENDED, BatchState.FAILED]


def test_a_refused_batch_leads_to_usual_calls(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    job = put_in(submit(pages=2, **HOURS))
    pass_time()
    provider.end_batches("failed", code="invalid_json_line")
    pass_time()

    run(job)

    assert warnings_of(job) == {"batch_unanswered": 2}
    assert booked()[2:] == [("", CallOutcome.ANSWERED, PAGE_NANOS)] * 2


@pytest.mark.parametrize("family", ["openai", "anthropic"])
def test_a_cancelled_job_cancels_its_batch_and_pays_what_was_answered(
    submit: Submit, provider: FakeProvider, family: str
) -> None:
    batched(provider, family)
    job = put_in(submit(pages=2, **HOURS))
    pass_time()

    cancel_job(job=job)
    pass_time()
    pass_time()
    assert provider.batches()["batches"][0]["status"] == "cancelling"
    provider.end_batches("cancelled", answered=1)
    pass_time()
    pass_time()

    assert sorted(booked()) == [("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2), ("batch", CallOutcome.FAILED, 0)]
    assert not BatchRequest.objects.exists()


def test_a_job_cancelled_before_its_batch_was_sent_costs_nothing(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    job = put_in(submit(pages=2, **HOURS))

    cancel_job(job=job)
    pass_time()

    assert (booked(), provider.batches()["created"], BatchRequest.objects.count()) == ([], 0, 0)


def test_a_batch_stops_only_when_no_job_wants_it(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    jobs = [put_in(submit(pages=1, **HOURS)) for _ in range(2)]
    pass_time()
    cancel_job(job=jobs[0])
    pass_time()
    provider.end_batches()
    pass_time()

    run(jobs[1])

    assert provider.batches()["created"] == 1
    assert jobs[1].state == JobState.SUCCEEDED


def test_after_half_of_the_jobs_time_its_batch_is_cancelled_and_pages_are_asked_for_one_by_one(
    submit: Submit, provider: FakeProvider
) -> None:
    batched(provider)
    job = put_in(submit(pages=2, **HOURS))
    pass_time()
    half_of_its_time_passes()

    for _ in range(3):
        pass_time()
    assert provider.batches()["batches"][0]["status"] == "cancelling"
    provider.end_batches("cancelled", answered=1)
    pass_time()
    run(job)

    assert sorted(booked()) == [
        ("", CallOutcome.ANSWERED, PAGE_NANOS),
        ("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2),
        ("batch", CallOutcome.FAILED, 0),
    ]


def test_a_provider_that_never_ends_a_batch_holds_no_page(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    job = put_in(submit(pages=1, **HOURS))
    pass_time()
    half_of_its_time_passes()
    pass_time()
    BatchRequest.objects.update(until=timezone.now() - timedelta(hours=1))
    pass_time()

    run(job)

    assert [tier for tier, _, _ in booked()] == ["batch", ""]
    assert Batch.objects.get().state == BatchState.FAILED


def test_a_job_with_little_time_uses_no_batch(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)

    run(
        submit(
            pages=1,
            **HOURS | {"options": {"urgency": "hours", "processing_control": {"timeouts": {"base_in_seconds": 600}}}},
        )
    )

    assert booked() == [("", CallOutcome.ANSWERED, PAGE_NANOS)]


def test_agentic_pages_and_urgent_jobs_use_no_batch(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)

    run(submit(pages=1, **HOURS | {"mode": "agentic", "tier": "agentic"}))
    run(submit(pages=1, **HOURS | {"options": {}}))

    assert {tier for tier, _, _ in booked()} == {""}
    assert provider.batches()["created"] == 0


def test_the_limit_of_costs_holds_for_pages_in_batches(
    submit: Submit, provider: FakeProvider, gateway: Gateway
) -> None:
    batched(provider)
    job = put_in(submit(pages=4, **HOURS | {"options": {"urgency": "hours", "max_cost": 0.02}}))
    held = gateway.quota_states([job_quota_key(job.pk)])[0].money_today
    pass_time()
    provider.end_batches()
    pass_time()

    waiting = BatchRequest.objects.count()
    for step in open_steps(job, Stage.MODEL)[:waiting]:
        deliver(step)

    assert 0 < waiting < 4
    assert 0 < held <= 20_000
    spent = gateway.quota_states([job_quota_key(job.pk)])[0].money_today
    assert spent <= 20_000
    assert spent == -(-PAGE_NANOS // 2000) * waiting


def test_pages_of_a_deleted_job_leave_nothing_behind(submit: Submit, provider: FakeProvider) -> None:
    batched(provider)
    job = put_in(submit(pages=1, **HOURS))
    pass_time()
    provider.end_batches()
    pass_time()
    run(job)

    delete.delete_job(job=job)

    assert not BatchRequest.objects.exists()
    assert Usage.objects.count() == 1


def test_a_paused_deployment_sends_no_batch_but_takes_results(submit: Submit, provider: FakeProvider) -> None:
    row = batched(provider)
    job = put_in(submit(pages=1, **HOURS))
    pass_time()
    Deployment.objects.filter(pk=row.pk).update(paused=True)
    provider.end_batches()

    pass_time()

    assert booked() == [("batch", CallOutcome.ANSWERED, PAGE_NANOS // 2)]
    assert job.pk
