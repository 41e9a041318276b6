"""Servers, each started once when the first test requests it, and the database of a test run."""

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

# The same examples every time, so that a change never fails for an unrelated example; make chaos tries new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.register_profile("new")
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=["postgres", "sqlite"],
        default="postgres",
        help="the server of Django's test database",
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
    """Choose the database: pytest-django's hook for this, which runs when the first test needs a database."""
    if request.config.getoption("--database") == "postgres":
        use_database(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    from django.test import TransactionTestCase

    from tests.database_cleanup import empty_database

    TransactionTestCase._fixture_teardown = empty_database  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The documents in ../shared beside the clone; without them the test is skipped."""
    if not CORPUS.is_dir():
        pytest.skip("../shared/corpus is missing beside this clone")
    return CORPUS


def _running(start: Callable[[Path], Service], folder: Path) -> Iterator[str]:
    service = start(folder)
    try:
        yield service.url
    finally:
        service.close()


def use_database(url: str) -> None:
    """Replace the default connection. Changing the settings would be too late, as Django has read them already."""
    from django.db import connections

    from parse_project import backends, settings

    seconds = settings.DATABASE_CONNECTION_SECONDS
    database = backends.database(
        url, connection_seconds=seconds, statement_seconds=60, lock_seconds=10, create_folder=False
    )
    chosen: dict[str, dict[str, Any]] = connections.configure_settings({"default": database})
    connections.databases["default"] = chosen["default"]
    del connections["default"]
