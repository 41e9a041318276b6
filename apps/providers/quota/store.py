"""The shared quota store: every worker process asks it before each call to a provider.

It lives in Redis or Valkey, so that a quota holds across all processes and hosts. Every move is one run of quota.lua,
atomic over all accounts it names: a call is reserved at its deployment and at its project, or at neither.

- Windows slide, the strictest way a provider can count. A minute is counted as 60.4 s; ``QuotaLimits.window`` says why.
- Within a window calls go at no more than twice the mean rate, so that a burst of threads does not arrive late.
- The clock is the server's: hosts need not agree. ``now`` (epoch seconds) stands in for it in tests.
- A store that has forgotten everything refuses all calls until it has been filled again from the ledger
  (quota_rebuild.py). One that cannot be reached raises ``QuotaStoreUnavailable`` within a second.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from apps.providers.quota import rebuild as quota_rebuild
from apps.providers.quota.terms import (
    EPOCH_KEY,
    MAX_CALL_MICROS,
    MAX_CALL_TOKENS,
    MAX_HOLD_OFF_SECONDS,
    MICROSECONDS,
    AccountState,
    BreakerRules,
    Need,
    PastCall,
    QuotaLimits,
    QuotaStoreUnavailable,
    Refused,
    Reservation,
    keys_of,
    microseconds,
    whole,
)

if TYPE_CHECKING:
    import redis

__all__ = [
    "AccountState",
    "BreakerRules",
    "Need",
    "PastCall",
    "QuotaLimits",
    "QuotaStore",
    "QuotaStoreUnavailable",
    "Refused",
    "Reservation",
    "connect",
]

CONNECTIONS = 32  # a move holds one for a fraction of a millisecond, so 250 threads need no more
CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.5
POOL_SECONDS = 0.4


class QuotaStore:
    """Reserve before each call, settle or release after it. Safe to share between threads.

    ``hold_seconds``: how long a call holds its place in flight when its holder dies. ``rebuild`` reads the calls of the
    last day from the ledger.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        rebuild: Callable[[], Iterable[PastCall]],
        hold_seconds: float = 240.0,
        breaker: BreakerRules | None = None,
    ) -> None:
        self.client = client
        self.hold = microseconds(hold_seconds)
        self._rebuild = rebuild
        self._breaker = breaker or BreakerRules()

    def reserve(
        self, accounts: Sequence[QuotaLimits], need: Need, *, now: float | None = None
    ) -> Reservation | Refused:
        """Take this call at all accounts, or at none."""
        reservation_id = secrets.token_hex(8)
        order = {
            "accounts": [_spoken_limits(limits) for limits in accounts],
            "id": reservation_id,
            "input": need.input_tokens,
            "output": need.output_tokens,
            "money": need.money or 0,
            "hold": self.hold,
            "probe": microseconds(self._breaker.probe_seconds),
        }
        answer = self._move("reserve", keys_of(*(limits.key for limits in accounts)), order, now)
        if answer[0] == "rebuilding":
            return self._rebuild_and_reserve(accounts, need, now)
        if answer[0] == "refused":
            _, position, limit, wait = answer
            return Refused(accounts[position].key, limit, math.inf if wait < 0 else wait / MICROSECONDS)
        _, reserved_at, epoch = answer
        return Reservation(reservation_id, tuple(accounts), need, reserved_at / MICROSECONDS, epoch)

    def settle(
        self,
        reservation: Reservation,
        *,
        input_tokens: int,
        output_tokens: int,
        money: int,
        sent_at: float | None = None,
        now: float | None = None,
    ) -> None:
        """Count what was used in place of the estimate, from the moment it was sent (``Reservation.store_clock``).

        The first report on a call is the one that counts. One that comes after ``hold_seconds`` changes nothing.
        """
        order = _spoken_reservation(reservation) | {
            "epoch": reservation.epoch,
            "input_used": whole(input_tokens, most=MAX_CALL_TOKENS, what="input_tokens"),
            "output_used": whole(output_tokens, most=MAX_CALL_TOKENS, what="output_tokens"),
            "money_used": whole(money, most=MAX_CALL_MICROS, what="money"),
        }
        if sent_at is not None:
            order["sent_at"] = microseconds(sent_at)
        self._move("settle", keys_of(*(limits.key for limits in reservation.accounts)), order, now)

    def release(self, reservation: Reservation, *, now: float | None = None) -> None:
        """The call was never sent: everything comes back."""
        self._move(
            "release", keys_of(*(limits.key for limits in reservation.accounts)), _spoken_reservation(reservation), now
        )

    def hold_off(self, key: str, *, seconds: float, now: float | None = None) -> None:
        """Nobody calls this account for so long (Retry-After). Of several the longest holds; a year is the most."""
        order = {"seconds": microseconds(min(seconds, MAX_HOLD_OFF_SECONDS))}
        self._move("hold_off", keys_of(key), order, now)

    def held_off_seconds(self, key: str, *, now: float | None = None) -> float:
        """How long nobody calls this account from now on; 0 when it may be called."""
        return float(self._move("held_off", keys_of(key), {}, now)) / MICROSECONDS

    def note_success(self, key: str, *, now: float | None = None) -> None:
        """The provider has answered: its breaker closes."""
        self._move("note_success", keys_of(key), {}, now)

    def note_failure(self, key: str, *, now: float | None = None) -> None:
        """The provider did not answer, or only that it is broken."""
        self._move("note_failure", keys_of(key), {"breaker": _spoken_rules(self._breaker)}, now)

    def reset(self, key: str, *, now: float | None = None) -> None:
        """Close the breaker and forget Retry-After. What has been used stays counted."""
        self._move("reset", keys_of(key), {}, now)

    def state(self, keys: Sequence[str], *, now: float | None = None) -> list[AccountState]:
        """What each account has used now, in the same order; an account that is not known has used nothing."""
        if not keys:
            return []
        answers = self._move("state", keys_of(*keys), {}, now)
        return [_account_state(key, answer) for key, answer in zip(keys, answers, strict=True)]

    def ping(self) -> None:
        """Return once it answers."""
        with _reaching_the_store():
            self.client.ping()

    def _rebuild_and_reserve(
        self, accounts: Sequence[QuotaLimits], need: Need, now: float | None
    ) -> Reservation | Refused:
        with _reaching_the_store():
            done = quota_rebuild.rebuild(self.client, self._rebuild, run=self._run, hold=self.hold, now=now)
        if done:
            return self.reserve(accounts, need, now=now)
        return Refused(accounts[0].key if accounts else "", "rebuilding", quota_rebuild.LOOK_AGAIN_SECONDS)

    def _move(self, move: str, keys: Sequence[str], order: dict[str, Any], now: float | None) -> Any:
        clock = {} if now is None else {"now": microseconds(now)}
        with _reaching_the_store():
            return self._run([EPOCH_KEY, *keys], order | clock | {"move": move})

    def _run(self, keys: Sequence[str], order: dict[str, Any]) -> Any:
        from redis.exceptions import NoScriptError

        text, digest = _script()
        arguments: list[str | bytes] = [*keys, msgspec.json.encode(order)]
        try:
            answer = self.client.evalsha(digest, len(keys), *arguments)
        except NoScriptError:
            answer = self.client.eval(text, len(keys), *arguments)
        return _decoded(answer)


