"""What the doctor says of a part."""

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
    """One part: its state, a sentence, and the command that mends it ("" where there is nothing to mend)."""

    name: str
    state: State
    sentence: str
    mend: str = ""


def manage(command: str) -> str:
    """One of our commands as it is typed here."""
    return f"{python()} manage.py {command}"


def python() -> str:
    """Python as it is typed here: that of the set-up where this is it."""
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
