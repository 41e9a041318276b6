"""The service on each set of parts, started once per set; workers are started anew for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.parts import PARTS, SETS
from tests.acceptance.stack import Parts, Process, Stack
from tests.documents.long import long_document


@pytest.fixture(scope="session")
def long_pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 dense pages: about two seconds of work, so that there is a middle to strike in."""
    path = tmp_path_factory.mktemp("documents") / "long.pdf"
    path.write_bytes(long_document(200, columns=12))
    return path


@pytest.fixture(scope="session", params=SETS)
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with PARTS[request.param](tmp_path_factory.mktemp("parts")) as parts:
        yield parts


@pytest.fixture(scope="session")
def running(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Database and web process; ranges and windows are small, so that a job has many messages."""
    stack = Stack(parts, tmp_path_factory.mktemp("service"), {"PAGES_PER_RANGE": "4", "WINDOW_PER_JOB": "8"})
    stack.prepare()
    stack.start_web()
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    """The running service; what a test starts on top of it is ended after the test."""
    before = len(running.processes)
    yield running
    for process in reversed(running.processes[before:]):
        process.kill()
        running.processes.remove(process)


@pytest.fixture
def worker(stack: Stack) -> Process:
    return stack.start_worker()


@pytest.fixture(scope="session")
def calm_result(running: Stack, long_pdf: Path) -> dict[str, Any]:
    """What the long document gives when nothing happens to its job."""
    worker = running.start_worker("calm")
    job_id = running.upload(long_pdf)
    assert running.wait(job_id) == "COMPLETED"
    worker.kill()
    running.processes.remove(worker)
    return running.result(job_id)
