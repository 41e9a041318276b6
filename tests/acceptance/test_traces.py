"""Traces of a running service, as an OpenTelemetry collector receives them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.acceptance.backends import embedded_backends
from tests.acceptance.running_service import MANAGE, PARSE_QUEUES, Backends, RunningService, wait_for
from tests.documents.long import heading_of, long_document
from tests.documents.scans import scanned_pdf
from tests.fakes.collector import FakeCollector, Received

PAGES = 8
PROCESSES = 2
FILE_NAME = "quite-confidential.pdf"
CALLER_TRACE, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def collector() -> Iterator[FakeCollector]:
    with FakeCollector() as running:
        yield running


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with embedded_backends(tmp_path_factory.mktemp("backends")) as running:
        yield running


@pytest.fixture(scope="module")
def service(
    backends: Backends, collector: FakeCollector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "600000",  # so that a process sends its spans only when it ends
        "PAGES_PER_RANGE": "4",
        "SHORT_ROAD_PAGES": "0",
        "OCR_ENGINES": "null",
        "OCR_WORKER": "1",
    }
    service = RunningService(backends, tmp_path_factory.mktemp("service"), settings)
    service.prepare()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("documents") / FILE_NAME
    path.write_bytes(long_document(PAGES))
    return path


def upload(service: RunningService, document: Path) -> str:
    """Upload a document as a caller does whose own requests are traced."""
    with service.client() as client:
        answer = client.post(
            "/api/v2/parse/upload",
            data={"configuration": '{"tier":"fast","version":"latest"}'},
            files={"file": (document.name, document.read_bytes(), "application/pdf")},
            headers={"traceparent": f"00-{CALLER_TRACE}-{CALLER_SPAN}-01"},
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def named(spans: list[Received], name: str) -> list[Received]:
    return [span for span in spans if span.name == name]


@dataclass(frozen=True)
class Done:
    """The jobs of a service that has stopped: one of a document with text, one of a scanned page."""

    text: str
    scan: str


@pytest.fixture(scope="module")
def done(service: RunningService, document: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    scan = tmp_path_factory.mktemp("documents") / FILE_NAME
    scan.write_bytes(scanned_pdf(1))
    service.start("parse", *MANAGE, "work", *PARSE_QUEUES)
    service.start("housekeeping", *MANAGE, "work", "housekeeping")
    service.start("ocr", sys.executable, "-m", "ocr_worker", "ocr_cpu")
    service.start_web()
    jobs = Done(upload(service, document), upload(service, scan))
    for job_id in (jobs.text, jobs.scan):
        assert service.wait(job_id) == "COMPLETED"
    service.stop()
    return jobs


def test_a_job_is_one_trace_from_upload_to_result(done: Done, collector: FakeCollector) -> None:
    spans = collector.spans(done.text)

    [job] = named(spans, "job")
    assert sorted(span.name for span in spans if span.parent == job.id) == [
        "POST /api/v2/parse/upload",
        "assemble",
        "extract",
        "extract",
        "plan",
        "split",
    ]
    assert (job.parent, len(spans), len({span.id for span in spans})) == ("", 7, 7)
    assert job.attributes["leafmill.job"] == done.text
    assert job.attributes["leafmill.outcome"] == "succeeded"
    assert job.attributes["leafmill.page_count"] == PAGES
    [request] = named(spans, "POST /api/v2/parse/upload")
    assert request.links == ((CALLER_TRACE, CALLER_SPAN),)
    assert request.attributes["http.response.status_code"] == 200
    ranges = named(spans, "extract")
    assert {span.attributes["leafmill.pages"] for span in ranges} == {"1-4", "5-8"}
    assert {span.attributes["leafmill.queue"] for span in ranges} == {"parse_raw_file_job_pages"}
    assert {(span.attributes["leafmill.attempt"], span.attributes["leafmill.outcome"]) for span in ranges} == {
        (1, "accepted")
    }
    assert {tuple(span.resource["leafmill.queues"]) for span in ranges} <= {PARSE_QUEUES, PARSE_QUEUES[::-1]}
    assert {span.resource["service.name"] for span in spans} == {"leafmill"}
    assert all(job.begun <= span.begun <= span.ended <= job.ended for span in ranges)


def test_housekeeping_sends_the_spans_of_ocr_workers(done: Done, collector: FakeCollector) -> None:
    spans = collector.spans(done.scan)

    [rendered], [recognized], [work] = (named(spans, name) for name in ("render", "recognize", "recognize page"))
    assert (rendered.attributes["leafmill.outcome"], rendered.attributes["leafmill.pages"]) == ("rendered", "1")
    assert recognized.attributes["leafmill.queue"] == "ocr_cpu"
    assert recognized.resource["leafmill.queues"] == ["housekeeping"]
    assert recognized.attributes["leafmill.worker"] == work.attributes["leafmill.worker"]
    assert (work.parent, work.error) == (recognized.id, "")
    assert work.begun < work.ended <= recognized.ended


@pytest.mark.usefixtures("done")
def test_no_text_file_name_or_key_is_sent(service: RunningService, collector: FakeCollector) -> None:
    sent = b"".join(collector.bodies)
    assert sent
    for hidden in (service.key, FILE_NAME, *map(heading_of, range(1, PAGES + 1))):
        assert hidden.encode() not in sent


def test_jobs_complete_while_the_collector_refuses(
    service: RunningService, collector: FakeCollector, document: Path
) -> None:
    collector.refuses = True
    impatient = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    service = replace(service, settings=service.settings | impatient)
    service.start_web()
    worker = service.start_worker()
    for _ in range(2):
        assert service.wait(upload(service, document)) == "COMPLETED"
    wait_for(lambda: b"does not accept traces" in worker.log.read_bytes(), "the log has the warning", seconds=30)
    service.stop()

    log = worker.log.read_text(encoding="utf-8")
    assert log.count("does not accept traces") <= PROCESSES
    assert "Traceback" not in log
    assert "opentelemetry" not in log
