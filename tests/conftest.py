"""Servers that tests ask for by name (started once, and only when asked for) and the database of a test run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import rabbitmq, services
from tests.services import Service

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"

# The same examples every time, so that a change is not refused for what it did not do; make chaos looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.register_profile("new")
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database", choices=["postgres", "sqlite"], default="postgres", help="what Django's test database lives in"
    )


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _running(services.start_postgres, tmp_path_factory.mktemp("postgres"))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _running(services.start_redis, tmp_path_factory.mktemp("redis"))


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _running(rabbitmq.start_rabbitmq, tmp_path_factory.mktemp("rabbitmq"))


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _running(services.start_valkey, tmp_path_factory.mktemp("valkey"))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> None:
    """pytest-django's place to choose the database: it is asked for by the first test that needs one."""
    if request.config.getoption("--database") == "postgres":
        _use_database(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    from django.test import TransactionTestCase

    from tests.database_cleanup import empty_database

    TransactionTestCase._fixture_teardown = empty_database  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The documents beside the clone; a test that needs them is skipped where they are not."""
    if not CORPUS.is_dir():
        pytest.skip("../shared/corpus is not beside this clone")
    return CORPUS


def _running(start: Callable[[Path], Service], folder: Path) -> Iterator[str]:
    service = start(folder)
    try:
        yield service.url
    finally:
        service.close()


def _use_database(url: str) -> None:
    """Settings are read before any fixture runs, so the connection is exchanged and not the settings."""
    from django.db import connections

    from parse_project import backends, settings

    seconds = settings.DATABASE_CONNECTION_SECONDS
    database = backends.database(url, connection_seconds=seconds, create_folder=False)
    chosen: dict[str, dict[str, Any]] = connections.configure_settings({"default": database})
    connections.databases["default"] = chosen["default"]
    del connections["default"]
