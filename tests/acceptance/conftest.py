"""The service on each set of backends, started once per set; a test starts its workers or shares one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.backends import BACKENDS, TESTED_BACKENDS
from tests.acceptance.running_service import Backends, Process, RunningService
from tests.documents.long import long_document


@pytest.fixture(scope="session")
def long_pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 dense pages: about two seconds of work, so that a test can interfere while the job runs."""
    path = tmp_path_factory.mktemp("documents") / "long.pdf"
    path.write_bytes(long_document(200, columns=12))
    return path


@pytest.fixture(scope="session", params=TESTED_BACKENDS)
def backends(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with BACKENDS[request.param](tmp_path_factory.mktemp("backends")) as backends:
        yield backends


@pytest.fixture(scope="session")
def shared_service(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A migrated database and a web process. Ranges and windows are small, so that a job has many messages."""
    settings = {"PAGES_PER_RANGE": "4", "WINDOW_PER_JOB": "8"}
    service = RunningService(backends, tmp_path_factory.mktemp("service"), settings)
    service.prepare()
    service.start_web()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture
def service(shared_service: RunningService) -> Iterator[RunningService]:
    """The shared service; processes that a test starts are killed after the test."""
    before = len(shared_service.processes)
    yield shared_service
    for process in reversed(shared_service.processes[before:]):
        process.kill()
        shared_service.processes.remove(process)


@pytest.fixture
def worker(service: RunningService) -> Process:
    return service.start_worker()


@pytest.fixture(scope="module")
def shared_worker(shared_service: RunningService) -> Iterator[Process]:
    """One worker for the tests of a module that never disturb it; ``service`` does not kill it between tests."""
    worker = shared_service.start_worker("shared")
    yield worker
    worker.kill()
    shared_service.processes.remove(worker)


@pytest.fixture(scope="session")
def undisturbed_result(shared_service: RunningService, long_pdf: Path) -> dict[str, Any]:
    """The result of the long document when nothing interferes with its job."""
    worker = shared_service.start_worker("undisturbed")
    job_id = shared_service.upload(long_pdf)
    assert shared_service.wait(job_id) == "COMPLETED"
    worker.kill()
    shared_service.processes.remove(worker)
    return shared_service.result(job_id)
