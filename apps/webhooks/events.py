"""The events of a job, as LlamaParse names them."""

from __future__ import annotations

from typing import Literal, get_args

Event = Literal[
    "parse.pending", "parse.running", "parse.success", "parse.error", "parse.partial_success", "parse.cancelled"
]
EVENTS: tuple[str, ...] = get_args(Event)
FINAL_EVENTS = frozenset({"parse.success", "parse.error", "parse.partial_success", "parse.cancelled"})
