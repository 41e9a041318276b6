"""A quota store on the bundled Valkey, filled once. Each test has its own quotas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from apps.providers.quota.store import QuotaLimits, QuotaStore, connect

START = 1_800_000_000.0
NewLimits = Callable[..., QuotaLimits]
_numbers = count(1)


@pytest.fixture(scope="session")
def store(valkey_url: str) -> Iterator[QuotaStore]:
    client = connect(valkey_url)
    yield QuotaStore(client, rebuild=list)
    client.close()


@pytest.fixture
def limits() -> NewLimits:
    def limits(**limited: Any) -> QuotaLimits:
        return QuotaLimits(f"deployment:{next(_numbers)}", **limited)

    return limits
