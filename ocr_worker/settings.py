"""The settings of an OCR worker. docs/configuration.md has a row for each."""

from __future__ import annotations

from functools import cache

import msgspec

from parse_project import env

# Short names of the engines that come with Leafmill. Others are given as a dotted path, "package.module:function".
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
    """An environment variable cannot be used; the message names it and the reason.

    It is an error and not an exit, because threads of workers that must keep running also read the settings.
    """


@cache
def settings() -> OcrSettings:
    """Return the settings of this process. Raise BadSetting."""
    try:
        names = env.listing("OCR_ENGINES", "rapidocr-openvino,tesseract", "OCR engines, the preferred first")
        for name in names:
            if name not in ENGINES and ":" not in name:
                known = ", ".join(ENGINES)
                raise BadSetting(f"OCR_ENGINES names {name!r}; known are {known} and paths like package.module:make.")
        return OcrSettings(
            engines=tuple(ENGINES.get(name, name) for name in names),
            processes=env.ocr_processes(),
            page_seconds=float(env.integer("OCR_PAGE_SECONDS", 60, "seconds for one page", minimum=1)),
            memory_mb=env.integer("OCR_MEMORY_MB", 3000, "MB at which an engine process is killed", minimum=1),
        )
    except env.BadVariable as error:
        raise BadSetting(str(error)) from None


def broker_url() -> str:
    """Return the broker's address. Raise BadSetting, without the address, if a password cuts it short."""
    try:
        return env.broker_url()
    except env.BadVariable as error:
        raise BadSetting(str(error)) from None
