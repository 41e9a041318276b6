"""The APIs of other services. Their requests wait for a result, so a thread does the work of workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client

from apps.accounts import services as accounts
from apps.jobs.models import ParseJob
from apps.jobs.states import JobState
from tests.integration.jobs.conftest import run

REPORT = (Path(__file__).resolve().parents[4] / "examples" / "report.pdf").read_bytes()


@pytest.fixture(scope="session")
def worker_thread() -> Iterator[ThreadPoolExecutor]:
    """The thread of all workers. A thread that reads a document starts a reader, which takes most of a test's time."""
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.fixture
def worker(transactional_db: None, worker_thread: ThreadPoolExecutor) -> Iterator[None]:
    """Run every job that is created, until the test ends."""
    ended = threading.Event()

    def work() -> None:
        try:
            while not ended.wait(0.02):
                for job in ParseJob.objects.filter(state=JobState.PENDING):
                    run(job)
        finally:
            connections.close_all()

    work_done = worker_thread.submit(work)
    try:
        yield
    finally:
        ended.set()
        work_done.result()


@pytest.fixture
def key(transactional_db: None) -> str:
    return accounts.create_api_key(name="test")[1]


@pytest.fixture
def keyless(transactional_db: None) -> Client:
    return Client(raise_request_exception=False)
