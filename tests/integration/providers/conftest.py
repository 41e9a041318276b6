"""Fixtures: the gateway, the fake providers' server, a real database and a real Redis."""

from tests.fakes.fixtures import (
    gateway,
    make_gateway,
    provider,
    quota_store,
    running_provider,
)

__all__ = ["gateway", "make_gateway", "provider", "quota_store", "running_provider"]
