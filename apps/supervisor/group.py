"""The supervised group: supervisord starts the members, restarts crashed ones and stops them in order.

This module adds one line on the terminal for each event, a time limit for stopping, and the guarantee that no process
remains, whichever process was killed.
"""

from __future__ import annotations

import http
import http.client
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from apps.supervisor import processes
from apps.supervisor.programs import LAUNCHER, Member, supervisor_configuration

STOP_SECONDS = 9.0  # everything ends within ten seconds
MAX_FAILED_STARTS = 3  # of one member, before the service was ready for the first time
READY_SECONDS = 60.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SPAWNED = re.compile(r"spawned: '(?P<name>[\w-]+)' with pid (?P<pid>\d+)")
RUNNING = re.compile(r"success: (?P<name>[\w-]+) entered RUNNING state")
EXITED = re.compile(r"exited: (?P<name>[\w-]+) \((?P<how>[^;)]+)")


class Group:
    """All members, under one supervisord in a session of its own.

    ``report`` prints a line on the terminal. Use it from the main thread, because it installs signal handlers.
    """

    def __init__(
        self, members: list[Member], *, folder: Path, environment: dict[str, str], report: Callable[[str], None]
    ):
        self._members = members
        self._folder = folder
        self._environment = {**environment, processes.MARKER: str(folder)}
        self._report = report
        self._pids: dict[str, int] = {}
        self._crashes: Counter[str] = Counter()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._failed = False
        self._supervisor: subprocess.Popen[str] | None = None

    def run(self, *, address: tuple[str, int], on_ready: Callable[[], None]) -> int:
        """Start the members and watch them until a stop signal. Return the exit code: 0, or 1 after a failure."""
        earlier = {number: signal.signal(number, self._on_stop_signal) for number in STOP_SIGNALS}
        launcher = [sys.executable, "-S", "-E", str(LAUNCHER)]
        try:
            configuration = self._folder / "run" / "supervisord.conf"
            configuration.write_text(supervisor_configuration(self._members, folder=self._folder), encoding="utf-8")
            self._supervisor = subprocess.Popen(
                [*launcher, sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # only we receive Ctrl-C of the terminal, and stop the members in order
            )
            if self._stopping.is_set():  # the signal came during the start
                self._terminate(self._supervisor)
            threading.Thread(target=self._announce_ready, args=(address, on_ready), daemon=True).start()
            assert self._supervisor.stdout is not None
            for line in self._supervisor.stdout:
                self._on_line(line)
            code = self._supervisor.wait()
            if not self._stopping.is_set():
                self._failed = True
                self._report(f"The supervisor ended unexpectedly (exit {code}); stopping everything.")
        finally:
            self._stopping.set()
            processes.end(processes.processes_of(str(self._folder)), grace_seconds=1.0 if self._failed else 0.2)
            if self._supervisor is not None:
                self._supervisor.wait()
            for number, handler in earlier.items():
                signal.signal(number, handler)
        return 1 if self._failed else 0

    def stop(self) -> None:
        """Stop all members in order; a second call kills them at once."""
        if self._stopping.is_set():
            self._kill_all()
            return
        self._stopping.set()
        if self._supervisor is not None:
            self._terminate(self._supervisor)

    def _terminate(self, supervisor: subprocess.Popen[str]) -> None:
        """Let supervisord stop the members; kill what is left after STOP_SECONDS."""
        supervisor.terminate()
        deadline = threading.Timer(STOP_SECONDS, self._kill_all)
        deadline.daemon = True
        deadline.start()

    def _on_line(self, line: str) -> None:
        if spawned := SPAWNED.search(line):
            self._pids[spawned["name"]] = int(spawned["pid"])
        elif self._stopping.is_set():
            return
        elif exited := EXITED.search(line):
            self._on_crash(exited["name"], exited["how"])
        elif (running := RUNNING.search(line)) and self._crashes[running["name"]]:
            self._report(f"{running['name']} runs again.")
        elif "Error" in line:
            self._report(line.strip())

    def _on_crash(self, name: str, how: str) -> None:
        if name in self._pids:
            processes.end_process_group(self._pids[name])  # its children may still hold its port
        self._crashes[name] += 1
        if not self._ready.is_set() and self._crashes[name] >= MAX_FAILED_STARTS:
            self._failed = True
            self._report(f"{name} cannot be started ({how}); stopping everything. The end of its log:")
            try:
                lines = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()
                self._report("\n".join(f"  {line}" for line in lines[-15:]))
            except OSError:
                self._report("(the log is empty)")
            self.stop()
            return
        self._report(f"{name} ended unexpectedly ({how}); restarting it. See {self._log(name)}")

    def _announce_ready(self, address: tuple[str, int], on_ready: Callable[[], None]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._stopping.is_set():
            if is_ready(*address):
                self._ready.set()
                on_ready()
                return
            if time.monotonic() > deadline:
                self._report(f"Still waiting for the web process after {READY_SECONDS:.0f} s. Log: {self._log('web')}")
                deadline = time.monotonic() + READY_SECONDS
            time.sleep(0.1)

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        again = self._stopping.is_set()
        self._report("Stopping at once." if again else "Stopping; running tasks get up to 8 seconds to finish ...")
        self.stop()

    def _kill_all(self) -> None:
        processes.end(processes.processes_of(str(self._folder)), grace_seconds=0)

    def _log(self, name: str) -> Path:
        return self._folder / "logs" / f"{name}.log"


def is_ready(host: str, port: int) -> bool:
    """Return whether the web process at this address reports that the service is ready."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
