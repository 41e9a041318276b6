"""Log lines: their context, and the secrets that they must not contain."""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import Any

import pytest

from apps.core import logs


@pytest.fixture(autouse=True)
def _no_context() -> None:
    """Clear the context that requests of earlier tests left in this thread."""
    logs.begin()


def line(message: str, *arguments: object, failed: bool = False) -> dict[str, Any]:
    exception = sys.exc_info() if failed else None
    record = logging.LogRecord("apps.jobs", logging.WARNING, "file.py", 1, message, arguments, exception)
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_a_json_line_is_an_object() -> None:
    found = line("Page %s of %s is blank", 3, "report.pdf")

    assert (found["level"], found["logger"], found["message"]) == (
        "WARNING",
        "apps.jobs",
        "Page 3 of report.pdf is blank",
    )
    assert found["time"].endswith("+00:00")
    assert set(found) == {"time", "level", "logger", "message"}


def test_a_line_has_the_context_of_its_block() -> None:
    with logs.about(job="pjb-1", page=""), logs.about(page="3"):
        inside = line("hello")

    assert (inside["job"], inside["page"]) == ("pjb-1", "3")
    assert "job" not in line("hello")


def test_a_text_line_names_the_job_and_its_pages() -> None:
    def text(message: str, *, failed: bool = False) -> str:
        exception = sys.exc_info() if failed else None
        record = logging.LogRecord("celery", logging.INFO, "file.py", 1, message, (), exception)
        return logs.LineFormatter("%(name)s %(message)s").format(record)

    with logs.about(**logs.job("pjb-1", "1-4"), request_id="r"):
        of_pages = text("Task extract_pages[4711] succeeded")
        try:
            raise ValueError("broken")
        except ValueError:
            first, *others = text("It failed", failed=True).splitlines()
    with logs.about(**logs.job("pjb-1", "0")):
        of_job = text("Task split_document[4711] succeeded")

    assert of_pages == "celery Task extract_pages[4711] succeeded [job pjb-1, page 1-4]"
    assert of_job == "celery Task split_document[4711] succeeded [job pjb-1]"
    assert (first, others[-1]) == ("celery It failed [job pjb-1, page 1-4]", "ValueError: broken")
    assert text("hello") == "celery hello"


def test_threads_have_separate_contexts() -> None:
    lines: list[dict[str, Any]] = []
    with logs.about(job="pjb-1"):
        thread = threading.Thread(target=lambda: lines.append(line("hello")))
        thread.start()
        thread.join()

    assert "job" not in lines[0]


def test_an_exception_is_on_the_same_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        found = line("It failed", failed=True)

    assert "ValueError: first\nsecond" in found["exception"]


@pytest.mark.parametrize(
    ("written", "logged"),
    [
        ("cannot reach redis://:hunter2@broker:6379/0", "cannot reach redis://:***@broker:6379/0"),
        ("postgres://leafmill:hunter2@db/leafmill failed", "postgres://leafmill:***@db/leafmill failed"),
        ("sent Authorization: Bearer sk-hunter2", "sent Authorization: Bearer ***"),
        ("no secret at 12:30:00 for a@b.example", "no secret at 12:30:00 for a@b.example"),
    ],
)
def test_secrets_are_masked_in_both_formats(written: str, logged: str) -> None:
    record = logging.LogRecord("apps", logging.INFO, "file.py", 1, written, (), None)

    assert line(written)["message"] == logged
    assert logs.LineFormatter("%(message)s").format(record) == logged


def test_the_trace_id_is_derived_from_the_job_id() -> None:
    assert logs.trace_id_of("pjb-3f1e9f0a-0c7b-4a39-9a52-6a3f7d4f9b11") == "3f1e9f0a0c7b4a399a526a3f7d4f9b11"


TOKEN = "WyJwamItMSIsInJlc3VsdC5tZCJd:1tZ0aB:s3cr3t-signature"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (f"Not Found: /api/v2/parse/signed/{TOKEN}", "Not Found: /api/v2/parse/signed/WyJwam***"),
        (f"GET http://x/api/ocr-exchange/{TOKEN} failed", "GET http://x/api/ocr-exchange/WyJwam*** failed"),
        ("https://b.s3.amazonaws.com/a?X-Amz-Date=1&X-Amz-Signature=abc", "https://b.s3.amazonaws.com/a?***"),
        ("'https://a.blob.core.windows.net/c?sv=1&sig=abc%3D'", "'https://a.blob.core.windows.net/c?***'"),
        ("GET /api/v2/parse?page_size=5 took 3 s", "GET /api/v2/parse?page_size=5 took 3 s"),
    ],
)
def test_signed_links_are_shortened(message: str, shown: str) -> None:
    assert line(message)["message"] == shown
    record = logging.LogRecord("apps.jobs", logging.WARNING, "file.py", 1, message, (), None)
    assert logs.LineFormatter().format(record) == shown
