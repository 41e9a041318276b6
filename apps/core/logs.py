"""How a line of the log is written, and what it is about: the request, the job and its pages.

What a line is about is said once, by whoever begins with it, and holds for every line of the same thread until the
block ends. Any room may import this module, which imports none.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_subject: ContextVar[Mapping[str, str]] = ContextVar("subject", default={})  # noqa: B039 (never changed, only replaced)
# A password in an address, a key in a header.
_SECRETS = re.compile(r"(?<=:)[^\s:/@]+(?=@)|(?<=bearer )\S+|(?<=basic )\S+", re.IGNORECASE)
HIDDEN = "***"


@contextmanager
def about(**subject: str) -> Iterator[None]:
    """Lines that this thread logs in the block name these; empty ones are left out."""
    token = _subject.set({**_subject.get(), **{name: value for name, value in subject.items() if value}})
    try:
        yield
    finally:
        _subject.reset(token)


def begin(**subject: str) -> None:
    """From here on this thread's lines name these and nothing else; without any: nothing."""
    _subject.set({name: value for name, value in subject.items() if value})


def job(job_id: str, pages: str) -> dict[str, str]:
    """What work on a job is about; ``pages`` as a step spells them, "0" for the job as a whole."""
    return {"job": job_id, "page": "" if pages == "0" else pages, "trace_id": trace_id_of(job_id)}


def trace_id_of(job_id: str) -> str:
    """The id, in the form of OpenTelemetry, of everything that is done for a job: its id without letters before it."""
    return job_id.partition("-")[2].replace("-", "")


class LineFormatter(logging.Formatter):
    """A line for people; behind the message stands which job it is about, and which of its pages."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        subject = _subject.get()
        told = [f"{name} {subject[name]}" for name in ("job", "page") if name in subject]
        return super().formatMessage(record) + (f" [{', '.join(told)}]" if told else "")

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class JsonFormatter(logging.Formatter):
    """An object on one line: time (UTC), level, logger, message; request_id, job, page, trace_id where they are known;
    exception."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
            **_subject.get(),
        }
        if record.exc_info:
            told["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False, default=str)


def without_secrets(text: str) -> str:
    """The text with passwords in addresses and credentials of headers struck out."""
    return _SECRETS.sub(HIDDEN, text)
