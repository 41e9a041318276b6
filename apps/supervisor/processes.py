"""Which processes belong to the group of a data folder, and ending them for certain."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

import psutil

# Every member inherits this variable; its value is the data folder. It tells our processes from everybody else's, so
# that only those are ever ended, whatever their number or parent has become.
MARKER = "LEAFMILL_GROUP"


def processes_of(data_folder: str) -> list[psutil.Process]:
    """All living processes of this data folder's group and their descendants, ourselves excluded."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _marker(process) == data_folder:
            found[process.pid] = process
            for child in _descendants(process):  # some are started with a clean environment
                found[child.pid] = child
    return list(found.values())


def end(processes: Iterable[psutil.Process], *, grace_seconds: float) -> int:
    """SIGTERM, then SIGKILL for who is left after ``grace_seconds``; returns how many were alive at the start.

    psutil compares start times before it signals, so a number that was given to somebody else meanwhile is safe.
    """
    alive = [process for process in processes if _is_alive(process)]
    for process in alive:
        _signal(process, kill=grace_seconds <= 0)
    _, stubborn = psutil.wait_procs(alive, timeout=grace_seconds)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=2)
    return len(alive)


def end_process_group(group: int) -> None:
    """SIGKILL what is left of a member whose leader has died."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, 9)


def _marker(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARKER)
    except (psutil.Error, OSError):
        return None


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill() if kill else process.terminate()
