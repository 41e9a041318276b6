"""What the environment says to an OCR worker; docs/configuration.md has a row for each."""

from __future__ import annotations

import os
from functools import cache
from urllib.parse import urlsplit

import msgspec

# A name for each engine that comes with Leafmill; others are named by their dotted path, "package.module:function".
ENGINES = {
    "rapidocr-openvino": "ocr_worker.engines.rapid:make_openvino",
    "rapidocr-onnx": "ocr_worker.engines.rapid:make_onnx",
    "rapidocr-cuda": "ocr_worker.engines.rapid:make_cuda",
    "tesseract": "ocr_worker.engines.tesseract:make",
    "pytesseract": "ocr_worker.engines.tesseract:make_pytesseract",
    "null": "ocr_worker.engines.null:make",
}


class OcrSettings(msgspec.Struct, frozen=True):
    """``engines``: dotted paths, the preferred first. The limits are for one page."""

    engines: tuple[str, ...]
    processes: int
    page_seconds: float
    memory_mb: int


class BadSetting(ValueError):
    """A variable of the environment cannot be used; the message says which and why."""


@cache
def settings() -> OcrSettings:
    """The settings of this process; BadSetting."""
    names = os.environ.get("OCR_ENGINES", "").strip() or "rapidocr-openvino,tesseract"
    return OcrSettings(
        engines=tuple(_path(name.strip()) for name in names.split(",")),
        processes=_number("OCR_WORKER", max(1, cores() // 2)),
        page_seconds=float(_number("OCR_PAGE_SECONDS", 60)),
        memory_mb=_number("OCR_MEMORY_MB", 3000),
    )


def broker_url() -> str:
    """The broker's address; BadSetting, without it, where its password cuts it short."""
    url = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
    try:
        _ = urlsplit(url.split(";")[0]).port
    except ValueError:
        raise BadSetting(
            "CELERY_BROKER_URL cannot be used: its port is no number, or its password holds signs that have to be "
            "percent-encoded (%23 for #, %2F for /, %3F for ?, %5B for [)."
        ) from None
    return url


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _path(name: str) -> str:
    if name in ENGINES:
        return ENGINES[name]
    if ":" not in name:
        known = ", ".join(ENGINES)
        raise BadSetting(f"OCR_ENGINES names {name!r}; known are {known} and paths like package.module:make.")
    return name


def _number(name: str, default: int) -> int:
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    if not raw.isascii() or not raw.isdigit() or int(raw) < 1:
        raise BadSetting(f"{name}={raw!r} cannot be used: a whole number from 1 is expected.")
    return int(raw)
