"""What a service says of a job and of models, for people: an estimate as a table, the rest in lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_HEAD = ("mode", "requests", "tokens in", "tokens out", "cost, USD", "seconds")


def estimate_table(estimate: Mapping[str, Any]) -> str:
    """The modes below each other; the one that was asked for has a star, those that cannot be had say why."""
    looked = "all of them looked at" if estimate["exact"] else "judged by a sample"
    needing = f", {estimate['pages_needing_ocr']:,} to be read by OCR" if estimate["pages_needing_ocr"] else ""
    rows = [_HEAD, *(_row(name, mode, estimate["asked"]) for name, mode in estimate["modes"].items())]
    reasons = [f"{name}: {mode['why_not']}" for name, mode in estimate["modes"].items() if not mode["available"]]
    without = dict.fromkeys(name for mode in estimate["modes"].values() for name in mode.get("without_price") or ())
    unknown = [f"cost unknown where these are asked, whose price is not set: {', '.join(without)}"] if without else []
    head = f"pages: {estimate['pages']:,} ({looked}{needing})"
    return "\n".join([head, *_aligned(rows), *reasons, *unknown]) + "\n"


def usage_line(job: Mapping[str, Any], pages: Sequence[Mapping[str, Any]]) -> str:
    """What the job asked of models; "" where it asked none. ``pages``: of its section ``metadata``."""
    usage = job.get("usage") or {}
    if usage.get("requests") is None:
        return ""
    cost = usage.get("cost_usd")
    told = [
        f"requests to models: {usage['requests']:,}",
        f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out",
        f"cost unknown ({_missing_price(pages)})" if cost is None else f"{cost:.4f} USD",
    ]
    return "; ".join(told)


def pages_line(counts: Mapping[str, int]) -> str:
    """How far a job is, by how many of its pages are in each state."""
    total = sum(counts.values())
    done = total - sum(counts.get(state, 0) for state in ("pending", "running", "waiting"))
    if done == total:
        return "the server puts the result together" if total else "the server looks at the document"
    waiting = f", {counts['waiting']:,} waiting for a model's quota or its recovery" if counts.get("waiting") else ""
    return f"{done:,} of {total:,} pages{waiting}"


def fallback_lines(pages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The pages that no model could parse, one line for each reason."""
    by_reason: dict[str, list[int]] = {}
    for number, parsing in _parsings(pages):
        if parsing.get("fallback_used"):
            by_reason.setdefault(str(parsing.get("fallback_reason") or "fallback_used"), []).append(number)
    return [
        f"{_pages(numbers)} kept the fallback text: {_listed(numbers)} ({reason.replace('_', ' ')})"
        for reason, numbers in by_reason.items()
    ]


def cache_line(pages: Sequence[Mapping[str, Any]]) -> str:
    """The pages whose answers were kept from earlier jobs; "" where none was."""
    numbers = [number for number, parsing in _parsings(pages) if parsing.get("cache") == "hit"]
    return f"{_pages(numbers)} took answers that were kept from earlier: {_listed(numbers)}" if numbers else ""


def _missing_price(pages: Sequence[Mapping[str, Any]]) -> str:
    paid = (parsing for _, parsing in _parsings(pages) if parsing.get("requests") and "cost_usd" not in parsing)
    names = sorted({str(parsing["deployment"]) for parsing in paid if parsing.get("deployment")})
    return f"no price is set for {', '.join(names)}" if names else "a price is not set"


def _parsings(pages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """How each page of a result's section ``metadata`` was parsed, for those that tell."""
    return ((int(page["page_number"]), page["parsing"]) for page in pages if page.get("parsing"))


def _pages(numbers: Sequence[int]) -> str:
    return "1 page" if len(numbers) == 1 else f"{len(numbers):,} pages"


def _listed(numbers: Sequence[int]) -> str:
    """``[1, 2, 3, 7]`` as ``1-3, 7``."""
    told: list[list[int]] = []
    for number in sorted(numbers):
        if told and told[-1][-1] == number - 1:
            told[-1][1:] = [number]
        else:
            told.append([number])
    return ", ".join("-".join(map(str, each)) for each in told)


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
