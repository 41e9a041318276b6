"""Fixtures for tests that call models: the fake providers' server, a real Redis, and a gateway that uses both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.core import database_connections
from apps.providers import ledger
from apps.providers.calls import process_gateway
from apps.providers.calls.client import Client
from apps.providers.calls.connection import CallLimits
from apps.providers.calls.gateway import Gateway
from apps.providers.catalog import catalog
from apps.providers.quota.store import QuotaStore, connect
from tests.fakes.provider import FakeProvider

MakeGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def running_provider() -> Iterator[FakeProvider]:
    with FakeProvider() as server:
        yield server


@pytest.fixture
def provider(running_provider: FakeProvider) -> FakeProvider:
    running_provider.reset()
    return running_provider


@pytest.fixture
def quota_store(redis_url: str, settings: Any) -> QuotaStore:
    settings.REDIS_URL = redis_url
    client = connect(redis_url)
    client.flushall()
    return QuotaStore(client, rebuild=ledger.past_calls)


@pytest.fixture
def make_gateway(
    quota_store: QuotaStore, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeGateway]:
    """A function that makes the test's own gateway, with its width and limits, and makes jobs use it."""

    def make(*, width: int = 20, **limits: Any) -> Gateway:
        widths = dict.fromkeys(("llm", "lvm", "agent"), width)
        gateway = Gateway(
            client=Client(), store=quota_store, catalog=catalog, widths=widths, limits=CallLimits(**limits)
        )
        monkeypatch.setattr(process_gateway, "make_gateway", lambda: gateway)
        process_gateway.process_gateway.reset()
        return gateway

    catalog.forget()
    yield make
    process_gateway.process_gateway.reset()
    catalog.forget()


@pytest.fixture
def gateway(make_gateway: MakeGateway) -> Gateway:
    return make_gateway()


@pytest.fixture
def shared_connections(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make this process share ``settings.DATABASE_POOL_SIZE`` connections, as a worker with many threads does."""
    monkeypatch.setattr(database_connections, "_pool", None)
    database_connections.share_connections()
    yield
    database_connections.close_idle_connections()
