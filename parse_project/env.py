"""Typed readers of the environment; every variable of ours is read through this module.

A bad value stops the program with one sentence. A variable that several programs read (the service, ``manage.py
parse``, OCR workers) has a function of its own here, so that it has one default and one lower bound. The module imports
nothing but the standard library, because the OCR images copy only this file of ``parse_project``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
MIN_KEY_CHARS = 32
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+")
_ADDRESS_SEPARATOR = re.compile(r";(?=[a-z+]+://)")  # between the addresses of a broker and its replacements


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


def choice(name: str, default: str, meaning: str, *, values: tuple[str, ...]) -> str:
    """Read one of ``values``. A variable that is set and empty means "" if that is a value, otherwise the default."""
    DECLARED[name] = Variable(name, default, meaning)
    value = os.environ.get(name, default).strip()
    if not value and "" not in values:
        value = default
    if value not in values:
        raise BadVariable(name, value, f"{' or '.join(each or 'nothing' for each in values)} is expected")
    return value


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
    """Return the value of NAME, or the content of the file that NAME_FILE names."""
    path = os.environ.get(f"{name}_FILE", "").strip()
    if path:
        DECLARED[name] = Variable(name, default, meaning)
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadVariable(f"{name}_FILE", path, f"the file cannot be read ({error.strerror})") from None
    return text(name, default, meaning)


def sealing_keys(name: str, meaning: str) -> list[str]:
    """Return the keys of a secret that are separated by commas. A short key stops the start and is not printed."""
    keys = [key for part in secret(name, "", meaning).split(",") if (key := part.strip())]
    if any(len(key) < MIN_KEY_CHARS for key in keys):
        raise BadVariable(
            name, "...", f"each key must have at least {MIN_KEY_CHARS} characters, with commas between keys"
        )
    return keys


def address(name: str, default: str, meaning: str) -> str:
    """Return a secret that is the address of a server.

    A password with unescaped characters would cut the address short. It stops the start and is not printed.
    """
    value = secret(name, default, meaning)
    if not all(_is_complete(each) for each in _ADDRESS_SEPARATOR.split(value)):
        expected = "its port is not a number, or its password contains characters that must be percent-encoded (%23 "
        raise BadVariable(name, "...", expected + "for #, %2F for /, %3F for ?, %40 for @, %5B for [)")
    return value


def _is_complete(url: str) -> bool:
    """Return whether host and port can be read and no part of the user name or password follows them."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    after_host = parts.path + parts.fragment + ("" if "@" in parts.netloc else parts.query)
    return not parts.netloc or "@" not in after_host


def listing(name: str, default: str, meaning: str) -> list[str]:
    return [item.strip() for item in text(name, default, meaning).split(",") if item.strip()]


def origins(name: str, default: str, meaning: str) -> list[str]:
    """Return origins of web pages as browsers send them: https://HOST or https://HOST:PORT; or ``["*"]``."""
    items = [item.lower() for item in listing(name, default, meaning)]
    if items != ["*"] and not all(_ORIGIN.fullmatch(item) for item in items):
        expected = "origins such as https://app.example.com,http://localhost:3000 are expected, without a path, or *"
        raise BadVariable(name, ",".join(items), expected)
    return items


def networks(name: str, default: str, meaning: str) -> list[IPv4Network | IPv6Network]:
    items = listing(name, default, meaning)
    try:
        return [ip_network(item) for item in items]
    except ValueError:
        raise BadVariable(name, ",".join(items), "networks such as 10.1.0.0/16,fd00::/8 are expected") from None


# --- Variables that several programs read ----------------------------------------------------------------------------


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def data_folder() -> Path:
    folder = text("LEAFMILL_DATA", str(BASE_DIR / ".leafmill"), "folder of the embedded parts: database, files, broker")
    return Path(folder).resolve()


def embedded_broker_url() -> str:
    """Return the address of the bundled Valkey's socket; kombu spells the scheme ``redis+socket``."""
    return f"redis+socket://{data_folder()}/valkey.sock"


def broker_url() -> str:
    return address("CELERY_BROKER_URL", embedded_broker_url(), "redis://..., redis+socket://... or amqp://...")


def log_level() -> str:
    return text("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR").upper()


def parse_processes() -> int:
    return integer("PARSE_PROCESSES", cores(), "processes that read pages in one parse worker", minimum=1)


def reader_memory_mb() -> int:
    return integer("READER_MEMORY_MB", 1024, "MB of address space of a reader child", minimum=128)


def reader_user() -> str:
    return text("LEAFMILL_READER_USER", "nobody", "user that reads documents when a worker runs as root; 0: root")


def is_confinement_required() -> bool:
    """Return whether documents may be read only by processes that are confined completely."""
    meaning = "required: read no document unless its process is confined completely; best_effort: warn"
    return choice("LEAFMILL_CONFINEMENT", "best_effort", meaning, values=("required", "best_effort")) == "required"


def max_pages_per_document() -> int:
    return integer("MAX_PAGES_PER_DOCUMENT", 2000, "maximum number of pages of one document", minimum=1)


def converter() -> str:
    """Return "auto", "off" or the path of LibreOffice."""
    meaning = (
        "path of LibreOffice, which converts older documents, on the machines of convert workers; auto: convert while "
        "such a worker runs; off: refuse these documents"
    )
    return text("CONVERTER", "auto", meaning)


def converter_seconds() -> int:
    return integer("CONVERTER_SECONDS", 120, "seconds that the conversion of a document may take", minimum=1)


def converter_memory_mb() -> int:
    return integer("CONVERTER_MEMORY_MB", 2048, "MB of memory of one conversion, all processes together", minimum=256)


def ocr_processes() -> int:
    return integer("OCR_WORKER", max(1, cores() // 2), "OCR processes of one worker; each uses one core", minimum=1)


def ocr_dpi() -> int:
    return integer("OCR_DPI", 200, "resolution of page images for OCR, unless the page is one scan", minimum=72)
