"""The quota store: every worker process reserves quota here before each call to a provider.

It is in Redis or Valkey, so that a quota holds across all processes and hosts. Every operation is one run of quota.lua,
atomic over all quotas that it names: a call is reserved for its deployment and its project, or for neither.

- Windows slide, the strictest way a provider can count. A minute is counted as 60.4 s; see ``QuotaLimits.window``.
- Within a window calls run at no more than twice the mean rate, so that a burst of threads does not arrive late.
- The clock is the server's, so hosts need not agree. Tests pass ``now`` (epoch seconds) instead.
- An empty store denies all calls until it is filled from the ledger (rebuild.py). If the store cannot be reached,
  ``QuotaStoreUnavailable`` is raised within a second.
"""

from __future__ import annotations

import hashlib
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
    BreakerRules,
    PastCall,
    QuotaDemand,
    QuotaDenied,
    QuotaLimits,
    QuotaState,
    QuotaStoreUnavailable,
    Reservation,
    microseconds,
    redis_keys,
    whole_number,
)

if TYPE_CHECKING:
    import redis

__all__ = [
    "BreakerRules",
    "PastCall",
    "QuotaDemand",
    "QuotaDenied",
    "QuotaLimits",
    "QuotaState",
    "QuotaStore",
    "QuotaStoreUnavailable",
    "Reservation",
    "connect",
]

CONNECTIONS = 32  # an operation needs one for a fraction of a millisecond: enough for 250 threads
CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.5
POOL_SECONDS = 0.4


class QuotaStore:
    """Reserve before each call; settle or release after it. Safe to share between threads.

    ``reservation_seconds``: when a reservation expires whose worker died. ``rebuild`` reads the calls of the last day
    from the ledger.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        rebuild: Callable[[], Iterable[PastCall]],
        reservation_seconds: float = 240.0,
        breaker: BreakerRules | None = None,
    ) -> None:
        self.client = client
        self.reservation_ttl = microseconds(reservation_seconds)
        self._rebuild = rebuild
        self._breaker = breaker or BreakerRules()

    def reserve(
        self,
        quotas: Sequence[QuotaLimits],
        demand: QuotaDemand,
        *,
        seconds: float | None = None,
        now: float | None = None,
    ) -> Reservation | QuotaDenied:
        """Reserve one call in all these quotas, or in none of them. ``seconds``: until it expires, if not as usual.

        If the store is empty, fill it first. While another process fills it, deny the call.
        """
        reservation_id = secrets.token_hex(8)
        arguments = {
            "quotas": [_script_limits(limits) for limits in quotas],
            "id": reservation_id,
            "input": demand.input_tokens,
            "output": demand.output_tokens,
            "money": demand.money or 0,
            "ttl": self.reservation_ttl if seconds is None else microseconds(seconds),
            "probe": microseconds(self._breaker.probe_seconds),
        }
        answer = self._run_operation("reserve", [limits.key for limits in quotas], arguments, now)
        if answer[0] == "rebuilding":
            with reaching_the_store():
                is_filled = quota_rebuild.rebuild(
                    self.client, self._rebuild, run=self._run, reservation_ttl=self.reservation_ttl, now=now
                )
            if is_filled:
                return self.reserve(quotas, demand, seconds=seconds, now=now)
            return QuotaDenied(quotas[0].key if quotas else "", "rebuilding", quota_rebuild.RECHECK_SECONDS)
        if answer[0] == "denied":
            _, position, limit, wait, in_flight = answer
            return QuotaDenied(quotas[position].key, limit, math.inf if wait < 0 else wait / MICROSECONDS, in_flight)
        _, reserved_at, epoch = answer
        return Reservation(reservation_id, tuple(quotas), demand, reserved_at / MICROSECONDS, epoch)

    def settle(
        self,
        reservation: Reservation,
        *,
        input_tokens: int,
        output_tokens: int,
        money: int,
        sent_at: float | None = None,
        answered: str = "",
        now: float | None = None,
    ) -> None:
        """Count the actual use instead of the reserved maximum, from ``sent_at`` on (``Reservation.store_clock``).

        Only the first report on a call counts, and only before its reservation expires. ``answered`` is the key of a
        quota whose provider answered: ``note_success`` in the same operation.
        """
        keys = [limits.key for limits in reservation.quotas]
        arguments = _script_reservation(reservation) | {
            "epoch": reservation.epoch,
            "input_used": whole_number(input_tokens, maximum=MAX_CALL_TOKENS, name="input_tokens"),
            "output_used": whole_number(output_tokens, maximum=MAX_CALL_TOKENS, name="output_tokens"),
            "money_used": whole_number(money, maximum=MAX_CALL_MICROS, name="money"),
        }
        if sent_at is not None:
            arguments["sent_at"] = microseconds(sent_at)
        if answered:
            arguments["answered"] = True
            keys.append(answered)
        self._run_operation("settle", keys, arguments, now)

    def release(self, reservation: Reservation, *, now: float | None = None) -> None:
        """Undo the reservation of a call that was never sent."""
        keys = [limits.key for limits in reservation.quotas]
        self._run_operation("release", keys, _script_reservation(reservation), now)

    def hold_off(self, key: str, *, seconds: float, now: float | None = None) -> None:
        """Deny all calls of this quota for ``seconds`` (Retry-After), a year at most. The longest hold-off applies."""
        arguments = {"seconds": microseconds(min(seconds, MAX_HOLD_OFF_SECONDS))}
        self._run_operation("hold_off", [key], arguments, now)

    def held_off_seconds(self, key: str, *, now: float | None = None) -> float:
        """Return for how long calls of this quota are held off; 0 if they are not."""
        return float(self._run_operation("held_off", [key], {}, now)) / MICROSECONDS

    def note_success(self, key: str, *, now: float | None = None) -> None:
        """Count a response of the provider, which closes the circuit breaker."""
        self._run_operation("note_success", [key], {}, now)

    def note_failure(self, key: str, *, now: float | None = None) -> None:
        """Count a call with no response, or with one that shows the provider broken."""
        rules = self._breaker
        breaker = {
            "threshold": rules.threshold,
            "threshold_unproven": rules.threshold_unproven,
            "proven": microseconds(rules.proven_seconds),
            "cooldown": microseconds(rules.cooldown_seconds),
            "max_cooldown": microseconds(rules.max_cooldown_seconds),
        }
        self._run_operation("note_failure", [key], {"breaker": breaker}, now)

    def reset(self, key: str, *, now: float | None = None) -> None:
        """Close the circuit breaker and forget Retry-After. Counts of use stay."""
        self._run_operation("reset", [key], {}, now)

    def state(self, keys: Sequence[str], *, now: float | None = None) -> list[QuotaState]:
        """Return the state of each quota, in the order of ``keys``; an unknown quota is unused."""
        if not keys:
            return []
        answers = self._run_operation("state", keys, {}, now)
        states = []
        for key, answer in zip(keys, answers, strict=True):
            *counts, not_before, open_until, probing, failures = answer
            requests, input_tokens, output_tokens, in_flight, today, money = counts
            states.append(
                QuotaState(
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
            )
        return states

    def ping(self) -> None:
        """Return once the store answers."""
        with reaching_the_store():
            self.client.ping()

    def _run_operation(
        self, operation: str, quota_keys: Sequence[str], arguments: dict[str, Any], now: float | None
    ) -> Any:
        clock = {} if now is None else {"now": microseconds(now)}
        with reaching_the_store():
            return self._run([EPOCH_KEY, *redis_keys(*quota_keys)], arguments | clock | {"operation": operation})

    def _run(self, keys: Sequence[str], arguments: dict[str, Any]) -> Any:
        """Run quota.lua and return its answer, with text instead of bytes whatever the client's settings are."""
        from redis.exceptions import NoScriptError

        text, digest = _quota_script()
        parameters: list[str | bytes] = [*keys, msgspec.json.encode(arguments)]
        try:
            answer = self.client.evalsha(digest, len(keys), *parameters)
        except NoScriptError:
            answer = self.client.eval(text, len(keys), *parameters)
        return _decoded(answer)


