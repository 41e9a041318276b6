"""Providers that are down or refuse the key: other providers or fallback text take their place."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

from tests.acceptance.backends import only_on_rabbitmq
from tests.acceptance.models.conftest import Document
from tests.acceptance.models.model_workers import (
    PROCESSES,
    WIDTH,
    ModelWorkers,
    assert_every_page_by_a_model,
    deployed,
    parsing,
    upload,
)
from tests.acceptance.running_service import RunningService, wait_for
from tests.documents.long import heading_of, long_document
from tests.fakes.provider import FakeProvider


@only_on_rabbitmq
def test_pages_go_to_the_next_provider_while_the_first_is_down(
    workers: ModelWorkers,
    service: RunningService,
    provider: FakeProvider,
    other_provider: FakeProvider,
    document: Document,
) -> None:
    pages = 120
    first, second = other_provider, provider
    workers.deploy(deployed(first), deployed(second, "anthropic", order=2))
    for server in (first, second):
        server.set_latency(1.0)
    job_id = upload(service, document(pages))
    wait_for(lambda: len(first.requests()) > PROCESSES * WIDTH, "the first has received some requests", seconds=30)
    assert second.requests() == []

    first.stop()
    stopped_at = time.time()

    assert_every_page_by_a_model(service, job_id, pages)
    arrived = [stopped_at, *(entry["arrived_at"] for entry in second.requests())]
    assert max(later - earlier for earlier, later in pairwise(arrived)) < 5.0

    first.start()
    asked_before = len(first.requests())

    def is_used_again() -> bool:
        assert service.wait(upload(service, document(1)), pause=0.1) == "COMPLETED"
        return len(first.requests()) > asked_before

    wait_for(is_used_again, "the first is used again", seconds=60, pause=1.0)


@only_on_rabbitmq
def test_a_provider_with_a_wrong_key_is_not_called_again(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 60
    workers.deploy(deployed(provider, secrets={"api_key": "sk-wrong"}), deployed(provider, "anthropic", order=2))
    provider.set_latency(0.2)

    job_id = upload(service, document(pages))

    assert_every_page_by_a_model(service, job_id, pages)
    refused = [entry for entry in provider.requests() if entry["family"] == "openai"]
    assert {entry["status"] for entry in refused} == {401}
    assert len(refused) <= PROCESSES * WIDTH  # those in flight when the first 401 came
    codes = dict(service.rows("SELECT name, trouble_code FROM providers_provider"))
    assert codes == {"openai-account": "provider_auth_failed", "anthropic-account": ""}


@only_on_rabbitmq
def test_pages_get_fallback_text_when_every_provider_is_down(
    shared_workers: ModelWorkers, provider: FakeProvider, tmp_path: Path
) -> None:
    pages = 10
    path = tmp_path / "never-answered.pdf"
    path.write_bytes(long_document(pages, columns=2))
    service = shared_workers.service
    kept = service.number("SELECT count(*) FROM jobs_pageanswer")
    shared_workers.start(PROVIDER_OUTAGE_WAIT="1")
    shared_workers.deploy(deployed(provider), deployed(provider, "anthropic", order=2))
    provider.stop()
    try:
        job_id = upload(service, path, disable_cache=False)
        assert service.wait(job_id, pause=0.2) == "COMPLETED"
    finally:
        provider.start()

    assert provider.requests() == []
    assert [page["fallback_used"] for page in parsing(service, job_id)] == [True] * pages
    text = service.result(job_id)["text_full"]
    assert all(heading_of(number) in text for number in range(1, pages + 1))
    assert [warning["code"] for warning in service.job(job_id)["job"]["warnings"]] == ["fallback_used"]
    assert service.number("SELECT count(*) FROM jobs_pageanswer") == kept
