"""CPU seconds and peak memory of process trees, by member."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

INTERVAL_SECONDS = 0.5


class Watch:
    """Sample the trees of these processes while the block runs: ``cpu_seconds`` and ``peak_mb`` by member.

    A child that starts and ends between two samples is not sampled itself. The kernel counts its time in its parent's
    children's time, which is read too. Readers are counted separately from the workers that own them.
    """

    def __init__(self, members: Mapping[str, int]) -> None:
        self._members = members
        self._begun: dict[tuple[str, int], float] = {}
        self._latest: dict[tuple[str, int], float] = {}
        self.peak_mb: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._sample()
        self._begun = dict(self._latest)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    @property
    def cpu_seconds(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for (member, pid), seconds in self._latest.items():
            used[member] = used.get(member, 0.0) + seconds - self._begun.get((member, pid), 0.0)
        return used

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            self._sample()

    def _sample(self) -> None:
        memory: dict[str, float] = {}
        for member, pid in self._members.items():
            for process, name in processes_below(member, pid):
                try:
                    times = process.cpu_times()
                    # A reader reaps its own children; children of other processes are sampled as processes.
                    reaped = times.children_user + times.children_system if name == "readers" else 0.0
                    self._latest[name, process.pid] = times.user + times.system + reaped
                    memory[name] = max(memory.get(name, 0.0), process.memory_info().rss / 2**20)
                except psutil.Error:
                    continue
        for name, value in memory.items():
            self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), value)


def processes_below(member: str, pid: int) -> list[tuple[psutil.Process, str]]:
    """Return a process and its descendants, each with the member that its time counts for.

    A reader's forked children are omitted: their time is the reader's once they have ended.
    """
    try:
        found = [(psutil.Process(pid), member)]
    except psutil.Error:
        return []
    for child in _children(pid):
        with suppress(psutil.Error):  # it has ended meanwhile
            process = psutil.Process(child)
            found += (
                [(process, "readers")]
                if "apps.pages.sandbox.server" in process.cmdline()
                else processes_below(member, child)
            )
    return found


def _children(pid: int) -> list[int]:
    """Return the ids of the children of a process. It reads one file a thread, not those of every process."""
    found: list[int] = []
    with suppress(OSError):  # the process has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # the thread has ended meanwhile
                found += map(int, (task / "children").read_text().split())
    return found
