"""Fixtures of the tests of apps.core."""

from tests.fakes.fixtures import shared_connections

__all__ = ["shared_connections"]
