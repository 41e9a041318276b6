"""Read PDFs of which a few bytes were changed: each ends in time with pages or a code, and no process of ours dies.

    python -m tests.chaos.byte_flips [COUNT] [FIRST]

Variant N is always the same file: its number chooses a document of the table of hostile inputs and the bytes. Prints
how often each outcome was seen, as one line of JSON, and records it. Exits with 1 if one was late or ended a process.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from apps.pages.model.blocks import PageFailure
from apps.pages.model.errors import DocumentError
from apps.pages.sandbox.client import Limits, Reader
from tests.chaos.results import FaultResult, record
from tests.documents.hostile_rows import ROWS

COMMAND = "python -m tests.chaos.byte_flips"
VARIANTS = 20_000
LIMITS = Limits(wall_seconds=5, cpu_seconds=5, memory_bytes=512 << 20)
# The stop of a child, and the start of the next one, may come this late.
MAX_LATE_SECONDS = 2.0
_MAX_FLIPS = 16


def originals() -> list[bytes]:
    """Return the PDFs of the table that have a page and are quick to make and to read."""
    return [row.make() for row in ROWS if row.ending == "pdf" and not row.is_slow and "result" in row.codes]


def variant(number: int, documents: list[bytes]) -> bytes:
    """Return a document with one to sixteen bytes changed."""
    chance = random.Random(number)
    changed = bytearray(documents[number % len(documents)])
    for _ in range(chance.randint(1, _MAX_FLIPS)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def outcome(reader: Reader, document: Path) -> str:
    """Return the code of a document's or its first page's error, or "result"."""
    try:
        facts, entries = reader.inspect_and_read(document, page_numbers=lambda _facts: [1], limits=LIMITS)
    except DocumentError as error:
        return error.code
    entry = entries[0] if entries else None
    return entry.code if isinstance(entry, PageFailure) else "result" if facts.page_count else "no page"


def run(count: int, first: int = 0) -> dict[str, Any]:
    """Read the variants; return the outcomes, the numbers of those that were late, and of those that ended a reader."""
    documents, outcomes = originals(), Counter[str]()
    late, deaths, longest = [], [], 0.0
    with Reader() as reader, tempfile.TemporaryDirectory(prefix="leafmill-flips-") as folder:
        document = Path(folder) / "document.pdf"
        reader.escapes()
        for number in range(first, first + count):
            document.write_bytes(variant(number, documents))
            pid, started = reader.pid, time.monotonic()
            outcomes[outcome(reader, document)] += 1
            taken = time.monotonic() - started
            longest = max(longest, taken)
            # The inspection and a page; the page once more, carefully.
            if taken > 3 * LIMITS.wall_seconds + MAX_LATE_SECONDS:
                late.append(number)
            if reader.pid != pid:
                deaths.append(number)
    return {
        "variants": count,
        "first": first,
        "outcomes": dict(outcomes),
        "late": late,
        "deaths": deaths,
        "longest": round(longest, 2),
    }


def violations(report: dict[str, Any]) -> list[str]:
    """Return what must not have happened."""
    found = [f"variant {number} was late" for number in report["late"]]
    found += [f"variant {number} ended a reader" for number in report["deaths"]]
    return found + ["internal_error"] * report["outcomes"].get("internal_error", 0)


def main(arguments: list[str]) -> int:
    count, first = [*map(int, arguments), *(VARIANTS, 0)[len(arguments) :]]
    report = run(count, first)
    sys.stdout.write(json.dumps(report) + "\n")
    figures = {"variants": count, **report["outcomes"], "longest seconds": report["longest"]}
    found = violations(report)
    record(FaultResult("D34", "changed-bytes", "reader", COMMAND, violations=found, figures=figures))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
