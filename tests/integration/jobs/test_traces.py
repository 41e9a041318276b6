"""The spans of a job: workers, outcomes and cost, but no text of the document."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from apps.core import tracing
from apps.documents import storage
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import ParseJob, Step
from apps.jobs.scheduling import claims
from apps.jobs.stages import recognize
from apps.jobs.states import Stage
from tests.documents.long import heading_of
from tests.documents.scans import scanned_pdf
from tests.fakes.collector import FakeCollector, Received
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.fakes.providers import credentials
from tests.integration.jobs.conftest import Submit, deliver, open_steps, rescue, run, run_to

SpansOf = Callable[[ParseJob], list[Received]]


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    with FakeCollector() as running:
        yield running


@pytest.fixture
def spans_of(collector: FakeCollector, settings: Any) -> Iterator[SpansOf]:
    """Return a function that flushes the exporter and returns the received spans of a job."""
    settings.TRACES_ENDPOINT = f"{collector.url}/v1/traces"
    tracing.start(["parse_raw_file_job"])

    def spans(job: ParseJob) -> list[Received]:
        tracing.stop()
        return collector.spans(job.pk)

    yield spans
    tracing.stop()


def outcomes(spans: list[Received], name: str) -> list[tuple[Any, ...]]:
    """Return pages, attempt, outcome, error and whether another attempt follows, for each span of this name."""
    return [
        (
            span.attributes.get("leafmill.pages"),
            span.attributes["leafmill.attempt"],
            span.attributes["leafmill.outcome"],
            span.error,
            span.attributes["leafmill.tried_again"],
        )
        for span in spans
        if span.name == name
    ]


def named(spans: list[Received], name: str) -> list[Received]:
    return [span for span in spans if span.name == name]


@pytest.mark.usefixtures("gateway")
def test_the_span_of_a_call_is_a_child_of_its_page(
    submit: Submit, provider: FakeProvider, spans_of: SpansOf, collector: FakeCollector
) -> None:
    deploy(provider)
    provider.fault("cut_text", times=1, finish="stop")
    job = run(submit(pages=2, mode="balanced", tier="balanced", uses_models=True))
    spans = spans_of(job)

    pages = {span.id: span for span in named(spans, "model")}
    assert [span.attributes["leafmill.queue"] for span in pages.values()] == ["llm", "llm"]
    assert [span.attributes["leafmill.cache"] for span in pages.values()] == ["miss", "miss"]
    calls = named(spans, "chat gpt-4o-mini")
    found = [
        (
            pages[call.parent].attributes["leafmill.pages"],
            call.attributes["leafmill.call"],
            call.attributes["leafmill.outcome"],
            call.error,
        )
        for call in calls
    ]
    assert found == [
        ("1", 1, "unusable", "output_incomplete"),
        ("1", 2, "answered", ""),
        ("2", 1, "answered", ""),
    ]
    assert {call.attributes["leafmill.provider"] for call in calls} == {"openai-account"}
    assert all(call.attributes["gen_ai.usage.input_tokens"] > 0 for call in calls)
    assert all(call.attributes["leafmill.cost_usd"] > 0 for call in calls)
    assert all(pages[call.parent].begun <= call.begun <= call.ended for call in calls)
    [root] = named(spans, "job")
    assert (root.attributes["leafmill.calls"], root.attributes["leafmill.failed_pages"]) == (3, 0)
    sent = b"".join(collector.bodies)
    for hidden in (credentials.OPENAI_KEY, "long.pdf", heading_of(1), heading_of(2)):
        assert hidden.encode() not in sent


@pytest.mark.usefixtures("gateway")
def test_an_unreachable_provider_has_a_span(submit: Submit, provider: FakeProvider, spans_of: SpansOf) -> None:
    deploy(provider)
    job = run_to(submit(pages=1, mode="balanced", tier="balanced", uses_models=True), Stage.MODEL)
    provider.stop()
    try:
        deliver(open_steps(job)[0])
    finally:
        provider.start()
    spans = spans_of(job)

    [page], [call] = named(spans, "model"), named(spans, "chat gpt-4o-mini")
    assert (call.parent, call.error, call.attributes["leafmill.outcome"]) == (
        page.id,
        "provider_unavailable",
        "not_sent",
    )
    assert outcomes(spans, "model") == [("1", 1, "put_off", "", True)]


def test_the_attempt_of_a_lost_worker_has_a_span(submit: Submit, spans_of: SpansOf) -> None:
    job = run_to(submit(pages=4), Stage.EXTRACT)
    (step,) = open_steps(job)
    claims.start_attempt(step_id=step.pk, fence=step.fence)
    Step.objects.filter(pk=step.pk).update(lease_expires_at=Now())
    rescue()
    spans = spans_of(run(job))

    assert outcomes(spans, "extract") == [
        ("1-4", 1, "lease_lost", "worker_lost", True),
        ("1-2", 1, "accepted", "", False),
        ("3-4", 1, "accepted", "", False),
    ]
    assert ":" in named(spans, "extract")[0].attributes["leafmill.worker"]


def test_a_late_result_has_a_span_of_its_own(submit: Submit, spans_of: SpansOf) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    (step,) = open_steps(job)
    with claims.claim_step(step_id=step.pk, fence=step.fence) as claim:
        assert claim is not None
        Step.objects.filter(pk=step.pk).update(lease_expires_at=Now())
        rescue()
        claims.complete(claim)
    spans = spans_of(job)

    assert [each[2:4] for each in outcomes(spans, "extract")] == [("lease_lost", "worker_lost"), ("refused", "")]
    assert len({span.id for span in spans}) == len(spans)


def test_a_failed_attempt_records_that_another_follows(submit: Submit, spans_of: SpansOf, settings: Any) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    (step,) = open_steps(job)
    original = Path(settings.STORAGES["default"]["OPTIONS"]["location"], storage.original(job.document_id or ""))
    aside = original.rename(original.with_suffix(".aside"))
    original.mkdir()  # an error that no outage explains
    deliver(step)
    original.rmdir()
    aside.rename(original)
    Step.objects.filter(pk=step.pk).update(not_before=None)
    spans = spans_of(run(job))

    assert outcomes(spans, "extract") == [
        ("1", 1, "failed", "storage_unavailable", True),
        ("1", 2, "accepted", "", False),
    ]


def test_a_recognised_page_has_three_spans(submit: Submit, spans_of: SpansOf) -> None:
    job = run_to(submit(scanned_pdf(1)), Stage.RECOGNIZE)
    (step,) = open_steps(job)
    request = recognize.render_page(step_id=step.pk, fence=step.fence)
    assert request is not None
    recognize.renew_ocr_lease(step_id=request["step_id"], fence=request["fence"], worker="ocr-1:77")
    now = float(int(time.time()))
    recognize.accept_ocr(
        step_id=request["step_id"], fence=request["fence"], code="ocr_failed", worked=[now, now + 2.5, "ocr-1:77"]
    )
    spans = spans_of(job)

    assert outcomes(spans, "render") == [("1", 1, "rendered", "", False)]
    assert outcomes(spans, "recognize") == [("1", 1, "failed", "ocr_failed", True)]
    [attempt], [work] = named(spans, "recognize"), named(spans, "recognize page")
    assert attempt.attributes["leafmill.worker"] == "ocr-1:77"
    assert (work.parent, work.error, work.ended - work.begun) == (attempt.id, "ocr_failed", 2_500_000_000)


@pytest.mark.parametrize("worked", [["x", float("nan"), {}], [1e18, 1e18, "x"]])
def test_invalid_times_of_an_ocr_worker_are_ignored(submit: Submit, spans_of: SpansOf, worked: Any) -> None:
    job = run_to(submit(scanned_pdf(1)), Stage.RECOGNIZE)
    (step,) = open_steps(job)
    request = recognize.render_page(step_id=step.pk, fence=step.fence)
    assert request is not None
    recognize.accept_ocr(step_id=request["step_id"], fence=request["fence"], code="ocr_failed", worked=worked)

    assert named(spans_of(job), "recognize page") == []


def test_a_cancelled_job_has_a_root_span(submit: Submit, spans_of: SpansOf) -> None:
    job = run_to(submit(pages=4), Stage.EXTRACT)
    cancel_job(job=job)

    [root] = named(spans_of(job), "job")
    assert (root.attributes["leafmill.outcome"], root.error) == ("cancelled", "")


def test_the_root_span_of_a_failed_job_has_its_error_code(submit: Submit, spans_of: SpansOf) -> None:
    job = run(submit(b"%PDF-1.7 and nothing else"))
    spans = spans_of(job)

    [root] = named(spans, "job")
    assert (root.attributes["leafmill.outcome"], root.error) == ("failed", job.error_code)
    assert outcomes(spans, "split")[0][2:4] == ("failed", job.error_code)


def test_a_short_document_has_two_spans_below_its_job(submit: Submit, spans_of: SpansOf, settings: Any) -> None:
    settings.SHORT_ROAD_PAGES = 16
    spans = spans_of(run(submit(pages=2)))

    [root] = named(spans, "job")
    assert {(span.name, span.parent) for span in spans} == {
        ("job", ""),
        ("split", root.id),
        ("assemble", root.id),
    }


def test_a_job_that_is_not_sampled_has_no_spans(submit: Submit, spans_of: SpansOf, settings: Any) -> None:
    settings.TRACES_SHARE = 0.0
    job = run(submit(pages=2))

    assert spans_of(job) == []
