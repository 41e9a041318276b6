"""The gateway of this process, made at first use or when the worker starts."""

from __future__ import annotations

from django.conf import settings

from apps.pages.per_process import PerProcess
from apps.providers import ledger
from apps.providers.calls.client import Client
from apps.providers.calls.connection import CallLimits
from apps.providers.calls.gateway import Gateway
from apps.providers.catalog import catalog
from apps.providers.quota.store import QuotaStore, connect

_processes = 1


def share_widths(processes: int) -> None:
    """Divide the widths of the settings between this number of processes. Call it before the gateway is made."""
    global _processes
    _processes = processes


def width_of(page_parser: str) -> int:
    """Return how many calls of this page parser one process may have in flight."""
    return max(1, -(-settings.QUEUES[page_parser].width // _processes))


def configured_quota_store() -> QuotaStore:
    """Return a client of the quota store at ``settings.REDIS_URL``."""
    store = connect(settings.REDIS_URL)
    return QuotaStore(store, rebuild=ledger.past_calls, reservation_seconds=ledger.max_call_duration().total_seconds())


def call_limits() -> CallLimits:
    """Return the limits of one call from the settings."""
    return CallLimits(
        first_byte_seconds=settings.PROVIDER_FIRST_BYTE_SECONDS,
        idle_seconds=settings.PROVIDER_IDLE_SECONDS,
        total_seconds=settings.PROVIDER_TOTAL_SECONDS,
    )


def make_gateway() -> Gateway:
    """Return a new gateway as the settings describe it. Call ``process_gateway`` for the one of this process."""
    widths = {name: width_of(name) for name, queue in settings.QUEUES.items() if queue.page_parser}
    return Gateway(
        client=Client(), store=configured_quota_store(), catalog=catalog, widths=widths, limits=call_limits()
    )


process_gateway = PerProcess(lambda: make_gateway())  # looked up at each call, so that tests can replace it
