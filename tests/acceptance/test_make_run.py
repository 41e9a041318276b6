"""``make run`` as a user at a terminal sees it: its output, and its processes after Ctrl-C and after a crash."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from apps.supervisor.processes import MARKER, end, processes_of
from tests.acceptance.running_service import wait_for
from tests.services import free_port

ROOT = Path(__file__).resolve().parents[2]
END_SECONDS = 10
API_KEY = re.compile(r"API key: (\S+)")
PASSWORD = re.compile(r"Administrator: admin +password: (\S+)")


@dataclass
class Run:
    """One ``make run`` and its output so far; it has its own process group, as in a terminal."""

    popen: subprocess.Popen[bytes]
    log: Path
    folder: Path
    port: int
    flower_port: int

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_for_output(self, words: str, *, seconds: float = 60) -> None:
        wait_for(lambda: words in self.output or self.popen.poll() is not None, f"it prints {words!r}", seconds=seconds)
        assert words in self.output, self.output

    def interrupt(self) -> float:
        """Send SIGINT to the process group, as Ctrl-C does; return the seconds until the end."""
        began = time.monotonic()
        os.killpg(self.popen.pid, signal.SIGINT)
        self.popen.wait(30)
        return time.monotonic() - began

    def members(self) -> list[psutil.Process]:
        return processes_of(str(self.folder))

    def leader_of(self, *words: str) -> psutil.Process:
        """Return the oldest member with these words in its command line; its children have the same ones."""
        found = [process for process in self.members() if all(word in process.cmdline() for word in words)]
        return min(found, key=lambda process: (process.create_time(), process.pid))


Start = Callable[..., Run]


@contextmanager
def starter(folder: Path, logs: Path) -> Iterator[Start]:
    """A function that starts ``make run`` on a data folder; remaining processes are ended after the block."""
    runs: list[Run] = []
    # Without a convert worker, so that the processes are the same on machines with LibreOffice and without.
    ports = {"PORT": str(free_port()), "FLOWER_PORT": str(free_port()), "CONVERTER": "off"}

    def start(**environment: str) -> Run:
        log = logs / f"run-{len(runs)}.log"
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        settings = {"LEAFMILL_DATA": str(folder), "PARSE_PROCESSES": "1", "OCR_WORKER": "1", **ports, **environment}
        with log.open("wb") as out:
            popen = subprocess.Popen(
                ["make", "-s", "run"],
                cwd=ROOT,
                env=inherited | settings,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        data = Path(settings["LEAFMILL_DATA"])
        runs.append(Run(popen, log, data, int(settings["PORT"]), int(settings["FLOWER_PORT"])))
        return runs[-1]

    try:
        yield start
    finally:
        for run in runs:
            if run.popen.poll() is None:
                os.killpg(run.popen.pid, signal.SIGKILL)
            end(run.members(), grace_seconds=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def start(folder: Path, tmp_path: Path) -> Iterator[Start]:
    """Start ``make run`` on this test's data folder."""
    with starter(folder, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def shared_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start ``make run`` on the data folder that some tests share."""
    folder = tmp_path_factory.mktemp("shared")
    with starter(folder / "data", folder) as start:
        yield start


@pytest.fixture(scope="module")
def running(shared_start: Start) -> Run:
    """A run that the tests share until one of them ends it; starting one takes most of a test's time."""
    run = shared_start()
    run.wait_for_output("Leafmill is ready")
    # Supervisor, broker, web, Flower, workers of documents, OCR, models and housekeeping; below them the web child, a
    # pool child and its reader, and an OCR child.
    wait_for(lambda: len(run.members()) == 12, "all processes run", seconds=30)
    return run


def test_flower_requires_the_password_in_the_data_folder(running: Run) -> None:
    url = f"http://127.0.0.1:{running.flower_port}/workers"
    wait_for(lambda: status(url) is not None, "Flower answers", seconds=30)
    password = running.folder / "flower_password"

    assert status(url) == 401
    assert status(f"http://127.0.0.1:{running.flower_port}/metrics") == 401
    assert httpx.get(url, auth=("admin", password.read_text())).status_code == 200
    assert password.stat().st_mode & 0o077 == 0


def test_flower_receives_events_of_finished_tasks(running: Run) -> None:
    headers = {"Authorization": f"Bearer {API_KEY.findall(running.output)[0]}"}
    url = f"http://127.0.0.1:{running.flower_port}/metrics"
    wait_for(lambda: status(url) is not None, "Flower answers", seconds=30)
    login = ("admin", (running.folder / "flower_password").read_text())

    with (ROOT / "examples/report.pdf").open("rb") as document:
        sent = httpx.post(
            f"http://127.0.0.1:{running.port}/api/v2/parse/upload",
            headers=headers,
            files={"file": document},
            data={"configuration": '{"tier": "fast", "version": "latest", "disable_cache": true}'},
        )

    assert sent.status_code == 200, sent.text
    done = re.compile(r'flower_events_total\{[^}]*type="task-succeeded"')
    wait_for(
        lambda: done.search(httpx.get(url, auth=login).text) is not None,
        "Flower has counted the task",
        seconds=30,
        pause=0.5,
    )


def test_a_second_run_on_the_same_data_folder_is_refused(running: Run, shared_start: Start) -> None:
    second = shared_start()

    assert second.popen.wait(30) == 2
    assert "already runs on the data folder" in second.output
    assert running.popen.poll() is None
    assert status(f"http://127.0.0.1:{running.port}/readyz") == 200


def test_a_crashed_member_is_restarted_and_reported(running: Run) -> None:
    web, worker = running.leader_of("granian"), running.leader_of("work", "housekeeping")

    web.kill()
    worker.kill()

    running.wait_for_output("web ended unexpectedly (terminated by SIGKILL)")
    running.wait_for_output("housekeeping ended unexpectedly (terminated by SIGKILL)")
    running.wait_for_output("web runs again", seconds=20)
    running.wait_for_output("housekeeping runs again", seconds=20)
    wait_for(lambda: status(f"http://127.0.0.1:{running.port}/readyz") == 200, "web answers again", seconds=20)


def test_one_interrupt_ends_everything_and_a_second_start_keeps_the_data(running: Run, shared_start: Start) -> None:
    """This must be the last test of ``running``, because it ends the run."""
    key, password = API_KEY.findall(running.output), PASSWORD.findall(running.output)
    assert len(key) == len(password) == 1
    url = f"http://127.0.0.1:{running.port}/api/v2/parse"
    headers = {"Authorization": f"Bearer {key[0]}"}
    assert httpx.get(url, headers=headers).status_code == 200

    assert running.interrupt() < END_SECONDS
    assert running.members() == []

    second = shared_start()
    second.wait_for_output("Leafmill is ready")
    assert httpx.get(url, headers=headers).status_code == 200, "the key of the first start is valid"
    assert not API_KEY.search(second.output)
    assert not PASSWORD.search(second.output)
    assert f"LEAFMILL_DATA={second.folder} .venv/bin/python manage.py create_api_key NAME" in second.output
    assert f"export LEAFMILL_DATA={second.folder}\n" in second.output
    assert second.folder.stat().st_mode & 0o077 == 0, "no other user may read the data folder"
    assert second.interrupt() < END_SECONDS


def test_an_interrupt_during_the_start_ends_everything(start: Start) -> None:
    run = start()
    run.wait_for_output("Starting valkey")

    assert run.interrupt() < END_SECONDS
    assert run.members() == []


def test_a_termination_ends_everything_even_with_a_long_path_of_the_data_folder(start: Start, tmp_path: Path) -> None:
    """The path of a Unix socket is limited to about a hundred characters."""
    run = start(LEAFMILL_DATA=str(tmp_path / ("x" * 120)))
    run.wait_for_output("Leafmill is ready")
    began = time.monotonic()

    run.popen.terminate()  # as a service manager does; make forwards it
    run.popen.wait(30)

    wait_for(lambda: run.members() == [], "no process is left", seconds=END_SECONDS)
    assert time.monotonic() - began < END_SECONDS


@pytest.mark.parametrize("variable", ["PORT", "FLOWER_PORT"])
def test_a_taken_port_gives_one_clear_message(start: Start, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = start(**{variable: str(port)})
        assert run.popen.wait(30) == 2

    assert f"Port {port} on 127.0.0.1 is taken by another program" in run.output
    assert f"{variable}={port + 1}" in run.output
    assert "Traceback" not in run.output
    assert run.members() == []


def test_no_process_survives_a_killed_supervisor_and_its_starter(start: Start) -> None:
    run = start()
    run.wait_for_output("Leafmill is ready")

    for process in (run.popen, run.leader_of("supervisor.supervisord")):
        process.kill()
    for process in psutil.process_iter(["cmdline"]):
        if is_the_starter(process, run.folder):
            process.kill()

    wait_for(lambda: run.members() == [], "no process is left", seconds=END_SECONDS)
    again = start()
    again.wait_for_output("Leafmill is ready")


def is_the_starter(process: psutil.Process, folder: Path) -> bool:
    """Return whether this is the ``manage.py run`` of this data folder; it does not have the group's marker."""
    try:
        environment = process.environ()
    except psutil.Error:
        return False
    mine = environment.get("LEAFMILL_DATA") == str(folder) and MARKER not in environment
    return mine and process.cmdline()[1:] == ["manage.py", "run"]


def status(url: str) -> int | None:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.HTTPError:
        return None
