"""The result of one check of the doctor."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from django.conf import settings


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """The state of one part, a sentence, and in ``mend`` the command that repairs it ("" if none is needed)."""

    name: str
    state: State
    sentence: str
    mend: str = ""


def manage(command: str) -> str:
    """Return a management command as a user types it here."""
    return f"{python()} manage.py {command}"


def python() -> str:
    """Return Python as a user types it here: .venv/bin/python if that one runs."""
    of_setup = ".venv/bin/python"
    return of_setup if Path(sys.executable) == settings.BASE_DIR / of_setup else "python"


def ok(name: str, sentence: str) -> Finding:
    return Finding(name, State.OK, sentence)


def warning(name: str, sentence: str, mend: str) -> Finding:
    return Finding(name, State.WARNING, sentence, mend)


def failed(name: str, sentence: str, mend: str) -> Finding:
    return Finding(name, State.FAILED, sentence, mend)


def not_checked(name: str, sentence: str, mend: str = "") -> Finding:
    return Finding(name, State.NOT_CHECKED, sentence, mend)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message without its period, or its class if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
