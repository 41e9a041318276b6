"""The quota store on a real server: many processes, two quotas, a flush, an unavailable server."""

from __future__ import annotations

import math
import multiprocessing
import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.providers.quota.store import (
    PastCall,
    QuotaDemand,
    QuotaDenied,
    QuotaLimits,
    QuotaState,
    QuotaStore,
    QuotaStoreUnavailable,
    Reservation,
    connect,
)
from tests import services
from tests.chaos.results import FaultResult, record
from tests.integration.providers.quota.conftest import START, NewLimits
from tests.services import Service

CALL = QuotaDemand(100, 50, 7)
PROCESSES = 8
REQUESTS = 200


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Service]:
    """A server of its own, which a test can flush and stop."""
    service = services.start_valkey(tmp_path)
    yield service
    service.close()


def granted(answer: Reservation | QuotaDenied) -> Reservation:
    assert isinstance(answer, Reservation), answer
    return answer


def denied(answer: Reservation | QuotaDenied) -> QuotaDenied:
    assert isinstance(answer, QuotaDenied), answer
    return answer


def state(store: QuotaStore, limits: QuotaLimits, now: float = START) -> QuotaState:
    return store.state([limits.key], now=now)[0]


def max_in_a_minute(moments: Iterable[float]) -> int:
    ordered = sorted(moments)
    return max(sum(moment - 60 < other <= moment for other in ordered) for moment in ordered)


def reserve_repeatedly(url: str, limits: QuotaLimits, began: float) -> list[float]:
    """Return the times of this process's reservations, by a clock that runs 120 times as fast as this host's."""
    store, moments = QuotaStore(connect(url), rebuild=list), []
    for _ in range(REQUESTS):
        answer = store.reserve([limits], CALL, now=START + 120 * (time.time() - began))
        if isinstance(answer, Reservation):
            moments.append(answer.reserved_at)
        time.sleep(0.005)
    return moments


def test_all_processes_together_keep_a_limit(valkey_url: str, limits: NewLimits) -> None:
    per_minute, began = limits(requests=60), time.time()
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(reserve_repeatedly, valkey_url, per_minute, began) for _ in range(PROCESSES)]
        moments = [moment for process in running for moment in process.result()]

    most = max_in_a_minute(moments)
    record(
        FaultResult(
            "F41",
            f"{PROCESSES} processes, {REQUESTS} reservations each",
            "Valkey",
            "python -m pytest tests/integration/providers/quota -k all_processes",
            violations=[f"{most} calls in a minute"] if most > 60 else [],
            figures={"reserved": len(moments), "most_in_a_minute": most},
        )
    )
    assert len(moments) >= 60
    assert most <= 60


# --- two quotas ---


def test_call_over_the_project_budget_reserves_nothing_at_the_deployment(store: QuotaStore, limits: NewLimits) -> None:
    deployment, project = limits(requests=60, calls_in_flight=1), limits(money_per_day=6)

    assert store.reserve([deployment, project], CALL, now=START) == QuotaDenied(project.key, "money_per_day", math.inf)
    assert state(store, deployment) == QuotaState(deployment.key, 0, 0, 0, 0, 0, 0, None, "closed", 0)
    granted(store.reserve([deployment], CALL, now=START))


def test_call_is_counted_and_released_in_both_quotas(store: QuotaStore, limits: NewLimits) -> None:
    both = [limits(requests=60, calls_in_flight=1, requests_per_day=1), limits(money_per_day=7)]
    for _ in range(3):
        call = granted(store.reserve(both, CALL, now=START))
        used = store.state([account.key for account in both], now=START)
        assert [(account.requests, account.tokens, account.in_flight, account.money_today) for account in used] == [
            (1, 150, 1, 7)
        ] * 2
        store.release(call, now=START)

    for account in both:
        assert state(store, account) == QuotaState(account.key, 0, 0, 0, 0, 0, 0, None, "closed", 0)


# --- settling ---


