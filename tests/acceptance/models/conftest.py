"""Fake providers, and workers that all tests of this folder share on one set of backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.models.model_workers import ModelWorkers
from tests.acceptance.running_service import RunningService
from tests.documents.long import long_document
from tests.fakes.provider import FakeProvider

Document = Callable[..., Path]


@pytest.fixture(scope="package")
def running_provider() -> Iterator[FakeProvider]:
    with FakeProvider(runs_first=True) as server:
        yield server


@pytest.fixture
def provider(running_provider: FakeProvider) -> FakeProvider:
    running_provider.reset()
    return running_provider


@pytest.fixture
def other_provider() -> Iterator[FakeProvider]:
    with FakeProvider() as server:
        yield server


@pytest.fixture(scope="package")
def shared_workers(shared_service: RunningService) -> Iterator[ModelWorkers]:
    workers = ModelWorkers(shared_service)
    yield workers
    workers.stop()


@pytest.fixture
def workers(shared_workers: ModelWorkers) -> Iterator[ModelWorkers]:
    shared_workers.start()
    yield shared_workers
    shared_workers.mark_idle()


@pytest.fixture
def service(workers: ModelWorkers) -> RunningService:
    return workers.service


@pytest.fixture
def document(tmp_path: Path) -> Document:
    def write(pages: int, *, lines: int = 12) -> Path:
        path = tmp_path / f"{pages}.pdf"
        path.write_bytes(long_document(pages, lines=lines))
        return path

    return write
