"""Sending of traces: a collector that is away costs nobody anything, and is told once."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core import tracing
from apps.core.telemetry import Teller
from tests.fakes.collector import FakeCollector

JOB = "pjb-6c1fd1ac-6b2b-4ab8-9c9c-0f8e7c1a2b3d"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def span(number: int) -> tracing.Span:
    return tracing.Span("extract", JOB, begun_at=NOON, ended_at=NOON + timedelta(seconds=1), key=str(number))


def teller(collector: FakeCollector) -> Teller:
    return Teller(endpoint=f"{collector.url}/v1/traces", service="leafmill", version="1", queues=[])


def test_a_collector_that_is_away_is_told_once_and_its_return_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    failed = threading.Event()
    with FakeCollector() as collector:
        collector.refuses = True
        telling = teller(collector)
        handler = logging.Handler()
        handler.emit = lambda record: failed.set() if "does not take" in record.msg else None  # type: ignore[method-assign]
        logging.getLogger("apps.core.telemetry").addHandler(handler)
        for number in range(100):
            telling.tell(span(number))
        assert failed.wait(10)
        collector.refuses = False
        telling.stop()
        logging.getLogger("apps.core.telemetry").removeHandler(handler)

        assert 0 < len(collector.spans(JOB)) <= 5
    said = [record.getMessage() for record in caplog.records]
    assert sum("does not take traces; they are dropped until it does" in line for line in said) == 1
    assert sum("takes traces again" in line for line in said) == 1
    assert sum("Queue full" in line for line in said) == 1
    assert len(said) == 3


def test_ids_are_known_before_a_span_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    with FakeCollector() as collector:
        telling = teller(collector)
        telling.tell(tracing.Span("job", JOB, begun_at=NOON, ended_at=NOON, key=tracing.JOB))
        telling.tell(span(1))
        telling.tell(tracing.Span("call", JOB, begun_at=NOON, ended_at=NOON, parent="1"))
        telling.stop()
        spans = {each.name: each for each in collector.spans(JOB)}

    assert {each.trace_id for each in spans.values()} == {"6c1fd1ac6b2b4ab89c9c0f8e7c1a2b3d"}
    assert spans["job"].id == f"{tracing.span_id_of(JOB, tracing.JOB):016x}"
    assert (spans["job"].parent, spans["extract"].parent) == ("", spans["job"].id)
    assert spans["call"].parent == spans["extract"].id
    assert len({each.id for each in spans.values()}) == 3
    resource = spans["job"].resource
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("leafmill", "staging")


def test_what_cannot_be_sent_is_told_once_and_hurts_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    settings.TRACES_ENDPOINT = "http://127.0.0.1:1/v1/traces"
    tracing.start()
    tracing.tell(span(1))
    tracing.tell(span(2))
    tracing.stop()

    assert [record.getMessage() for record in caplog.records] == ["Traces cannot be sent; all else goes on"]


def test_a_span_that_cannot_be_told_hurts_nobody(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.TRACES_ENDPOINT = "http://127.0.0.1:1/v1/traces"
    tracing.start()
    tracing.tell(tracing.Span("job", "no id at all", begun_at=NOON, ended_at=NOON))
    tracing.stop()

    assert "could not be told" in caplog.text
