"""What the log's lines are about: the request that is answered, the job and the pages that are worked on."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.core import logs
from tests.documents.long import long_document
from tests.integration.api.conftest import Api, Finish

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What was logged, as LOG_FORMAT=json writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


def test_a_request_is_named_by_its_id(api: Api, lines: Lines) -> None:
    api.get("/api/v2/parse/pjb-unknown", headers={"x-request-id": "request-12345"})

    assert [(line["logger"], line["request_id"]) for line in lines()] == [("django.request", "request-12345")]


def test_work_is_named_by_its_job(api: Api, finish: Finish, lines: Lines, settings: Any) -> None:
    settings.SHORT_ROAD_PAGES = 0
    job_id = api.parse(long_document(40)).json()["id"]
    finish(job_id)

    not_sent = [line for line in lines() if "The broker did not accept assemble" in line["message"]]
    assert {line["job"] for line in not_sent} == {job_id}
    assert {line["trace_id"] for line in not_sent} == {job_id.removeprefix("pjb-").replace("-", "")}


def test_a_log_of_requests_holds_no_key(api: Api, lines: Lines) -> None:
    key = api.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    api.get("/api/v2/parse/pjb-unknown", {"key": "x"})
    api.parse(b"no document")

    assert key
    assert key not in json.dumps(lines())
