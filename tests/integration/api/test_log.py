"""Log lines contain the id of the request, and the job and pages of the work."""

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
    """The logged lines in the format of LOG_FORMAT=json."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


def test_lines_of_a_request_have_its_id(api: Api, lines: Lines) -> None:
    api.get("/api/v2/parse/pjb-unknown", headers={"x-request-id": "request-12345"})

    assert [(line["logger"], line["request_id"]) for line in lines()] == [("django.request", "request-12345")]


def test_lines_of_work_have_the_job_and_its_trace(api: Api, finish: Finish, lines: Lines, settings: Any) -> None:
    settings.SHORT_ROAD_PAGES = 0
    job_id = api.parse(long_document(40)).json()["id"]
    finish(job_id)

    not_sent = [line for line in lines() if "The broker did not accept assemble" in line["message"]]
    assert {line["job"] for line in not_sent} == {job_id}
    assert {line["trace_id"] for line in not_sent} == {job_id.removeprefix("pjb-").replace("-", "")}


def test_the_log_contains_no_api_key(api: Api, lines: Lines) -> None:
    key = api.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    api.get("/api/v2/parse/pjb-unknown", {"key": "x"})
    api.parse(b"no document")

    assert key
    assert key not in json.dumps(lines())


def test_the_log_contains_no_signed_link(api: Api, lines: Lines) -> None:
    path = api.get(f"/api/v1/beta/files/{api.upload().json()['id']}/content").json()["url"].partition("testserver")[2]
    assert api.get(path).status_code == 200
    assert api.get(f"{path}-forged").status_code == 404

    token = path.rpartition("/")[2]
    (logged,) = [line["message"] for line in lines() if "/signed/" in line["message"]]
    assert token[:6] in logged
    assert token[:12] not in logged
