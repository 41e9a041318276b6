"""Requests that start, change or end a job are spans of its trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.core import tracing
from tests.fakes.collector import FakeCollector, Received
from tests.integration.api.conftest import Api, Finish

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RequestSpans = Callable[[str], list[Received]]


@pytest.fixture
def request_spans(settings: Any) -> Iterator[RequestSpans]:
    """Return the request spans of a job's trace after all spans have been exported."""
    settings.MIDDLEWARE = ["apps.api.request_traces.TraceRequests", *settings.MIDDLEWARE]
    with FakeCollector() as collector:
        settings.TRACES_ENDPOINT = f"{collector.url}/v1/traces"
        tracing.start()

        def requests(job_id: str) -> list[Received]:
            tracing.stop()
            return [span for span in collector.spans(job_id) if span.kind == 2]

        yield requests
        tracing.stop()


def test_every_request_that_changes_a_job_is_a_span(api: Api, finish: Finish, request_spans: RequestSpans) -> None:
    file_id = api.upload().json()["id"]
    job_id = api.parse_file(file_id).json()["id"]
    finish(job_id)
    api.post(f"/api/v2/parse/{job_id}/retry", {"pages": [1]}, content_type="application/json")
    api.post(f"/api/v2/parse/{job_id}/cancel")
    api.job(job_id)

    assert [(span.name, span.attributes["http.response.status_code"]) for span in request_spans(job_id)] == [
        ("POST /api/v2/parse", 200),
        ("POST /api/v2/parse/<str:job_id>/retry", 200),
        ("POST /api/v2/parse/<str:job_id>/cancel", 200),
    ]


@pytest.mark.parametrize(
    ("sent", "links"),
    [
        (f"00-{TRACE}-{SPAN}-01", ((TRACE, SPAN),)),
        (f"00-{TRACE}-{SPAN}-00", ((TRACE, SPAN),)),
        (f"00-{'0' * 32}-{SPAN}-01", ()),
        ("nonsense" * 1000, ()),
        ("", ()),
    ],
)
def test_the_trace_of_the_caller_is_linked_if_its_header_is_valid(
    api: Api, request_spans: RequestSpans, sent: str, links: tuple[tuple[str, str], ...]
) -> None:
    api.defaults["HTTP_TRACEPARENT"] = sent
    api.defaults["HTTP_X_REQUEST_ID"] = "request-12345"
    job_id = api.parse().json()["id"]

    [span] = request_spans(job_id)
    assert span.links == links
    assert span.attributes["leafmill.request_id"] == "request-12345"
    assert span.trace_id == job_id.removeprefix("pjb-").replace("-", "")
