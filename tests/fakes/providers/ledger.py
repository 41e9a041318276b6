"""The server's record of every request, and counts by family and model."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

KEPT_REQUESTS = 50_000
KEPT_CHARACTERS = 50_000_000
WINDOW_SECONDS = 60.0


@dataclass
class Entry:
    """One request. ``arrived_at`` is Unix time; ``status`` is 0 until the response begins."""

    number: int
    family: str
    arrived_at: float
    model: str = ""
    credential: str = ""
    status: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    fault: str | None = None
    sha256: str = ""
    has_image: bool = False
    max_tokens: int | None = None
    image_sizes: list[tuple[int, int]] = field(default_factory=list)
    text: str = ""
    over_limit: bool = False
    early: bool = False
    client_gone: bool = False
    seconds: float = 0.0
    own_headers: dict[str, str] = field(default_factory=dict)
    host: str = ""

    @property
    def answered(self) -> bool:
        return self.status == 200


@dataclass
class _Tally:
    requests: int = 0
    answered: int = 0
    over_limit: int = 0
    early: int = 0
    client_gone: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    busiest_window: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    recent: deque[float] = field(default_factory=deque)

    def arrive(self, at: float) -> None:
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.recent.append(at)
        while self.recent[0] <= at - WINDOW_SECONDS:
            self.recent.popleft()
        self.busiest_window = max(self.busiest_window, len(self.recent))

    def leave(self, entry: Entry) -> None:
        self.in_flight -= 1
        self.by_status[entry.status] += 1
        self.answered += entry.answered
        self.over_limit += entry.over_limit
        self.early += entry.early
        self.client_gone += entry.client_gone
        self.input_tokens += entry.input_tokens
        self.output_tokens += entry.output_tokens
        if entry.fault is not None:
            self.faults[entry.fault] += 1

    def as_dict(self) -> dict[str, Any]:
        counts = {name: value for name, value in vars(self).items() if name != "recent"}
        return {**counts, "by_status": {str(status): count for status, count in self.by_status.items()}}


class Ledger:
    """Counts for each family and model, the last requests, and the texts of some of them."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._entries: deque[Entry] = deque(maxlen=KEPT_REQUESTS)
        self._with_text: deque[Entry] = deque()
        self._characters = 0
        self._count = 0
        self._not_before: dict[tuple[str, str, str], float] = {}

    def arrive(self, family: str, model: str, credential: str) -> Entry:
        self._count += 1
        entry = Entry(self._count, family, time.time(), model, credential)
        self._entries.append(entry)
        self._tally(entry).arrive(time.monotonic())
        entry.early = time.monotonic() < self._not_before.get((family, model, credential), 0.0)
        return entry

    def in_flight(self, entry: Entry) -> int:
        return self._tally(entry).in_flight

    def keep_text(self, entry: Entry, text: str) -> None:
        entry.text = text
        self._characters += len(text)
        self._with_text.append(entry)
        while self._characters > KEPT_CHARACTERS:
            oldest = self._with_text.popleft()
            self._characters -= len(oldest.text)
            oldest.text = ""

    def note_retry_after(self, entry: Entry, retry_after: str | None) -> None:
        """Note until when the client must wait by this Retry-After; an invalid header is ignored."""
        seconds = _wait_seconds(retry_after)
        if seconds is not None and entry.status in {429, 503, 529}:
            key = (entry.family, entry.model, entry.credential)
            self._not_before[key] = max(self._not_before.get(key, 0.0), time.monotonic() + seconds)

    def leave(self, entry: Entry) -> None:
        entry.seconds = time.time() - entry.arrived_at
        self._tally(entry).leave(entry)

    def stats(self) -> dict[str, dict[str, Any]]:
        return {f"{family}/{model}": tally.as_dict() for (family, model), tally in self._tallies.items()}

    def requests(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self._entries]

    def arrivals(self) -> list[tuple[float, int]]:
        return [(entry.arrived_at, entry.input_tokens + entry.output_tokens) for entry in self._entries]

    def _tally(self, entry: Entry) -> _Tally:
        return self._tallies.setdefault((entry.family, entry.model), _Tally())


def _wait_seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return seconds if seconds > 0 else None
