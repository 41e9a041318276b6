"""Fill an empty quota store from the ledger.

One process holds the lock and writes quota by quota. It writes the epoch last, and until then no call is allowed. If
the process dies half-way, the next one overwrites everything that it left. A call that is in flight is counted if the
ledger contains it, otherwise when it is settled.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    microseconds,
    redis_keys,
    whole_number,
)

if TYPE_CHECKING:
    import redis

LOCK_KEY = f"{PREFIX}:rebuilding"
LOCK_SECONDS = 60
RECHECK_SECONDS = 1.0
CALLS_PER_BATCH = 500
HOUR = microseconds(3600)

Run = Callable[[Sequence[str], dict[str, Any]], Any]


def rebuild(
    client: redis.Redis,
    ledger: Callable[[], Iterable[PastCall]],
    *,
    run: Run,
    reservation_ttl: int,
    now: float | None,
) -> bool:
    """Fill the store. Return False if another process is doing so.

    Raise ``QuotaStoreUnavailable`` if the ledger cannot be read. The store then stays closed, and the next caller
    tries again.
    """
    token = secrets.token_hex(8)
    if not client.set(LOCK_KEY, token, nx=True, ex=LOCK_SECONDS):
        return False

    def finish(**epoch: str) -> bool:
        return bool(run([EPOCH_KEY, LOCK_KEY], {"operation": "finish_rebuild", "lock": token, **epoch}))

    if client.exists(EPOCH_KEY):  # filled since the caller found it empty: the ledger may be behind it
        finish()
        return True
    calls_by_key: dict[str, list[PastCall]] = defaultdict(list)
    try:
        for call in ledger():
            whole_number(call.input_tokens, maximum=MAX_CALL_TOKENS, name="input_tokens")
            whole_number(call.output_tokens, maximum=MAX_CALL_TOKENS, name="output_tokens")
            whole_number(call.money, maximum=MAX_CALL_MICROS, name="money")
            calls_by_key[call.key].append(call)
    except Exception as error:
        finish()
        raise QuotaStoreUnavailable(f"The ledger of past calls cannot be read: {error}") from error
    clock = {} if now is None else {"now": microseconds(now)}
    for key, calls in calls_by_key.items():
        for batch in restore_batches(calls, reservation_ttl=reservation_ttl):
            if not run(
                [EPOCH_KEY, *redis_keys(key), LOCK_KEY], batch | clock | {"operation": "restore", "lock": token}
            ):
                return False
    return finish(epoch=token)


def restore_batches(calls: Sequence[PastCall], *, reservation_ttl: int) -> Iterator[dict[str, Any]]:
    """Yield the arguments of "restore" for one quota: its hours, and its calls that a window can still count."""
    hours: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for call in calls:
        hour = hours[microseconds(call.at) // HOUR]
        hour[0] += 1
        hour[1] += call.money
    counted_since = max(call.at for call in calls) - 1.01 * MAX_WINDOW_SECONDS
    counted = [
        {
            "id": call.id or secrets.token_hex(8),
            "at": microseconds(call.at),
            "input": call.input_tokens,
            "output": call.output_tokens,
            "in_flight": call.in_flight,
        }
        for call in calls
        if call.at > counted_since
    ]
    for start in range(0, len(counted), CALLS_PER_BATCH):
        yield {
            "first": start == 0,
            "hours": hours if start == 0 else {},
            "calls": counted[start : start + CALLS_PER_BATCH],
            "ttl": reservation_ttl,
            "usual_window": QuotaLimits("any").window,
            "max_window": microseconds(MAX_WINDOW_SECONDS),
            "lock_milliseconds": LOCK_SECONDS * 1000,
        }
