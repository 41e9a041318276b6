"""Quotas hold over all processes. The fake provider's log shows when requests arrived and which came too early."""

from __future__ import annotations

import pytest

from apps.providers.quota.terms import EPOCH_KEY
from tests.acceptance.backends import only_on_rabbitmq
from tests.acceptance.models.conftest import Document
from tests.acceptance.models.model_workers import (
    ModelWorkers,
    assert_every_page_by_a_model,
    deployed,
    upload,
)
from tests.acceptance.running_service import RunningService, wait_for
from tests.fakes.provider import FakeProvider
from tests.services import flush_redis, redis_client

# A request may take this long from the last check of the quota store until it reaches the provider, on two busy cores.
MAX_SECONDS_UNTIL_ARRIVAL = 1.0


@only_on_rabbitmq
def test_two_processes_never_exceed_a_quota(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 60
    provider.limit(requests=30, window_seconds=10.0)
    workers.deploy(deployed(provider, quota={"requests_per_window": 30, "window_seconds": 10.0}))

    job_id = upload(service, document(pages))

    assert_every_page_by_a_model(service, job_id, pages)
    counted = provider.stats()["openai/gpt-4o-mini"]
    assert (counted["requests"], counted["over_limit"], counted["early"]) == (pages, 0, 0)


@only_on_rabbitmq
@pytest.mark.chaos
def test_no_quota_is_exceeded_after_a_flush_of_the_quota_store(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 40
    redis_url = service.backends.environment["REDIS_URL"]
    provider.limit(requests=20, window_seconds=10.0)
    workers.deploy(deployed(provider, quota={"requests_per_window": 20, "window_seconds": 10.0}))
    job_id = upload(service, document(pages))
    wait_for(lambda: len(provider.requests()) >= 8, "some requests have arrived", seconds=30)

    flush_redis(redis_url)

    assert_every_page_by_a_model(service, job_id, pages)
    with redis_client(redis_url) as client:
        assert client.get(EPOCH_KEY) is not None
    counted = provider.stats()["openai/gpt-4o-mini"]
    assert (counted["requests"], counted["over_limit"]) == (pages, 0)


@only_on_rabbitmq
def test_no_request_arrives_before_the_retry_after_of_a_429(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 40
    workers.deploy(deployed(provider))
    provider.set_latency(0.2)
    provider.fault("status", code=429, retry_after="2", share=0.1, seed=3)

    job_id = upload(service, document(pages))

    assert_every_page_by_a_model(service, job_id, pages)
    seen = provider.requests()
    limited = [entry["arrived_at"] for entry in seen if entry["status"] == 429]
    assert 3 <= len(limited) <= 0.17 * pages
    assert len(seen) == pages + len(limited)
    for moment in limited:  # requests that were on their way when the 429 came may still arrive
        assert not [entry for entry in seen if moment + MAX_SECONDS_UNTIL_ARRIVAL < entry["arrived_at"] < moment + 2.0]