def connect(url: str) -> redis.Redis:
    """Return a client with short time-outs whose connections 250 threads share. It connects at first use.

    ``url`` as kombu spells it: redis://, rediss:// or redis+socket://PATH?virtual_host=N.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    is_socket = url.startswith(("redis+socket://", "unix://"))
    # redis-py spells a socket unix:// and its database db, and CERT_REQUIRED without CERT.
    for kombu, redis_py in (
        ("redis+socket://", "unix://"),
        ("virtual_host=/", "db="),
        ("virtual_host=", "db="),
        ("ssl_cert_reqs=CERT_REQUIRED", "ssl_cert_reqs=required"),
        ("ssl_cert_reqs=CERT_OPTIONAL", "ssl_cert_reqs=optional"),
        ("ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=none"),
    ):
        url = url.replace(kombu, redis_py)
    # Reconnect once if the server closed the connection meanwhile; do not repeat a request that timed out.
    reconnect_once = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=POOL_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        **({} if is_socket else {"socket_connect_timeout": CONNECT_SECONDS}),
        retry=reconnect_once,
    )
    return redis.Redis(connection_pool=pool)


@contextmanager
def reaching_the_store() -> Iterator[None]:
    """Turn the client's errors into ``QuotaStoreUnavailable``."""
    import redis

    try:
        yield
    except redis.RedisError as error:
        raise QuotaStoreUnavailable(f"{QuotaStoreUnavailable.__doc__} ({error})") from error


@cache
def _quota_script() -> tuple[str, str]:
    """Return the text of quota.lua and the digest by which the server knows it."""
    text = Path(__file__).with_name("quota.lua").read_text(encoding="utf-8")
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=1024)
def _script_limits(limits: QuotaLimits) -> dict[str, int | bool]:
    """Return the limits as quota.lua reads them: in microseconds, without those that are not set."""
    durations = {"window": limits.window, "lag": limits.lag, "tolerance": limits.tolerance}
    return limits.limited() | durations | {"counts_max_tokens": limits.counts_max_tokens}


def _script_reservation(reservation: Reservation) -> dict[str, Any]:
    """Return the reservation as quota.lua reads it."""
    return {
        "quotas": [_script_limits(limits) for limits in reservation.quotas],
        "id": reservation.id,
        "input": reservation.demand.input_tokens,
        "output": reservation.demand.output_tokens,
        "money": reservation.demand.money or 0,
        "reserved_at": microseconds(reservation.reserved_at),
    }


def _decoded(answer: Any) -> Any:
    """Return the answer with text instead of bytes, at any depth."""
    if isinstance(answer, list):
        return [_decoded(part) for part in answer]
    return answer.decode() if isinstance(answer, bytes) else answer
