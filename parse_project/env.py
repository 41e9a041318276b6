"""Typed readers of the environment. Each variable is read once; a bad value stops the start with a sentence."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_NEXT_ADDRESS = re.compile(r";(?=[a-z+]+://)")  # between brokers that stand in for each other


class BadVariable(SystemExit):
    """An environment variable has a value that cannot be used."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name}={value!r} cannot be used: {expected}. Change the variable and start again.")


@dataclass(frozen=True)
class Variable:
    """One variable as docs/configuration.md lists it; ``meaning`` names the unit."""

    name: str
    default: str
    meaning: str


DECLARED: dict[str, Variable] = {}


def text(name: str, default: str, meaning: str) -> str:
    DECLARED[name] = Variable(name, default, meaning)
    return os.environ.get(name, "").strip() or default


def integer(name: str, default: int, meaning: str, *, minimum: int = 0, maximum: int = 2**63 - 1) -> int:
    raw = text(name, str(default), meaning)
    try:
        value = int(raw)
    except ValueError:
        raise BadVariable(name, raw, "a whole number is expected") from None
    if value < minimum:
        raise BadVariable(name, raw, f"it must be at least {minimum}")
    if value > maximum:
        raise BadVariable(name, raw, f"it must be at most {maximum}")
    return value


def number(name: str, default: float, meaning: str, *, minimum: float = 0.0) -> float:
    raw = text(name, f"{default:g}", meaning)
    try:
        value = float(raw)
    except ValueError:
        raise BadVariable(name, raw, "a number is expected") from None
    if not minimum <= value < float("inf"):
        raise BadVariable(name, raw, f"it must be at least {minimum:g}")
    return value


def boolean(name: str, default: bool, meaning: str) -> bool:
    raw = text(name, "on" if default else "off", meaning).lower()
    if raw in ("1", "on", "true", "yes"):
        return True
    if raw in ("0", "off", "false", "no"):
        return False
    raise BadVariable(name, raw, "on or off is expected")


def secret(name: str, default: str, meaning: str) -> str:
    """The value of NAME, or the content of the file that NAME_FILE names."""
    path = os.environ.get(f"{name}_FILE", "").strip()
    if path:
        DECLARED[name] = Variable(name, default, meaning)
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadVariable(f"{name}_FILE", path, f"the file cannot be read ({error.strerror})") from None
    return text(name, default, meaning)


def address(name: str, default: str, meaning: str) -> str:
    """A secret that is a server's address. A password that cuts it short stops the start and is not repeated."""
    value = secret(name, default, meaning)
    if not all(_is_whole(each) for each in _NEXT_ADDRESS.split(value)):
        expected = "its port is no number, or its password holds signs that have to be percent-encoded (%23 for #, "
        raise BadVariable(name, "...", expected + "%2F for /, %3F for ?, %40 for @, %5B for [)")
    return value


def _is_whole(url: str) -> bool:
    """Whether host and port can be read, and no part of the user's name or password stands behind them."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    behind = parts.path + parts.fragment + ("" if "@" in parts.netloc else parts.query)
    return not parts.netloc or "@" not in behind


def listing(name: str, default: str, meaning: str) -> list[str]:
    return [item.strip() for item in text(name, default, meaning).split(",") if item.strip()]