def test_only_the_first_report_on_a_call_counts(store: QuotaStore, limits: NewLimits) -> None:
    account = limits(tokens=1000)
    call = granted(store.reserve([account], CALL, now=START))

    store.settle(call, input_tokens=80, output_tokens=20, money=5, now=START + 1)
    store.settle(call, input_tokens=900, output_tokens=900, money=900, now=START + 2)
    store.release(call, now=START + 3)

    used = state(store, account, START + 3)
    assert (used.requests, used.input_tokens, used.output_tokens, used.money_today) == (1, 80, 20, 5)


def test_released_call_is_not_settled(store: QuotaStore, limits: NewLimits) -> None:
    account = limits(tokens=1000)
    call = granted(store.reserve([account], CALL, now=START))

    store.release(call, now=START + 1)
    store.settle(call, input_tokens=80, output_tokens=20, money=5, now=START + 2)

    used = state(store, account, START + 2)
    assert (used.requests, used.tokens, used.requests_today, used.money_today) == (0, 0, 0, 0)


def test_call_counts_from_the_time_of_sending(store: QuotaStore, limits: NewLimits) -> None:
    account = limits(requests=1)
    call = granted(store.reserve([account], CALL, now=START))
    store.settle(call, input_tokens=1, output_tokens=1, money=0, sent_at=START + 20, now=START + 30)

    assert denied(store.reserve([account], CALL, now=START + 70)).wait_seconds == pytest.approx(10.4, abs=0.001)
    granted(store.reserve([account], CALL, now=START + 80.5))


@pytest.mark.parametrize("wrong", [-1, 1.5, True, 10**18, math.nan])
def test_invalid_report_changes_nothing(store: QuotaStore, limits: NewLimits, wrong: int) -> None:
    account = limits(tokens=1000)
    call = granted(store.reserve([account], CALL, now=START))

    for used in ((wrong, 1, 1), (1, wrong, 1), (1, 1, wrong)):
        with pytest.raises(ValueError):
            store.settle(call, input_tokens=used[0], output_tokens=used[1], money=used[2], now=START + 1)

    assert (state(store, account).tokens, state(store, account).in_flight) == (150, 1)


# --- the clock ---


def test_all_clients_use_the_servers_clock(store: QuotaStore, valkey_url: str, limits: NewLimits) -> None:
    account, other = limits(requests=1), QuotaStore(connect(valkey_url), rebuild=list)
    with services.redis_client(valkey_url) as client:
        before = _server_time(client.time())
        call = granted(store.reserve([account], CALL))
        after = _server_time(client.time())

    assert before <= call.reserved_at <= after
    assert call.store_clock() >= call.reserved_at
    assert other.state([account.key])[0].requests == 1
    answer = denied(other.reserve([account], CALL))
    assert answer.limit == "requests"
    assert 0 < answer.wait_seconds <= 61


def _server_time(answer: tuple[int, int]) -> float:
    return answer[0] + answer[1] / 1_000_000


# --- an empty store ---


def test_flushed_store_denies_calls_until_it_is_filled(own_valkey: Service) -> None:
    account = QuotaLimits("deployment:1", requests=60, requests_per_day=65)
    past = [PastCall(account.key, START - 50 + index, 10, 10, money=3) for index in range(40)]
    past += [PastCall(account.key, START - 7200, 10, 10, money=3)]
    other = QuotaStore(connect(own_valkey.url), rebuild=list)
    meanwhile = []

    def ledger() -> list[PastCall]:
        meanwhile.append(other.reserve([account], CALL, now=START))
        return past

    store = QuotaStore(connect(own_valkey.url), rebuild=ledger)
    services.flush_redis(own_valkey.url)
    answers = [store.reserve([account], CALL, now=START + index / 2) for index in range(120)]

    assert [(answer.limit, answer.wait_seconds) for answer in map(denied, meanwhile)] == [("rebuilding", 1.0)]
    moments = [answer.reserved_at for answer in answers if isinstance(answer, Reservation)]
    assert len(moments) == 24  # what 41 calls leave of a day's 65
    assert max_in_a_minute([*moments, *(call.at for call in past)]) <= 60
    assert state(store, account, START + 60).money_today == 41 * 3 + 24 * 7


