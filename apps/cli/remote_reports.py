"""Reports for people: an estimate as a table, the progress and the model usage of a job in lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_HEAD = ("mode", "requests", "tokens in", "tokens out", "cost, USD", "seconds")


def estimate_table(estimate: Mapping[str, Any]) -> str:
    """Return a row per mode: the requested one with a star, unavailable ones with the reason below the table."""
    modes = estimate["modes"]
    rows = [_HEAD]
    for name, mode in modes.items():
        cost, seconds = mode["cost_usd"], mode["seconds"]
        row = (
            f"{name} *" if name == estimate["asked"] else name,
            f"{mode['requests']:,}",
            f"{mode['input_tokens']:,}",
            f"{mode['output_tokens']:,}",
            f"{cost['low']:.4f} - {cost['high']:.4f}" if cost else "unknown",
            f"{seconds['low']:,.1f} - {seconds['high']:,.1f}" if mode["available"] else "not available",
        )
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *numbers]))
    lines += [f"{name}: {mode['why_not']}" for name, mode in modes.items() if not mode["available"]]
    without_price = dict.fromkeys(name for mode in modes.values() for name in mode.get("without_price") or ())
    if without_price:
        lines.append(f"cost unknown, because no price is set for: {', '.join(without_price)}")
    examined = "all examined" if estimate["exact"] else "estimated from a sample"
    need_ocr = f", {estimate['pages_needing_ocr']:,} need OCR" if estimate["pages_needing_ocr"] else ""
    return "\n".join([f"pages: {estimate['pages']:,} ({examined}{need_ocr})", *lines]) + "\n"


def usage_line(job: Mapping[str, Any], pages: Sequence[Mapping[str, Any]]) -> str:
    """Return the job's requests, tokens and cost; "" without requests. ``pages``: of the section ``metadata``."""
    usage = job.get("usage") or {}
    if usage.get("requests") is None:
        return ""
    cost = f"{usage['cost_usd']:.4f} USD" if usage.get("cost_usd") is not None else ""
    if not cost:
        parsings = [parsing for _, parsing in _parsings(pages)]
        unpriced = [parsing for parsing in parsings if parsing.get("requests") and "cost_usd" not in parsing]
        names = sorted({str(parsing["deployment"]) for parsing in unpriced if parsing.get("deployment")})
        reason = f"no price is set for {', '.join(names)}" if names else "a price is not set"
        cost = f"cost unknown ({reason})"
    tokens = f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out"
    return f"requests to models: {usage['requests']:,}; {tokens}; {cost}"


def pages_line(counts: Mapping[str, int]) -> str:
    """Return the progress of a job, from the number of its pages by state."""
    total = sum(counts.values())
    done = total - sum(counts.get(state, 0) for state in ("pending", "running", "waiting"))
    if done == total:
        return "the server assembles the result" if total else "the server inspects the document"
    waiting = f", {counts['waiting']:,} waiting for a model's quota or its recovery" if counts.get("waiting") else ""
    return f"{done:,} of {total:,} pages{waiting}"


def fallback_lines(pages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the pages that no model could parse, one line per reason."""
    by_reason: dict[str, list[int]] = {}
    for number, parsing in _parsings(pages):
        if parsing.get("fallback_used"):
            by_reason.setdefault(str(parsing.get("fallback_reason") or "fallback_used"), []).append(number)
    return [
        f"{_pages(numbers)} kept the fallback text: {_ranges(numbers)} ({reason.replace('_', ' ')})"
        for reason, numbers in by_reason.items()
    ]


def cache_line(pages: Sequence[Mapping[str, Any]]) -> str:
    """Return the pages that used cached responses; "" without any."""
    numbers = [number for number, parsing in _parsings(pages) if parsing.get("cache") == "hit"]
    return f"{_pages(numbers)} used cached responses: {_ranges(numbers)}" if numbers else ""


def _parsings(pages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield number and ``parsing`` of the pages in a result's section ``metadata`` that have it."""
    return ((int(page["page_number"]), page["parsing"]) for page in pages if page.get("parsing"))


def _pages(numbers: Sequence[int]) -> str:
    return "1 page" if len(numbers) == 1 else f"{len(numbers):,} pages"


def _ranges(numbers: Sequence[int]) -> str:
    """Return ``[1, 2, 3, 7]`` as ``1-3, 7``."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join("-".join(map(str, each)) for each in ranges)
