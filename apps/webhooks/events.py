"""The events of a job, as LlamaParse names them."""

from __future__ import annotations

from typing import Literal, get_args

Event = Literal[
    "parse.pending",
    "parse.running",
    "parse.success",
    "parse.error",
    "parse.partial_success",
    "parse.cancelled",
    "extract.pending",
    "extract.running",
    "extract.success",
    "extract.error",
    "extract.partial_success",
    "extract.cancelled",
    "classify.pending",
    "classify.running",
    "classify.success",
    "classify.error",
    "classify.partial_success",
    "classify.cancelled",
    "split.pending",
    "split.processing",
    "split.success",
    "split.error",
    "split.cancelled",
]
EVENTS: tuple[str, ...] = get_args(Event)
FINAL_EVENTS = frozenset(
    event for event in EVENTS if event.endswith((".success", ".error", ".partial_success", ".cancelled"))
)