def connect(url: str) -> redis.Redis:
    """A client with short time-outs whose connections 250 threads share; nothing is opened before it is used.

    ``url`` as kombu spells it: redis://, rediss:// or redis+socket://PATH?virtual_host=N.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # A connection that the server has closed meanwhile is opened again, once; what is slow is not asked twice.
    again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    pool = redis.BlockingConnectionPool.from_url(
        _redis_url(url),
        max_connections=CONNECTIONS,
        timeout=POOL_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        **({} if _is_socket(url) else {"socket_connect_timeout": CONNECT_SECONDS}),
        retry=again,
    )
    return redis.Redis(connection_pool=pool)


def _is_socket(url: str) -> bool:
    return url.startswith(("redis+socket://", "unix://"))


def _redis_url(url: str) -> str:
    """redis-py spells a socket unix:// and its database db, and CERT_REQUIRED without CERT."""
    for kombu, redis_py in (
        ("redis+socket://", "unix://"),
        ("virtual_host=/", "db="),
        ("virtual_host=", "db="),
        ("ssl_cert_reqs=CERT_REQUIRED", "ssl_cert_reqs=required"),
        ("ssl_cert_reqs=CERT_OPTIONAL", "ssl_cert_reqs=optional"),
        ("ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=none"),
    ):
        url = url.replace(kombu, redis_py)
    return url


@contextmanager
def _reaching_the_store() -> Iterator[None]:
    import redis

    try:
        yield
    except redis.RedisError as error:
        raise QuotaStoreUnavailable(f"{QuotaStoreUnavailable.__doc__} ({error})") from error


@cache
def _script() -> tuple[str, str]:
    """The text of quota.lua and the digest by which the server knows it."""
    import hashlib

    text = Path(__file__).with_name("quota.lua").read_text(encoding="utf-8")
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=1024)
def _spoken_limits(limits: QuotaLimits) -> dict[str, int | bool]:
    """As quota.lua reads it: in microseconds, and what is not limited left out."""
    lengths = {"window": limits.window, "lag": limits.lag, "tolerance": limits.tolerance}
    return limits.limited() | lengths | {"counts_max_tokens": limits.counts_max_tokens}


@lru_cache(maxsize=16)
def _spoken_rules(rules: BreakerRules) -> dict[str, int]:
    return {
        "threshold": rules.threshold,
        "threshold_unproven": rules.threshold_unproven,
        "proven": microseconds(rules.proven_seconds),
        "cooldown": microseconds(rules.cooldown_seconds),
        "longest_cooldown": microseconds(rules.longest_cooldown_seconds),
    }


def _spoken_reservation(reservation: Reservation) -> dict[str, Any]:
    return {
        "accounts": [_spoken_limits(limits) for limits in reservation.accounts],
        "id": reservation.id,
        "input": reservation.need.input_tokens,
        "output": reservation.need.output_tokens,
        "money": reservation.need.money or 0,
        "reserved_at": microseconds(reservation.reserved_at),
    }


def _account_state(key: str, answer: Sequence[int]) -> AccountState:
    requests, input_tokens, output_tokens, in_flight, today, money, not_before, open_until, probing, failures = answer
    return AccountState(
        key=key,
        requests=requests,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        in_flight=in_flight,
        requests_today=today,
        money_today=money,
        not_before=not_before / MICROSECONDS if not_before else None,
        breaker="probing" if open_until and probing else "open" if open_until else "closed",
        failures=failures,
    )


def _decoded(answer: Any) -> Any:
    """The same with text for bytes, whatever the client was told to do with them."""
    if isinstance(answer, list):
        return [_decoded(part) for part in answer]
    return answer.decode() if isinstance(answer, bytes) else answer
