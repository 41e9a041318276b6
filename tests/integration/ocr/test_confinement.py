"""An OCR engine that a picture takes over reaches nothing but its own result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from apps.pages.sandbox.confinement import landlock_version
from ocr_worker.engine import EngineProcess
from tests.documents.scans import LINES, picture
from tests.integration.ocr.conftest import process_with
from tests.integration.ocr.test_recognition import read, text_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these restrictions")
LEFT = frozenset() if landlock_version() else frozenset({"files", "writing"})


def test_the_engines_are_confined_and_measured(engine: EngineProcess) -> None:
    assert text_of(read(engine, picture(), "en")) == " ".join(LINES)
    assert engine.escapes == LEFT


def test_an_engine_that_runs_programs_has_no_network() -> None:
    with process_with("pytesseract") as process:
        assert text_of(read(process, picture(), "en")) == " ".join(LINES)
        assert process.escapes is not None
        assert process.escapes & {"calls", "limits", "signals"} == set()
    with process_with("tests.fakes.attacking_engine:make_with_programs") as process:
        done = text_of(read(process, picture(), "en")).removeprefix("succeeded:").split("+")
    assert set(done) & {"socket", "connect", "parent", "signal"} == set()
    assert "program" in done


def test_no_attempt_of_an_engine_succeeds() -> None:
    with process_with("tests.fakes.attacking_engine:make") as process:
        text = text_of(read(process, picture(), "en"))
    assert text == ("succeeded:" if landlock_version() else "succeeded:write+read")


STARTED = """
import sys
from tests.documents.scans import picture
from tests.integration.ocr.conftest import process_with
from tests.integration.ocr.test_recognition import read
process = process_with("tests.fakes.attacking_engine:make")
read(process, picture(), "en")
print(process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user of engines")
def test_an_engine_that_does_not_listen_ends_with_its_worker() -> None:
    command = [sys.executable, "-c", STARTED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        engine = psutil.Process(int(worker.stdout.readline()))
        engine.suspend()  # as one that is busy with a page, it does not notice that its socket is closed
        worker.kill()
    try:
        until = time.monotonic() + 60
        while is_alive(engine) and time.monotonic() < until:
            time.sleep(0.05)
        assert not is_alive(engine)
    finally:
        if is_alive(engine):
            engine.send_signal(signal.SIGKILL)


def test_an_engine_outlives_the_thread_that_started_it() -> None:
    with process_with("tests.fakes.attacking_engine:make") as process:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(read, process, picture(), "en").result()
        first = process.pid
        read(process, picture(), "en")
        assert process.pid == first


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
