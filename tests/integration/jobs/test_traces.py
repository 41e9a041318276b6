"""What a collector of traces is told of a job: who did what, how it ended, what it cost; nothing of what was read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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

Told = Callable[[ParseJob], list[Received]]


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    with FakeCollector() as running:
        yield running


@pytest.fixture
def told(collector: FakeCollector, settings: Any) -> Iterator[Told]:
    """The spans of a job, once all that were told have been sent."""
    settings.TRACES_ENDPOINT = f"{collector.url}/v1/traces"
    tracing.start(["parse_raw_file_job"])

    def spans(job: ParseJob) -> list[Received]:
        tracing.stop()
        return collector.spans(job.pk)

    yield spans
    tracing.stop()


def outcomes(spans: list[Received], name: str) -> list[tuple[Any, ...]]:
    """Pages, attempt, outcome, error and whether another try follows, of each span of this name."""
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
def test_a_call_to_a_provider_stands_below_its_page(
    submit: Submit, provider: FakeProvider, told: Told, collector: FakeCollector
) -> None:
    deploy(provider)
    provider.fault("cut_text", times=1, finish="stop")
    job = run(submit(pages=2, mode="balanced", tier="balanced", uses_models=True))
    spans = told(job)

    pages = {span.id: span for span in named(spans, "model")}
    assert [span.attributes["leafmill.queue"] for span in pages.values()] == ["llm", "llm"]
    assert [span.attributes["leafmill.cache"] for span in pages.values()] == ["miss", "miss"]
    calls = named(spans, "chat gpt-4o-mini")
    told_of_calls = [
        (
            pages[call.parent].attributes["leafmill.pages"],
            call.attributes["leafmill.call"],
            call.attributes["leafmill.outcome"],
            call.error,
        )
        for call in calls
    ]
    assert told_of_calls == [
        ("1", 1, "unusable", "output_truncated"),
        ("1", 2, "answered", ""),
        ("2", 1, "answered", ""),
    ]
    assert {call.attributes["leafmill.provider"] for call in calls} == {"openai-account"}
    assert all(call.attributes["gen_ai.usage.input_tokens"] > 0 for call in calls)
    assert all(call.attributes["leafmill.cost_usd"] > 0 for call in calls)
    assert all(pages[call.parent].begun <= call.begun <= call.ended for call in calls)
    [whole] = named(spans, "job")
    assert (whole.attributes["leafmill.calls"], whole.attributes["leafmill.failed_pages"]) == (3, 0)
    sent = b"".join(collector.bodies)
    for hidden in (credentials.OPENAI_KEY, "long.pdf", heading_of(1), heading_of(2)):
        assert hidden.encode() not in sent


@pytest.mark.usefixtures("gateway")
def test_a_provider_that_cannot_be_reached_is_told(submit: Submit, provider: FakeProvider, told: Told) -> None:
    deploy(provider)
    job = run_to(submit(pages=1, mode="balanced", tier="balanced", uses_models=True), Stage.MODEL)
    provider.stop()
    try:
        deliver(open_steps(job)[0])
    finally:
        provider.start()
    spans = told(job)

    [page], [call] = named(spans, "model"), named(spans, "chat gpt-4o-mini")
    assert (call.parent, call.error, call.attributes["leafmill.outcome"]) == (
        page.id,
        "provider_unavailable",
        "not_sent",
    )
    assert outcomes(spans, "model") == [("1", 1, "put_off", "", True)]


def test_a_lost_worker_is_told_of_by_who_finds_out(submit: Submit, told: Told) -> None:
    job = run_to(submit(pages=4), Stage.EXTRACT)
    (step,) = open_steps(job)
    claims.start_attempt(step_id=step.pk, fence=step.fence)
    Step.objects.filter(pk=step.pk).update(lease_expires_at=Now())
    rescue()
    spans = told(run(job))

    assert outcomes(spans, "extract") == [
        ("1-4", 1, "lease_lost", "worker_lost", True),
        ("1-2", 1, "accepted", "", False),
        ("3-4", 1, "accepted", "", False),
    ]
    assert ":" in named(spans, "extract")[0].attributes["leafmill.worker"]


def test_a_worker_that_comes_back_too_late_is_told_of_as_well(submit: Submit, told: Told) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    (step,) = open_steps(job)
    with claims.claim_step(step_id=step.pk, fence=step.fence) as claim:
        assert claim is not None
        Step.objects.filter(pk=step.pk).update(lease_expires_at=Now())
        rescue()
        claims.complete(claim)
    spans = told(job)

    assert [told[2:4] for told in outcomes(spans, "extract")] == [("lease_lost", "worker_lost"), ("refused", "")]
    assert len({span.id for span in spans}) == len(spans)


def test_a_try_that_is_followed_by_another_says_so(submit: Submit, told: Told) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    (step,) = open_steps(job)
    original = storage.original(job.document_id or "")
    content = storage.read(original)
    storage.delete(original)
    deliver(step)
    storage.write(original, content)
    Step.objects.filter(pk=step.pk).update(not_before=None)
    spans = told(run(job))

    assert outcomes(spans, "extract") == [
        ("1", 1, "failed", "storage_unavailable", True),
        ("1", 2, "accepted", "", False),
    ]


def test_a_page_that_is_recognised_is_told_in_three_spans(submit: Submit, told: Told) -> None:
    job = run_to(submit(scanned_pdf(1)), Stage.RECOGNIZE)
    (step,) = open_steps(job)
    order = recognize.render_page(step_id=step.pk, fence=step.fence)
    assert order is not None
    recognize.keep_ocr_alive(step_id=order["step_id"], fence=order["fence"], worker="ocr-1:77")
    now = float(int(time.time()))
    recognize.accept_ocr(
        step_id=order["step_id"], fence=order["fence"], code="ocr_failed", worked=[now, now + 2.5, "ocr-1:77"]
    )
    spans = told(job)

    assert outcomes(spans, "render") == [("1", 1, "rendered", "", False)]
    assert outcomes(spans, "recognize") == [("1", 1, "failed", "ocr_failed", True)]
    [attempt], [work] = named(spans, "recognize"), named(spans, "recognize page")
    assert attempt.attributes["leafmill.worker"] == "ocr-1:77"
    assert (work.parent, work.error, work.ended - work.begun) == (attempt.id, "ocr_failed", 2_500_000_000)


@pytest.mark.parametrize("worked", [["x", float("nan"), {}], [1e18, 1e18, "x"]])
def test_what_an_ocr_worker_says_of_itself_is_not_believed_blindly(submit: Submit, told: Told, worked: Any) -> None:
    job = run_to(submit(scanned_pdf(1)), Stage.RECOGNIZE)
    (step,) = open_steps(job)
    order = recognize.render_page(step_id=step.pk, fence=step.fence)
    assert order is not None
    recognize.accept_ocr(step_id=order["step_id"], fence=order["fence"], code="ocr_failed", worked=worked)

    assert named(told(job), "recognize page") == []


def test_a_job_that_is_cancelled_ends_its_trace(submit: Submit, told: Told) -> None:
    job = run_to(submit(pages=4), Stage.EXTRACT)
    cancel_job(job=job)

    [whole] = named(told(job), "job")
    assert (whole.attributes["leafmill.outcome"], whole.error) == ("cancelled", "")


def test_a_job_that_fails_says_why(submit: Submit, told: Told) -> None:
    job = run(submit(b"%PDF-1.7 and nothing else"))
    spans = told(job)

    [whole] = named(spans, "job")
    assert (whole.attributes["leafmill.outcome"], whole.error) == ("failed", job.error_code)
    assert outcomes(spans, "split")[0][2:4] == ("failed", job.error_code)


def test_a_short_document_has_two_spans_below_its_job(submit: Submit, told: Told, settings: Any) -> None:
    settings.SHORT_ROAD_PAGES = 16
    spans = told(run(submit(pages=2)))

    [whole] = named(spans, "job")
    assert {(span.name, span.parent) for span in spans} == {
        ("job", ""),
        ("split", whole.id),
        ("assemble", whole.id),
    }


def test_no_job_is_told_of_where_none_is_sampled(submit: Submit, told: Told, settings: Any) -> None:
    settings.TRACES_SHARE = 0.0
    job = run(submit(pages=2))

    assert told(job) == []
