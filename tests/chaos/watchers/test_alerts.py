"""Prometheus scrapes a running service. Its alerts fire while a fault lasts and clear after it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.backends import EMBEDDED
from tests.acceptance.models.model_workers import deploy, deployed, upload
from tests.acceptance.running_service import Backends, RunningService
from tests.chaos.watchers.prometheus import Prometheus, start_prometheus
from tests.documents.long import long_document
from tests.fakes.provider import FakeProvider
from tests.fakes.receiver import Answer, Receiver

TOKEN = "watcher-4711"
pytestmark = [
    pytest.mark.chaos,
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.parametrize("backends", [EMBEDDED], indirect=True, scope="module"),
]


@pytest.fixture(scope="module")
def shared_service(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    settings = {"METRICS_TOKEN": TOKEN, "OUTBOUND_NETWORKS": "127.0.0.0/8", "LEASE_SECONDS": "10"}
    service = RunningService(backends, tmp_path_factory.mktemp("service"), settings)
    service.prepare()
    service.start_web()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture
def service(shared_service: RunningService) -> Iterator[RunningService]:
    """The shared service; workers that a test starts end after it."""
    before = len(shared_service.processes)
    yield shared_service
    for process in reversed(shared_service.processes[before:]):
        process.kill()
        shared_service.processes.remove(process)


@pytest.fixture(scope="module")
def prometheus(shared_service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with start_prometheus(shared_service, TOKEN, tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "two.pdf"
    path.write_bytes(long_document(2))
    return path


def test_pages_wait_without_a_worker(service: RunningService, prometheus: Prometheus, document: Path) -> None:
    assert prometheus.firing() == {}

    job_id = service.upload(document)
    summary = prometheus.wait_until_fires("LeafmillQueueIsNotTaken")

    assert summary == "Work waits in parse_raw_file_job and no worker processes it"
    service.start_worker()
    assert service.wait(job_id) == "COMPLETED"
    prometheus.wait_until_clears("LeafmillQueueIsNotTaken")


def test_a_receiver_of_webhooks_accepts_nothing(
    service: RunningService, prometheus: Prometheus, document: Path
) -> None:
    service.start_worker()
    service.start_worker("housekeeping", "housekeeping")
    with Receiver(lambda _: Answer(status=500)) as receiver:
        webhook = {"webhook_url": receiver.url, "webhook_events": ["parse.success"]}
        configuration = {"tier": "fast", "version": "latest", "webhook_configurations": [webhook]}
        job_id = service.upload(document, configuration=json.dumps(configuration))
        assert service.wait(job_id) == "COMPLETED"
        give_up(service, receiver)

        summary = prometheus.wait_until_fires("LeafmillWebhooksFail")

    assert summary == "Webhooks were given up after ten attempts"
    prometheus.wait_until_clears("LeafmillWebhooksFail")


def give_up(service: RunningService, receiver: Receiver) -> None:
    """Let three days of attempts pass: make each next attempt due as soon as the one before it was refused."""
    until = time.monotonic() + 120
    while service.number("SELECT count(*) FROM webhooks_webhookdelivery WHERE state='failed'") == 0:
        assert time.monotonic() < until, f"{len(receiver.received)} attempts in 120 s"
        service.rows("UPDATE webhooks_webhookdelivery SET due_at=created_at WHERE state='pending'")
        time.sleep(0.5)
    assert len(receiver.received) == 10


def test_a_provider_answers_nothing(service: RunningService, prometheus: Prometheus, document: Path) -> None:
    with ExitStack() as parts:
        provider = parts.enter_context(FakeProvider())
        deploy(service, deployed(provider))
        service.start_worker()
        service.start_worker("models", "llm")
        provider.fault("status", code=500)
        name = service.rows("SELECT name FROM providers_provider")[0][0]
        jobs: list[str] = []

        def fires() -> bool:
            jobs.append(upload(service, document))
            time.sleep(1)
            return "LeafmillProviderFails" in prometheus.firing()

        until = time.monotonic() + 120
        while not fires():
            assert time.monotonic() < until, f"{len(jobs)} jobs have raised no alert"
        assert prometheus.firing()["LeafmillProviderFails"] == f"100% of the calls to {name} fail"

        provider.reset()
        for job_id in jobs:
            assert service.wait(job_id, pause=0.2) == "COMPLETED"
        prometheus.wait_until_clears("LeafmillProviderFails")
