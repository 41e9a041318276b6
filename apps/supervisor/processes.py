"""Find the processes of the group of a data folder, and end them reliably."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

import psutil

# Every member inherits this variable with the data folder as its value. It identifies our processes, so that no other
# process is ever ended, even if process ids or parents have changed.
MARKER = "LEAFMILL_GROUP"


def processes_of(data_folder: str) -> list[psutil.Process]:
    """Return all live processes of this data folder's group and their descendants, except this one."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # it ended meanwhile, or belongs to another user
            if process.pid != os.getpid() and process.environ().get(MARKER) == data_folder:
                found[process.pid] = process
                for child in process.children(recursive=True):  # some are started with a clean environment
                    found[child.pid] = child
    return list(found.values())


def end(processes: Iterable[psutil.Process], *, grace_seconds: float) -> int:
    """Send SIGTERM, and SIGKILL to those left after ``grace_seconds``. Return how many were alive at the start.

    psutil compares start times before it signals, so a process id that was reused meanwhile is safe.
    """
    alive = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    for process in alive:
        _signal(process, kill=grace_seconds <= 0)
    _, remaining = psutil.wait_procs(alive, timeout=grace_seconds)
    for process in remaining:
        _signal(process, kill=True)
    psutil.wait_procs(remaining, timeout=2)
    return len(alive)


def end_process_group(group: int) -> None:
    """Send SIGKILL to the processes that remain of a member whose leader has died."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, 9)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill() if kill else process.terminate()
