"""What this machine does in each mode, and how many such machines 1,000 and 10,000 pages a minute take.

    python -m bench.sizing

Reads what the other benchmarks wrote to bench/results and measures nothing itself: run it after them, on the same
machine. What was not measured is left out and named. Writes bench/results/sizing.json; ``manage.py capacity`` reads it.
"""

from __future__ import annotations

import os

from apps.capacity.measurements import HOW_TO_MEASURE, Measured, read_measured
from apps.capacity.sizing import machines
from apps.parsing.modes import MODES
from bench.figures import RESULTS, Figure, report

LOADS = (1_000, 10_000)
NAMES = {
    "fast": "fast mode, text layers",
    "ocr": "OCR of scans on CPUs",
    "ocr_gpu": "OCR of scans on the GPU",
    "balanced": "balanced mode, provider of 4 s",
    "multimodal": "multimodal mode, provider of 4 s",
    "agentic": "agentic mode, provider of 4 s",
}
assert set(MODES) < set(NAMES)


def figures_of(measured: Measured, *, cores: int) -> list[Figure]:
    """Rates and machines of what was measured; nothing of what was not."""
    figures = [Figure("cores", cores, "")]
    for name, told in NAMES.items():
        rate = measured.of_mode(name)
        if rate is None:
            continue
        figures.append(Figure(f"{told}: this machine", rate, "pages/min"))
        figures += [
            Figure(f"{told}: for {load:,} pages a minute", machines(load, measured=rate) or 0, "machines")
            for load in LOADS
        ]
    return figures


def main() -> None:
    measured = read_measured(RESULTS)
    report("sizing", figures_of(measured, cores=len(os.sched_getaffinity(0))))
    for name, told in NAMES.items():
        if measured.of_mode(name) is None:
            print(f"not measured: {told} ({HOW_TO_MEASURE[name]})")


if __name__ == "__main__":
    main()
