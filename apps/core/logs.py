"""Log formats, and the context of log lines: the request, the job and its pages.

The context is set once, where the work starts, and is added to every line of the same thread until the block ends.
Any app may import this module; it imports none.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default={})  # noqa: B039 (replaced, never mutated)
# A password in a URL, credentials in a header.
_SECRETS = re.compile(r"(?<=:)[^\s:/@]+(?=@)|(?<=bearer )\S+|(?<=basic )\S+", re.IGNORECASE)
# The query of a URL may be its signature (S3, Azure), and so may a parameter outside of a URL.
_QUERIES = re.compile(
    r"(?<=\?)[^\s\"'<>?]*(?:sig|signature|credential|token|key|secret|password)=[^\s\"'<>]*", re.IGNORECASE
)
# Our own signed links: the beginning of a token tells links apart and opens none.
_SIGNED_LINKS = re.compile(r"(/(?:signed|ocr-exchange)/[\w-]{6})[^\s\"'<>/?#]*")
HIDDEN = "***"


@contextmanager
def about(**context: str) -> Iterator[None]:
    """Add these fields to the lines that this thread logs in the block; empty ones are left out."""
    token = _context.set({**_context.get(), **{name: value for name, value in context.items() if value}})
    try:
        yield
    finally:
        _context.reset(token)


def begin(**context: str) -> None:
    """Replace the context of this thread's lines by these fields; without any, clear it."""
    _context.set({name: value for name, value in context.items() if value})


def current(name: str) -> str:
    """Return a field of the context of this thread's lines, "" if it is not set."""
    return _context.get().get(name, "")


def job(job_id: str, pages: str) -> dict[str, str]:
    """Return the context of work on a job; ``pages`` as in a step, "0" for the whole job."""
    return {"job": job_id, "page": "" if pages == "0" else pages, "trace_id": trace_id_of(job_id)}


def trace_id_of(job_id: str) -> str:
    """Return the OpenTelemetry trace id of a job: the job id without its prefix and hyphens."""
    return job_id.partition("-")[2].replace("-", "")


class LineFormatter(logging.Formatter):
    """A line for people, with the job and its pages after the message."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        context = _context.get()
        fields = [f"{name} {context[name]}" for name in ("job", "page") if name in context]
        return super().formatMessage(record) + (f" [{', '.join(fields)}]" if fields else "")

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class JsonFormatter(logging.Formatter):
    """A JSON object on one line.

    Fields: time (UTC), level, logger, message; if known, request_id, job, page, trace_id and exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
            **_context.get(),
        }
        if record.exc_info:
            fields["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False, default=str)


def without_secrets(text: str) -> str:
    """Return the text with passwords in URLs and credentials in headers masked, and signed links shortened."""
    return _SIGNED_LINKS.sub(rf"\1{HIDDEN}", _QUERIES.sub(HIDDEN, _SECRETS.sub(HIDDEN, text)))
