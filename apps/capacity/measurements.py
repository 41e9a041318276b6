"""The results of the benchmarks in bench/results, a part of the repository. ``make bench`` writes them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

SERVICES = ("service-postgres+redis", "service-embedded")  # the databases of production are preferred
OCR_DPI = 200
DEFAULT_ENGINES = "rapidocr-openvino,tesseract"
BENCHMARK_CALL_SECONDS = 4.0  # bench/genai.py: LATENCY_SECONDS


@dataclass(frozen=True)
class Measured:
    """Pages a minute of the measured machine; None: not measured.

    ``fast`` reads text layers and has no OCR; ``ocr`` reads scans and does nothing else. In the modes with models the
    provider was a fake that responds in 4 s, on the same machine. ``cores``: of the machine that wrote sizing.json.
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
"""The command for each figure of ``Measured``."""


def read_measured(folder: Path | None = None) -> Measured:
    """Read bench/results. A missing or unreadable file counts as no measurement."""
    folder = folder or Path(settings.BASE_DIR) / "bench" / "results"
    services = [_figure(_figures(folder / f"{name}.json"), "documents of 20 to 500 pages") for name in SERVICES]
    models = _figures(folder / "genai-widths-2.json")
    # The default engines at the default resolution, with the number of processes that was fastest.
    ocr = _json(folder / "ocr-speed.json")
    ocr_rates = [
        float(row["pages_per_minute"])
        for name, row in (ocr.items() if isinstance(ocr, dict) else ())
        if name.startswith(f"{DEFAULT_ENGINES}, ") and name.endswith(f" {OCR_DPI} dpi") and "pages_per_minute" in row
    ]
    gpu_rates = [float(row["value"]) for row in _figures(folder / "ocr-gpu.json") if row.get("unit") == "pages/min"]
    cores = _figure(_figures(folder / "sizing.json"), "cores")
    return Measured(
        fast=next((rate for rate in services if rate is not None), None),
        ocr=max(ocr_rates, default=None),
        ocr_gpu=max(gpu_rates, default=None),
        balanced=_figure(models, "balanced, "),
        multimodal=_figure(models, "multimodal, "),
        agentic=_figure(models, "agentic, "),
        cores=None if cores is None else int(cores),
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _figures(path: Path) -> Sequence[dict[str, Any]]:
    found = _json(path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _figure(rows: Sequence[dict[str, Any]], prefix: str) -> float | None:
    """Return the first figure above 0 whose name has this prefix."""
    values = (row.get("value") for row in rows if str(row.get("what", "")).startswith(prefix))
    return next((float(value) for value in values if isinstance(value, (int, float)) and value > 0), None)
