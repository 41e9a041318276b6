"""Sending of traces: an unavailable collector is logged once and does not disturb the work."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core import tracing
from apps.core.spans import JOB as ROOT
from apps.core.spans import Span, span_id_of
from apps.core.telemetry import TraceExporter
from tests.fakes.collector import FakeCollector

JOB = "pjb-6c1fd1ac-6b2b-4ab8-9c9c-0f8e7c1a2b3d"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def span(number: int) -> Span:
    return Span("extract", JOB, begun_at=NOON, ended_at=NOON + timedelta(seconds=1), key=str(number))


def make_exporter(collector: FakeCollector) -> TraceExporter:
    return TraceExporter(endpoint=f"{collector.url}/v1/traces", service="leafmill", version="1", queues=[])


def test_an_outage_of_the_collector_is_logged_once_and_so_is_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    failed = threading.Event()
    with FakeCollector() as collector:
        collector.refuses = True
        exporter = make_exporter(collector)
        handler = logging.Handler()
        handler.emit = lambda record: failed.set() if "does not accept" in record.msg else None  # type: ignore[method-assign]
        logging.getLogger("apps.core.telemetry").addHandler(handler)
        for number in range(100):
            exporter.export(span(number))
        assert failed.wait(10)
        collector.refuses = False
        exporter.stop()
        logging.getLogger("apps.core.telemetry").removeHandler(handler)

        assert 0 < len(collector.spans(JOB)) <= 5
    messages = [record.getMessage() for record in caplog.records]
    assert sum("does not accept traces; spans are dropped until it does" in line for line in messages) == 1
    assert sum("accepts traces again" in line for line in messages) == 1
    assert sum("Queue full" in line for line in messages) == 1
    assert len(messages) == 3


def test_span_ids_are_known_before_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    with FakeCollector() as collector:
        exporter = make_exporter(collector)
        exporter.export(Span("job", JOB, begun_at=NOON, ended_at=NOON, key=ROOT))
        exporter.export(span(1))
        exporter.export(Span("call", JOB, begun_at=NOON, ended_at=NOON, parent="1"))
        exporter.stop()
        spans = {each.name: each for each in collector.spans(JOB)}

    assert {each.trace_id for each in spans.values()} == {"6c1fd1ac6b2b4ab89c9c0f8e7c1a2b3d"}
    assert spans["job"].id == f"{span_id_of(JOB, ROOT):016x}"
    assert (spans["job"].parent, spans["extract"].parent) == ("", spans["job"].id)
    assert spans["call"].parent == spans["extract"].id
    assert len({each.id for each in spans.values()}) == 3
    resource = spans["job"].resource
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("leafmill", "staging")


def test_a_failure_to_make_the_exporter_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    settings.TRACES_ENDPOINT = "http://127.0.0.1:1/v1/traces"
    tracing.start()
    tracing.export(span(1))
    tracing.export(span(2))
    tracing.stop()

    assert [record.getMessage() for record in caplog.records] == [
        "Traces cannot be exported; the service works without them"
    ]


def test_a_span_with_a_bad_job_id_is_logged_and_not_raised(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.TRACES_ENDPOINT = "http://127.0.0.1:1/v1/traces"
    tracing.start()
    tracing.export(Span("job", "no id at all", begun_at=NOON, ended_at=NOON))
    tracing.stop()

    assert "could not be exported" in caplog.text
