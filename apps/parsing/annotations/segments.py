"""The segments of a split: their check, and the result made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.parsing.annotations.tasks import UNCATEGORIZED, AnnotationTask

Segment = dict[str, Any]


def problems_of(segments: Sequence[Segment], numbers: Sequence[int]) -> list[str]:
    """Return why these segments do not cover each of the pages ``numbers`` exactly once, in order."""
    covered = [page for each in segments for page in _pages(each, numbers)]
    if covered == list(numbers):
        return []
    missing = sorted(set(numbers) - set(covered))
    if missing:
        return [f"page {missing[0]} is in no segment"]
    return ["a page is in two segments, or the segments are not in order"]


def segments_of(task: AnnotationTask, data: dict[str, Any], numbers: Sequence[int]) -> list[Segment]:
    """Return the segments as LlamaParse's API has them. Short ones join a neighbour; pages of no category are kept."""
    found: list[Segment] = [
        {
            "category": each["category"],
            "confidence_category": each["confidence"],
            "pages": _pages(each, numbers),
        }
        for each in data["segments"]
    ]
    while len(found) > 1 and (short := [each for each in found if len(each["pages"]) < task.min_pages]):
        place = found.index(short[0])
        neighbour = found[place - 1] if place else found[1]
        neighbour["pages"] = sorted({*neighbour["pages"], *short[0]["pages"]})
        del found[place]
    if task.unlabelled == "omit":
        return [each for each in found if each["category"] != UNCATEGORIZED]
    return found


def _pages(segment: Segment, numbers: Sequence[int]) -> list[int]:
    return [number for number in numbers if segment["first_page"] <= number <= segment["last_page"]]
