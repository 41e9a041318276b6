"""One JSON line for each try of a fault or a hostile input; ``tests.chaos.table`` makes docs/reliability.md of them."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def results_file() -> Path:
    return Path(os.environ.get("CHAOS_RESULTS", ROOT / "out" / "chaos.jsonl"))


@dataclass(frozen=True)
class FaultResult:
    """What one try showed.

    ``fault``: its number in docs/reliability.md, F1 to F50 or D1 to D117; ``case`` tells tries of the same number
    apart. ``recover``: for each part that was hit, the seconds until its work was claimed again or had ended.
    ``violations``: what did not hold; empty if all did. ``figures``: other measured numbers, by a name with its unit.
    """

    fault: str
    case: str
    backend: str
    command: str
    seed: int = 0
    jobs: int = 0
    lost: int = 0
    doubled: int = 0
    recover: Sequence[float] = ()
    violations: Sequence[str] = ()
    figures: Mapping[str, float | int | str] = field(default_factory=dict)

    def line(self) -> str:
        values: dict[str, Any] = {**asdict(self), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        seconds = sorted(values.pop("recover"))
        if seconds:
            values["recover_p50"] = round(statistics.median(seconds), 2)
            values["recover_p95"] = round(seconds[max(0, -(-len(seconds) * 95 // 100) - 1)], 2)
            values["recover_max"] = round(seconds[-1], 2)
            values["recovered"] = len(seconds)
        return json.dumps(values)


def record(result: FaultResult) -> None:
    """Append the result to the file. Appends of several processes do not mix, because a line is one write."""
    path = results_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", buffering=1) as lines:
        lines.write(result.line() + "\n")
