"""Real workers write the heartbeat file for probes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import services
from tests.acceptance.running_service import ROOT, wait_for

HOUSEKEEPING = (str(ROOT / "manage.py"), "work", "housekeeping")
OCR = ("-m", "ocr_worker", "ocr_cpu")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[services.Service]:
    """A Redis that only this test uses, so that it can be stopped."""
    (tmp_path / "redis").mkdir()
    service = services.start_redis(tmp_path / "redis")
    yield service
    service.close()


@dataclass(frozen=True)
class Worker:
    process: subprocess.Popen[bytes]
    heartbeat: Path

    def wrote(self, word: str) -> bool:
        return self.heartbeat.exists() and self.heartbeat.read_text().strip() == word


@contextmanager
def running(arguments: tuple[str, ...], *, folder: Path, broker_url: str) -> Iterator[Worker]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= {
        "LEAFMILL_DATA": str(folder / "data"),
        "CELERY_BROKER_URL": broker_url,
        "REDIS_URL": broker_url,
        "WORKER_HEARTBEAT_FILE": str(folder / "heartbeat"),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield Worker(process, folder / "heartbeat")
    finally:
        process.kill()
        process.wait()


def test_a_worker_with_threads_rewrites_the_file(tmp_path: Path, broker: services.Service) -> None:
    with running(HOUSEKEEPING, folder=tmp_path, broker_url=broker.url) as worker:
        wait_for(lambda: worker.wrote("taking"), "messages are consumed", seconds=60)
        written = worker.heartbeat.stat().st_mtime_ns
        wait_for(lambda: worker.heartbeat.stat().st_mtime_ns > written, "the file is rewritten", seconds=60)


def test_a_worker_with_processes_reports_the_loss_of_its_broker(tmp_path: Path, broker: services.Service) -> None:
    with running(OCR, folder=tmp_path, broker_url=broker.url) as worker:
        wait_for(lambda: worker.wrote("taking"), "messages are consumed", seconds=60)
        broker.stop()
        wait_for(lambda: worker.wrote("waiting"), "the worker reports that it waits", seconds=60)
        broker.start()
        wait_for(lambda: worker.wrote("taking"), "messages are consumed again", seconds=60)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(60) == 0
