"""What the doctor says of a part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


def ok(name: str, sentence: str) -> Finding:
    return Finding(name, State.OK, sentence)


def warning(name: str, sentence: str, mend: str) -> Finding:
    return Finding(name, State.WARNING, sentence, mend)


def failed(name: str, sentence: str, mend: str) -> Finding:
    return Finding(name, State.FAILED, sentence, mend)


def not_checked(name: str, sentence: str, mend: str = "") -> Finding:
    return Finding(name, State.NOT_CHECKED, sentence, mend)
