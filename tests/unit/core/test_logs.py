"""Lines of the log: what they are about, and what never stands in them."""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import Any

import pytest

from apps.core import logs


def line(message: str, *arguments: object, failed: bool = False) -> dict[str, Any]:
    exception = sys.exc_info() if failed else None
    record = logging.LogRecord("apps.jobs", logging.WARNING, "file.py", 1, message, arguments, exception)
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_a_line_is_an_object() -> None:
    told = line("Page %s of %s is blank", 3, "report.pdf")

    assert (told["level"], told["logger"], told["message"]) == ("WARNING", "apps.jobs", "Page 3 of report.pdf is blank")
    assert told["time"].endswith("+00:00")
    assert set(told) == {"time", "level", "logger", "message"}


def test_a_line_says_what_it_is_about_until_the_block_ends() -> None:
    with logs.about(job="pjb-1", page=""), logs.about(page="3"):
        inside = line("hello")

    assert (inside["job"], inside["page"]) == ("pjb-1", "3")
    assert "job" not in line("hello")


def test_a_line_for_people_names_the_job_and_its_pages() -> None:
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


def test_threads_do_not_mix_what_they_are_about() -> None:
    told: list[dict[str, Any]] = []
    with logs.about(job="pjb-1"):
        thread = threading.Thread(target=lambda: told.append(line("hello")))
        thread.start()
        thread.join()

    assert "job" not in told[0]


def test_an_exception_is_told_on_the_same_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        told = line("It failed", failed=True)

    assert "ValueError: first\nsecond" in told["exception"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("cannot reach redis://:hunter2@broker:6379/0", "cannot reach redis://:***@broker:6379/0"),
        ("postgres://leafmill:hunter2@db/leafmill failed", "postgres://leafmill:***@db/leafmill failed"),
        ("sent Authorization: Bearer sk-hunter2", "sent Authorization: Bearer ***"),
        ("no secret at 12:30:00 for a@b.example", "no secret at 12:30:00 for a@b.example"),
    ],
)
def test_secrets_are_struck_out_in_both_formats(written: str, told: str) -> None:
    record = logging.LogRecord("apps", logging.INFO, "file.py", 1, written, (), None)

    assert line(written)["message"] == told
    assert logs.LineFormatter("%(message)s").format(record) == told


def test_a_trace_is_named_after_its_job() -> None:
    assert logs.trace_id_of("pjb-3f1e9f0a-0c7b-4a39-9a52-6a3f7d4f9b11") == "3f1e9f0a0c7b4a399a526a3f7d4f9b11"
