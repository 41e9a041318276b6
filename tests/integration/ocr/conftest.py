"""Engines in their own processes, as in a worker. They start once, because loading them takes seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ocr_worker.engine import EngineProcess
from ocr_worker.settings import ENGINES, OcrSettings


def process_with(*engines: str, page_seconds: float = 60.0, memory_mb: int = 3000) -> EngineProcess:
    paths = tuple(ENGINES.get(name, name) for name in engines)
    return EngineProcess(OcrSettings(engines=paths, processes=1, page_seconds=page_seconds, memory_mb=memory_mb))


@pytest.fixture(scope="session")
def engine() -> Iterator[EngineProcess]:
    """The default engines."""
    with process_with("rapidocr-openvino", "tesseract") as process:
        yield process
