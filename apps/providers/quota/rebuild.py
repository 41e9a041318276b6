"""Fill a quota store that has forgotten everything from the ledger.

One process holds the lock and writes account by account; the epoch comes last, and until then nobody may call. A
process that dies half-way leaves nothing behind that the next one does not overwrite. A call that was in flight is
counted if the ledger names it, else when it is settled.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apps.providers.quota.terms import (
    EPOCH_KEY,
    MAX_CALL_MICROS,
    MAX_CALL_TOKENS,
    MAX_WINDOW_SECONDS,
    PREFIX,
    PastCall,
    QuotaLimits,
    QuotaStoreUnavailable,
    keys_of,
    microseconds,
    whole,
)

if TYPE_CHECKING:
    import redis

LOCK_KEY = f"{PREFIX}:rebuilding"
LOCK_SECONDS = 60
LOOK_AGAIN_SECONDS = 1.0
CALLS_AT_ONCE = 500
HOUR = microseconds(3600)

Run = Callable[[Sequence[str], dict[str, Any]], Any]


def rebuild(
    client: redis.Redis, ledger: Callable[[], Iterable[PastCall]], *, run: Run, hold: int, now: float | None
) -> bool:
    """Have the store filled; False while another process does. ``QuotaStoreUnavailable`` when the ledger cannot be
    read."""
    token = secrets.token_hex(8)
    if not client.set(LOCK_KEY, token, nx=True, ex=LOCK_SECONDS):
        return False
    if client.exists(EPOCH_KEY):  # filled since the caller found it empty: the ledger may lag behind it
        run([EPOCH_KEY, LOCK_KEY], {"move": "finish_rebuild", "lock": token})
        return True
    past = _read(ledger, unlock=lambda: run([EPOCH_KEY, LOCK_KEY], {"move": "finish_rebuild", "lock": token}))
    clock = {} if now is None else {"now": microseconds(now)}
    for key, calls in past.items():
        for order in _orders(calls, hold=hold):
            if not run([EPOCH_KEY, *keys_of(key), LOCK_KEY], order | clock | {"move": "restore", "lock": token}):
                return False
    return bool(run([EPOCH_KEY, LOCK_KEY], {"move": "finish_rebuild", "lock": token, "epoch": token}))


def _read(ledger: Callable[[], Iterable[PastCall]], *, unlock: Callable[[], Any]) -> Mapping[str, list[PastCall]]:
    """The calls of each account. A ledger that cannot be read leaves the store shut; the next caller tries again."""
    past = defaultdict(list)
    try:
        for call in ledger():
            whole(call.input_tokens, most=MAX_CALL_TOKENS, what="input_tokens")
            whole(call.output_tokens, most=MAX_CALL_TOKENS, what="output_tokens")
            whole(call.money, most=MAX_CALL_MICROS, what="money")
            past[call.key].append(call)
    except Exception as error:
        unlock()
        raise QuotaStoreUnavailable(f"The ledger of past calls cannot be read: {error}") from error
    return past


def _orders(calls: Sequence[PastCall], *, hold: int) -> Iterator[dict[str, Any]]:
    """The account's hours, and those of its calls that a window can still count, some at a time."""
    hours: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for call in calls:
        hour = hours[microseconds(call.at) // HOUR]
        hour[0] += 1
        hour[1] += call.money
    edge = max(call.at for call in calls) - 1.01 * MAX_WINDOW_SECONDS
    counted = [_spoken(call) for call in calls if call.at > edge]
    for start in range(0, len(counted), CALLS_AT_ONCE):
        yield {
            "first": start == 0,
            "hours": hours if start == 0 else {},
            "calls": counted[start : start + CALLS_AT_ONCE],
            "hold": hold,
            "usual_window": QuotaLimits("any").window,
            "longest_window": microseconds(MAX_WINDOW_SECONDS),
            "lock_milliseconds": LOCK_SECONDS * 1000,
        }


def _spoken(call: PastCall) -> dict[str, Any]:
    return {
        "id": call.id or secrets.token_hex(8),
        "at": microseconds(call.at),
        "input": call.input_tokens,
        "output": call.output_tokens,
        "in_flight": call.in_flight,
    }
