"""The worker's end of one reader process: start it, ask it for a child, end the child, end the process."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec

from apps.pages.model.errors import PageCrashed, PageError, PageMemoryExceeded, PageTimeout, UnplannedError
from apps.pages.sandbox import protocol
from apps.pages.sandbox.confinement import NOBODY, Limits
from apps.pages.sandbox.protocol import Ended, Fork, FrameReader, Garbage, Hangup, Kind, ReadRequest
from apps.pages.sandbox.scratch import Scratch
from parse_project import env

_ROOT = Path(__file__).resolve().parents[3]
_CONTROL_BYTES = 64 * 1024
_CONTROL_SECONDS = 10.0
_START_SECONDS = 60.0
# Handed on where set: where shared libraries lie. Everything else of our environment stays with us.
_HANDED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "1",
    # A thread at the moment of a fork is a lock that nobody opens again.
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKIO_WORKER_THREADS": "1",
}
_OUT_OF_MEMORY_SIGNALS = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP}
_MEMORY_SHARE = 0.5


def reader_user(name: str | None = None) -> int:
    """The user id that readers drop to: ``name``, else LEAFMILL_READER_USER, else nobody. 0: stay as we are.

    Only root can change its user, so everybody else gets 0. ValueError when there is no such user.
    """
    if os.geteuid() != 0:
        return 0
    name = name or env.reader_user()
    if name == "nobody":
        return NOBODY
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ValueError(f"LEAFMILL_READER_USER: there is no user {name!r} on this machine") from None


class ReaderProcess:
    """A running reader. ``Hangup`` from any method: it died, make another."""

    def __init__(self, *, work: str, user_id: int) -> None:
        self.started_by = os.getpid()
        self._scratch = Scratch(user_id)
        self._control, theirs = socket.socketpair()
        self._frames = FrameReader(self._control)
        self._ready = False
        self._closed = False
        self._in_step = True
        arguments = [str(theirs.fileno()), str(os.getpid()), str(self._scratch.path), str(user_id), work]
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-m", "apps.pages.sandbox.server", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_environment(str(self._scratch.path)),
            cwd="/",
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C is for us; the reader ends when we do
        )
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def fork(self, document: int, limits: Limits, *, pages: int) -> Child:
        """A child that has the open file ``document`` and has done nothing yet."""
        self._wait_until_ready()
        if not self._in_step:
            raise Hangup
        ours, theirs = socket.socketpair()
        try:
            protocol.send(self._control, Kind.FORK, Fork(limits, pages), files=(document, theirs.fileno()))
        except Hangup:
            ours.close()
            raise
        finally:
            theirs.close()
        return Child(self, ours, limits)

    def keep_child(self) -> None:
        protocol.send(self._control, Kind.KEEP)

    def end_child(self, *, hung_up: bool) -> Ended:
        """Kill the child if it lives. ``hung_up``: it closed its socket, so it may be dying by itself."""
        self._in_step = False  # an exception out of a signal handler may keep us from hearing the answer
        protocol.send(self._control, Kind.HUNG_UP if hung_up else Kind.END)
        try:
            kind, body = self._frames.read(most_bytes=_CONTROL_BYTES, until=time.monotonic() + _CONTROL_SECONDS)
            if kind != Kind.ENDED:
                raise Garbage("the reader answered something else")
            ended = msgspec.json.decode(body, type=Ended)
        except (protocol.Late, Garbage, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Hangup from error
        self._in_step = True
        return ended

    def _wait_until_ready(self) -> None:
        if self._ready:
            return
        try:
            self._frames.read(most_bytes=_CONTROL_BYTES, until=time.monotonic() + _START_SECONDS)
        except (Hangup, protocol.Late, Garbage) as error:
            self.close()
            raise UnplannedError("The process that reads documents could not be started; the log says why.") from error
        self._ready = True

    def close(self) -> None:
        """End the process and its child. In a process forked from ours it only lets go of the socket."""
        if self._closed:
            return
        self._closed = True
        self._control.close()
        if os.getpid() != self.started_by:
            self._scratch.let_go()
            return
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._scratch.remove()


# Calls the function in a thread that lives at least as long as the reader process that it returns.
StartProcess = Callable[[Callable[[], ReaderProcess]], ReaderProcess]


class Child:
    """The worker's handle of one child and its document; the context manager ends the child."""

    def __init__(self, process: ReaderProcess, answer: socket.socket, limits: Limits) -> None:
        self._process = process
        self._answer = answer
        self._frames = FrameReader(answer)
        self._limits = limits
        self._bytes_left = limits.answer_bytes
        self._ended = False
        self._kept = False

    def keep(self) -> None:
        """Leaving the block does not end the child, and it may be entered again; the reader ends it when idle."""
        self._process.keep_child()
        self._kept = True

    def order(self, kind: Kind, order: ReadRequest) -> None:
        self._bytes_left = self._limits.answer_bytes
        protocol.send(self._answer, kind, order)

    def next_frame(self, *, within_seconds: float, look_up: Callable[[], None] | None) -> tuple[Kind, bytes]:
        """What the child says next. Raises ``Hangup``, ``Late``, ``Garbage``, and whatever ``look_up`` raises."""
        most = min(self._limits.answer_bytes // 4, self._bytes_left)
        frame = self._frames.read(most_bytes=most, until=time.monotonic() + within_seconds, look_up=look_up)
        self._bytes_left -= len(frame[1])
        return frame

    def why_it_failed(self, problem: Exception) -> PageError:
        """End the child after ``Hangup``, ``Late`` or ``Garbage``, and say what that means for the page it was at."""
        self._ended = True
        ended = self._process.end_child(hung_up=isinstance(problem, Hangup))
        if isinstance(problem, protocol.Late):
            return PageTimeout()
        if isinstance(problem, Garbage):
            return PageCrashed("The page's answer was not usable and was thrown away.")
        return verdict(ended, self._limits)

    def __enter__(self) -> Child:
        self._kept = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept and kind is None:
            return
        self._answer.close()
        if not self._ended:
            with contextlib.suppress(Hangup):
                self._process.end_child(hung_up=False)


def verdict(ended: Ended, limits: Limits) -> PageError:
    """What the death of a child means. A limit on memory shows as an abort or a fault, so its peak is looked at."""
    if ended.signal == signal.SIGXCPU or (ended.signal == signal.SIGKILL and ended.cpu_seconds >= limits.cpu_seconds):
        return PageTimeout("The page needed more processor time than allowed and was stopped.")
    if ended.signal == signal.SIGKILL and ended.by_itself:
        return PageMemoryExceeded()  # the system's out-of-memory killer
    if ended.signal in _OUT_OF_MEMORY_SIGNALS and ended.peak_bytes >= limits.memory_bytes * _MEMORY_SHARE:
        return PageMemoryExceeded()
    return PageCrashed()


def _environment(scratch: str) -> dict[str, str]:
    handed_on = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    return {**_ENVIRONMENT, **handed_on, "PYTHONPATH": str(_ROOT), "TMPDIR": scratch, "HOME": scratch}
