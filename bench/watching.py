"""CPU seconds and peak memory of process trees, by member."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import psutil

INTERVAL_SECONDS = 0.2


class Watch:
    """Samples the trees of these processes while the block runs: ``cpu_seconds`` and ``peak_mb`` by member.

    A child that starts and ends between two samples is missed by its own count, and counted by the kernel in its
    parent's children's time, which is read too. Readers are told apart from the workers that own them.
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
            for process, name in _tree(member, pid):
                try:
                    times = process.cpu_times()
                    # A reader reaps its own children; those of other processes are sampled by themselves.
                    reaped = times.children_user + times.children_system if name == "readers" else 0.0
                    self._latest[name, process.pid] = times.user + times.system + reaped
                    memory[name] = max(memory.get(name, 0.0), process.memory_info().rss / 2**20)
                except psutil.Error:
                    continue
        for name, value in memory.items():
            self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), value)


def _tree(member: str, pid: int) -> list[tuple[psutil.Process, str]]:
    try:
        top = psutil.Process(pid)
        found = [(top, member)]
        for process in top.children(recursive=True):
            found += _as_reader(process, member)
    except psutil.Error:
        return []
    return found


def _as_reader(process: psutil.Process, member: str) -> list[tuple[psutil.Process, str]]:
    """A reader's forked children are left out: their time is the reader's once they have ended."""
    try:
        if "apps.pages.sandbox.server" not in process.cmdline():
            return [(process, member)]
        parent = process.parent()
        is_child = parent is not None and "apps.pages.sandbox.server" in parent.cmdline()
    except psutil.Error:
        return []
    return [] if is_child else [(process, "readers")]
