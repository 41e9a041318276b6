"""Measure how well children are confined: one child tries to escape and reports what it could do.

Every reader does this when it starts, because kernels, containers and accounts permit different restrictions. A child
whose attempts all fail is confined completely; otherwise the names of what it could do are logged, reported and shown
(docs/isolation.md).
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

FILES, WRITING, PROCESSES, SIGNALS, LIMITS, NETWORK, CALLS = ESCAPES = (
    "files", "writing", "processes", "signals", "limits", "network", "calls",
)  # fmt: skip
"""What a child could do that it should not.

files: read files other than the program's and its document's. writing: create or change files. processes: start
processes or programs. signals: end or stop other processes. limits: limit other processes. network: open sockets.
calls: use system calls that only an attacker needs, such as ``ptrace``.
"""
MEANINGS = {
    FILES: "read files of this machine",
    WRITING: "write files",
    PROCESSES: "start programs",
    SIGNALS: "end other processes",
    LIMITS: "limit other processes",
    NETWORK: "use the network",
    CALLS: "use forbidden system calls",
}
_FOREIGN_FILES = ("/etc/passwd", "/etc/hostname", "/proc/{parent}/environ", "/proc/{parent}/mem", "/proc/1/cmdline")
_NO_SUCH_REQUEST = 0x7FFF


def measure(confine: Callable[[], None], document: str, attend: Callable[[int], None]) -> frozenset[str] | None:
    """Return what a child that calls ``confine`` can still do; None if it cannot even open its ``document``.

    ``attend``: does for the child what the reader does for others, until this descriptor is readable.
    """
    ours, theirs = os.pipe()
    folder = _temporary_folder()  # found by writing to it, which the child may not do
    child = os.fork()
    if not child:
        _try_everything(confine, document, theirs, folder)
    os.close(theirs)
    attend(ours)
    with os.fdopen(ours, "rb") as pipe:
        report = pipe.read()
    _pid, status = os.waitpid(child, 0)
    found = frozenset(json.loads(report)) if report else None
    if found is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS):
        return found
    return found | {CALLS}


def _temporary_folder() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return "/tmp"  # noqa: S108


def _try_everything(confine: Callable[[], None], document: str, report: int, folder: str) -> None:
    try:
        parent = os.getppid()
        confine()
        Path(document).read_bytes()
        found = [name for name, attempts in _attempts(parent, folder).items() if any(map(_succeeds, attempts))]
        os.write(report, json.dumps(found).encode())
        ctypes.CDLL(None).ptrace(_NO_SUCH_REQUEST, 0, None, None)
    finally:
        os._exit(0)


def _attempts(parent: int, folder: str) -> dict[str, Sequence[Callable[[], object]]]:
    """Return the attempts for each escape. All are harmless if they succeed: signal 0 only asks whether it may."""
    queue_signal, signal_thread = (138, 131) if platform.machine() == "aarch64" else (129, 234)
    places = ("leafmill-probe", f"{folder}/leafmill-probe", "/tmp/leafmill-probe", "/dev/shm/leafmill")  # noqa: S108
    return {
        FILES: [partial(_read, path.format(parent=parent)) for path in _FOREIGN_FILES],
        WRITING: [partial(_write, path) for path in places],
        PROCESSES: [_fork, _run_nothing],
        SIGNALS: [
            lambda: os.kill(parent, 0),
            lambda: _call("syscall", signal_thread, parent, parent, 0),
            lambda: _call("syscall", queue_signal, parent, 0, ctypes.create_string_buffer(128)),
        ],
        LIMITS: [lambda: resource.prlimit(parent, resource.RLIMIT_CORE, (0, 0))] if sys.platform == "linux" else [],
        NETWORK: [partial(_open_socket, kind) for kind in (socket.AF_INET, socket.AF_UNIX)],
    }


def _call(name: str, *arguments: object) -> None:
    if ctypes.CDLL(None, use_errno=True)[name](*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _run_nothing() -> None:
    try:
        _call("execve", None, None, None)
    except OSError as error:
        if error.errno != errno.EFAULT:  # the kernel would have run a program whose name can be read
            raise


def _fork() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _read(path: str) -> None:
    with open(path, "rb") as file:  # noqa: PTH123
        file.read(1)


def _write(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.unlink(path)  # noqa: PTH108


def _open_socket(kind: int) -> None:
    socket.socket(kind).close()


def _succeeds(attempt: Callable[[], object]) -> bool:
    with suppress(OSError):
        attempt()
        return True
    return False