def test_store_is_filled_once_by_many_callers(own_valkey: Service) -> None:
    """A caller that gets the lock after the store was filled must not fill it again.

    It would lose the calls reserved meanwhile, which the ledger does not contain yet.
    """
    account = QuotaLimits("deployment:1", calls_in_flight=1000)
    fills: list[int] = []

    def ledger() -> list[PastCall]:
        fills.append(1)
        return []

    store = QuotaStore(connect(own_valkey.url), rebuild=ledger)
    for _ in range(20):
        services.flush_redis(own_valkey.url)
        fills.clear()
        with ThreadPoolExecutor(24) as threads:
            answers = list(threads.map(lambda _: store.reserve([account], CALL), range(96)))

        assert len(fills) == 1
        assert store.state([account.key])[0].in_flight == sum(isinstance(one, Reservation) for one in answers)


def test_flush_loses_no_call_of_the_ledger(own_valkey: Service) -> None:
    account = QuotaLimits("deployment:1", requests=60)
    past: list[PastCall] = []
    store = QuotaStore(connect(own_valkey.url), rebuild=lambda: past)
    for index in range(600):
        now = START + index / 4
        if index in {100, 130, 300}:
            services.flush_redis(own_valkey.url)
        answer = store.reserve([account], CALL, now=now)
        if isinstance(answer, Reservation):
            past.append(PastCall(account.key, now, 100, 50, 7, id=answer.id, in_flight=True))

    assert len(past) >= 120
    assert max_in_a_minute(call.at for call in past) <= 60


def test_call_in_flight_during_a_flush_is_counted_when_settled(own_valkey: Service) -> None:
    account = QuotaLimits("deployment:1", requests=1)
    store = QuotaStore(connect(own_valkey.url), rebuild=list)
    call = granted(store.reserve([account], CALL, now=START))
    services.flush_redis(own_valkey.url)
    granted(store.reserve([QuotaLimits("deployment:2")], CALL, now=START + 1))

    for _ in range(2):
        store.settle(call, input_tokens=80, output_tokens=20, money=5, sent_at=START + 0.5, now=START + 2)

    used = state(store, account, START + 2)
    assert (used.requests, used.tokens, used.requests_today, used.money_today) == (1, 100, 1, 5)
    assert denied(store.reserve([account], CALL, now=START + 2)).limit == "requests"


def test_store_stays_closed_if_the_ledger_cannot_be_read(own_valkey: Service) -> None:
    account, broken = QuotaLimits("deployment:1"), [True]

    def ledger() -> list[PastCall]:
        if broken.pop():
            raise ConnectionError("the database is away")
        return []

    broken.insert(0, False)
    store = QuotaStore(connect(own_valkey.url), rebuild=ledger)
    with pytest.raises(QuotaStoreUnavailable, match="the database is away"):
        store.reserve([account], CALL, now=START)

    granted(store.reserve([account], CALL, now=START))


# --- an unavailable server ---


def test_store_recovers_after_the_server_restarts(own_valkey: Service) -> None:
    account = QuotaLimits("deployment:1", requests=60)
    store = QuotaStore(connect(own_valkey.url), rebuild=list)
    call = granted(store.reserve([account], CALL, now=START))
    store.client.execute_command("WAITAOF", 1, 0, 5000)  # otherwise the rebuild's lock can outlive the rebuild

    own_valkey.kill()
    with pytest.raises(QuotaStoreUnavailable):
        store.reserve([account], CALL, now=START)
    with pytest.raises(QuotaStoreUnavailable):
        store.settle(call, input_tokens=1, output_tokens=1, money=0, now=START)
    with pytest.raises(QuotaStoreUnavailable):
        store.state([account.key], now=START)

    own_valkey.start()
    granted(store.reserve([account], CALL, now=START + 1))


def test_refused_connection_is_unavailable() -> None:
    store = QuotaStore(connect(f"redis://127.0.0.1:{services.free_port()}/0"), rebuild=list)

    with pytest.raises(QuotaStoreUnavailable):
        store.reserve([QuotaLimits("deployment:1")], CALL)


def test_silent_server_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = QuotaStore(connect(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"), rebuild=list)

        with pytest.raises(QuotaStoreUnavailable):
            store.reserve([QuotaLimits("deployment:1")], CALL)
