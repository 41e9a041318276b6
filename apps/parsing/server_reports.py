"""What a service says of models, for people: an estimate as a table, and what a job has used as one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HEAD = ("mode", "requests", "tokens in", "tokens out", "cost, USD", "seconds")


def estimate_table(estimate: Mapping[str, Any]) -> str:
    """The modes below each other; the one that was asked for has a star, those that cannot be had say why."""
    looked = "all of them looked at" if estimate["exact"] else "judged by a sample"
    needing = f", {estimate['pages_needing_ocr']:,} to be read by OCR" if estimate["pages_needing_ocr"] else ""
    rows = [_HEAD, *(_row(name, mode, estimate["asked"]) for name, mode in estimate["modes"].items())]
    reasons = [f"{name}: {mode['why_not']}" for name, mode in estimate["modes"].items() if not mode["available"]]
    return "\n".join([f"pages: {estimate['pages']:,} ({looked}{needing})", *_aligned(rows), *reasons]) + "\n"


def usage_line(job: Mapping[str, Any]) -> str:
    """What the job asked of models; "" where it asked none."""
    usage = job.get("usage") or {}
    if usage.get("requests") is None:
        return ""
    cost = usage.get("cost_usd")
    told = [
        f"requests to models: {usage['requests']:,}",
        f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out",
        "cost unknown (a price is not set)" if cost is None else f"{cost:.4f} USD",
    ]
    if fallen := _fallen_back(job):
        told.append(f"pages that fell back to their plain text: {fallen:,}")
    return "; ".join(told)


def _fallen_back(job: Mapping[str, Any]) -> int:
    warnings = job.get("warnings") or ()
    return sum(int(each.get("pages") or 0) for each in warnings if each.get("code") == "fallback_used")


def _row(name: str, mode: Mapping[str, Any], asked: str | None) -> tuple[str, ...]:
    cost = mode["cost_usd"]
    return (
        f"{name} *" if name == asked else name,
        f"{mode['requests']:,}",
        f"{mode['input_tokens']:,}",
        f"{mode['output_tokens']:,}",
        f"{cost['low']:.4f} - {cost['high']:.4f}" if cost else "unknown",
        f"{mode['seconds']['low']:,.1f} - {mode['seconds']['high']:,.1f}" if mode["available"] else "not available",
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
