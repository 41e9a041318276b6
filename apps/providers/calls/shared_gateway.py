"""The gateway of this process: made at the first use, or by the worker when it starts."""

from __future__ import annotations

import threading

from django.conf import settings

from apps.providers import ledger
from apps.providers.calls.client import Client
from apps.providers.calls.connection import CallLimits
from apps.providers.calls.gateway import Gateway
from apps.providers.catalog import catalog
from apps.providers.quota.store import QuotaStore, connect

_lock = threading.Lock()
_gateway: Gateway | None = None
_sharing = 1


def share_widths(processes: int) -> None:
    """This process is one of so many that share the widths of the settings; said before the gateway is made."""
    global _sharing
    _sharing = processes


def width_of(page_parser: str) -> int:
    """How many calls of this page parser one process has out at most."""
    return max(1, -(-settings.QUEUES[page_parser].width // _sharing))


def shared_gateway() -> Gateway:
    global _gateway
    with _lock:
        if _gateway is None:
            _gateway = _make_gateway()
        return _gateway


def use_gateway(gateway: Gateway | None) -> None:
    """Use this one from here on; None: a new one is made when it is needed."""
    global _gateway
    with _lock:
        _gateway = gateway


def shared_store() -> QuotaStore:
    """The quota store alone, for who asks what is used and calls nobody."""
    store = connect(settings.REDIS_URL)
    return QuotaStore(store, rebuild=ledger.past_calls, reservation_seconds=ledger.longest_call().total_seconds())


def call_limits() -> CallLimits:
    return CallLimits(
        first_byte_seconds=settings.PROVIDER_FIRST_BYTE_SECONDS,
        idle_seconds=settings.PROVIDER_IDLE_SECONDS,
        total_seconds=settings.PROVIDER_TOTAL_SECONDS,
    )


def _make_gateway() -> Gateway:
    widths = {name: width_of(name) for name, queue in settings.QUEUES.items() if queue.page_parser}
    client = Client(connections=sum(widths.values()), limits=call_limits())
    return Gateway(client=client, store=shared_store(), catalog=catalog, widths=widths)
