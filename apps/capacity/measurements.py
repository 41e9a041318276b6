"""What the benchmarks measured: bench/results, which travels with the repository; ``make bench`` writes it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

SERVICES = ("service-postgres+redis", "service-embedded")  # what production runs on is asked first
OCR_DPI = 200
DEFAULT_ENGINES = "rapidocr-openvino,tesseract"
BENCHMARK_CALL_SECONDS = 4.0  # bench/genai.py: LATENCY_SECONDS


@dataclass(frozen=True)
class Measured:
    """Pages a minute of the machine that was measured; None: there is no measurement.

    ``fast`` reads text layers and has no OCR; ``ocr`` reads scans and does nothing else. In the modes with models the
    provider was a fake that answers in 4 s, on the same machine. ``cores``: of the machine that wrote sizing.json.
    """

    fast: float | None = None
    ocr: float | None = None
    ocr_gpu: float | None = None
    balanced: float | None = None
    multimodal: float | None = None
    agentic: float | None = None
    cores: int | None = None

    def of_mode(self, mode: str) -> float | None:
        rate: float | None = getattr(self, mode)
        return rate


HOW_TO_MEASURE = {
    "fast": "make bench ARGS=service",
    "ocr": 'make bench-ocr ARGS="speed"',
    "ocr_gpu": "python bench/ocr_gpu.py",
    "balanced": 'make bench-genai ARGS="widths-2"',
    "multimodal": 'make bench-genai ARGS="widths-2"',
    "agentic": 'make bench-genai ARGS="widths-2"',
    "cores": "make bench ARGS=sizing",
}
"""What to run for each figure of ``Measured``."""


def read_measured(folder: Path | None = None) -> Measured:
    """The figures of bench/results; a file that is not there or not readable is no measurement."""
    folder = folder or Path(settings.BASE_DIR) / "bench" / "results"
    models = _figures(folder / "genai-widths-2.json")
    return Measured(
        fast=_first(_figure(_figures(folder / f"{name}.json"), "documents of 20 to 500 pages") for name in SERVICES),
        ocr=_ocr(_json(folder / "ocr-speed.json")),
        ocr_gpu=_most(_figures(folder / "ocr-gpu.json")),
        balanced=_figure(models, "balanced, "),
        multimodal=_figure(models, "multimodal, "),
        agentic=_figure(models, "agentic, "),
        cores=_whole(_figure(_figures(folder / "sizing.json"), "cores")),
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _figures(path: Path) -> Sequence[dict[str, Any]]:
    found = _json(path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _figure(rows: Sequence[dict[str, Any]], begins: str) -> float | None:
    """The first figure above 0 whose name begins so."""
    values = (row.get("value") for row in rows if str(row.get("what", "")).startswith(begins))
    return next((float(value) for value in values if isinstance(value, (int, float)) and value > 0), None)


def _ocr(found: Any) -> float | None:
    """The default engines at the default resolution, with as many processes as did most."""
    if not isinstance(found, dict):
        return None
    rates = [
        float(row["pages_per_minute"])
        for name, row in found.items()
        if name.startswith(f"{DEFAULT_ENGINES}, ") and name.endswith(f" {OCR_DPI} dpi") and "pages_per_minute" in row
    ]
    return max(rates, default=None)


def _most(rows: Sequence[dict[str, Any]]) -> float | None:
    return max((float(row["value"]) for row in rows if row.get("unit") == "pages/min"), default=None)


def _first(values: Any) -> float | None:
    return next((value for value in values if value is not None), None)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
