"""The output of every benchmark: a table, and bench/results/NAME.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
CORPUS = ROOT.parent / "shared" / "corpus"


class Figure(msgspec.Struct):
    """One line of the table; ``target`` is None if none is set."""

    what: str
    value: float
    unit: str
    target: float | None = None


def report(name: str, figures: Sequence[Figure]) -> None:
    """Print the table and write bench/results/NAME.json."""
    width = max(len(figure.what) for figure in figures)
    for figure in figures:
        target = "" if figure.target is None else f"   (target {figure.target:,g})"
        print(f"{figure.what:<{width}}  {figure.value:>12,.2f} {figure.unit}{target}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(list(figures)), indent=2) + b"\n")
    print(f"written: {path.relative_to(ROOT)}")
