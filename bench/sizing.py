"""The throughput of this machine in each mode, and the machines needed for 1,000 and 10,000 pages a minute.

    python -m bench.sizing

Reads the results of the other benchmarks from bench/results and measures nothing itself: run it after them, on the same
machine. Modes without a measurement are omitted and listed. Writes bench/results/sizing.json, which
``manage.py capacity`` reads.
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
    """Return rates and numbers of machines for the modes that were measured."""
    figures = [Figure("cores", cores, "")]
    for name, label in NAMES.items():
        rate = measured.of_mode(name)
        if rate is None:
            continue
        figures.append(Figure(f"{label}: this machine", rate, "pages/min"))
        figures += [
            Figure(f"{label}: for {load:,} pages a minute", machines(load, measured=rate) or 0, "machines")
            for load in LOADS
        ]
    return figures


def main() -> None:
    measured = read_measured(RESULTS)
    report("sizing", figures_of(measured, cores=len(os.sched_getaffinity(0))))
    for name, label in NAMES.items():
        if measured.of_mode(name) is None:
            print(f"not measured: {label} ({HOW_TO_MEASURE[name]})")


if __name__ == "__main__":
    main()
