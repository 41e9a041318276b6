"""Quota as providers apply it: a sliding window counted on arrival, and calls in flight."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from tests.fakes.providers.conversation import Conversation, Refusal
from tests.fakes.providers.specifications import Limit


@dataclass
class Slot:
    """One admitted request in one window."""

    at: float
    tokens: int
    counts: str

    def settle(self, output_tokens: int) -> None:
        if self.counts == "actual":
            self.tokens += output_tokens


@dataclass
class _Enforced:
    limit: Limit
    windows: dict[tuple[str, str], deque[Slot]] = field(default_factory=lambda: defaultdict(deque))

    def demand(self, conversation: Conversation) -> int:
        allowed = conversation.max_tokens or 0
        return conversation.input_tokens + (allowed if self.limit.counts == "max_tokens" else 0)

    def is_exceeded(self, window: deque[Slot], tokens: int, in_flight: int) -> bool:
        limit = self.limit
        if limit.in_flight is not None and in_flight > limit.in_flight:
            return True
        if limit.requests is not None and len(window) >= limit.requests:
            return True
        return limit.tokens is not None and sum(slot.tokens for slot in window) + tokens > limit.tokens


class Limits:
    """The configured quotas."""

    def __init__(self) -> None:
        self._enforced: list[_Enforced] = []

    def enforce(self, limit: Limit) -> None:
        self._enforced.append(_Enforced(limit))

    def admit(self, family: str, conversation: Conversation, *, in_flight: int, at: float) -> list[Slot]:
        """Count a request that arrived ``at`` (seconds of any clock) in every window. Raise Refusal if over a limit.

        ``in_flight`` includes this request.
        """
        model = conversation.model
        matching = [enforced for enforced in self._enforced if enforced.limit.covers(family, model)]
        for enforced in matching:
            window = enforced.windows[family, model]
            while window and window[0].at <= at - enforced.limit.window_seconds:
                window.popleft()
            if enforced.is_exceeded(window, enforced.demand(conversation), in_flight):
                seconds = enforced.limit.retry_after
                raise Refusal("rate_limited", retry_after=None if seconds is None else f"{seconds:g}")
        slots = []
        for enforced in matching:
            slots.append(Slot(at, enforced.demand(conversation), enforced.limit.counts))
            enforced.windows[family, model].append(slots[-1])
        return slots
