"""The worker's end of one reader process: start it, get a child from it, end the child, end the process."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from apps.pages.model.errors import (
    PageCrashed,
    PageError,
    PageMemoryExceeded,
    PageTimeout,
    ReaderNotConfined,
    UnplannedError,
)
from apps.pages.sandbox import escapes, protocol
from apps.pages.sandbox.confinement import NOBODY, Limits
from apps.pages.sandbox.protocol import (
    Ended,
    Fork,
    FrameReader,
    Garbage,
    Hangup,
    Kind,
    Late,
    ReaderReady,
    ReadRequest,
    ShouldStop,
)
from apps.pages.sandbox.scratch import Scratch
from parse_project import env

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[3]
_CONTROL_BYTES = 64 * 1024
_PART_BYTES = 1 << 18
_CONTROL_SECONDS = 10.0
_START_SECONDS = 60.0
# Passed on if set: where shared libraries are, and where bytecode is kept. Nothing else of our environment reaches the
# reader. It imports libraries that no other process does, and without bytecode each of its starts compiles them again.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",
    # A second thread at the moment of a fork may hold a lock, which stays locked in the child for ever.
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKIO_WORKER_THREADS": "1",
}
_OUT_OF_MEMORY_SIGNALS = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP}
_MEMORY_SHARE = 0.5


def reader_user(name: str | None = None) -> int:
    """Return the user id that readers drop to: ``name``, else LEAFMILL_READER_USER, else ``nobody``. 0: no change.

    Only root can change its user, so the answer is 0 for other users. Raise ValueError for an unknown user.
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


def not_confined(found: Sequence[str]) -> str:
    """Return a sentence on what a document that takes over its reader could do here, and on what helps."""
    listed = ", ".join(escapes.MEANINGS.get(name, name) for name in found)
    return (
        f"A document that exploits a fault of a library could do this here: {listed}. Use Linux 5.13 or newer with "
        "Landlock, and a container that permits Landlock and seccomp (docs/isolation.md)."
    )


class ReaderProcess:
    """A running reader. ``Hangup`` from any method means that it died and another must be started.

    ``peak_bytes``: the most memory that one of its children had.
    """

    def __init__(self, *, work: str, user_id: int, unavailable: Sequence[str] = ()) -> None:
        self.started_by = os.getpid()
        self._scratch = Scratch(user_id)
        self._control, theirs = socket.socketpair()
        self._frames = FrameReader(self._control)
        self._ready: ReaderReady | None = None
        self._start = threading.Lock()  # two threads may wait for the start
        self.is_closed = False
        self._is_idle = True
        self.peak_bytes = 0
        scratch = str(self._scratch.path)
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        arguments = [str(theirs.fileno()), str(os.getpid()), scratch, str(user_id), work, *unavailable]
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-m", "apps.pages.sandbox.server", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**_ENVIRONMENT, **passed_on, "PYTHONPATH": str(_ROOT), "TMPDIR": scratch, "HOME": scratch},
            cwd="/",
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C is for us; the reader ends when we do
        )
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def escapes(self) -> tuple[str, ...]:
        """Wait until the reader is ready; return what its children could still do. Raise UnplannedError."""
        with self._start:
            if self._ready is None:
                self._ready = self._wait_until_ready()
        return self._ready.escapes

    def _wait_until_ready(self) -> ReaderReady:
        try:
            kind, body = self._frames.read(max_bytes=_CONTROL_BYTES, until=time.monotonic() + _START_SECONDS)
            if kind != Kind.READY:
                raise Garbage(f"the reader sent {kind.name} instead of READY")
            ready: ReaderReady = msgspec.json.decode(body, type=ReaderReady)
        except (Hangup, Late, Garbage) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)  # it may still write the reason to the log
            self.close()
            raise UnplannedError(
                "The process that reads documents could not be started; its log has the reason."
            ) from error
        if ready.escapes and not env.is_confinement_required():
            logger.warning("%s", not_confined(ready.escapes))
        return ready

    def fork(self, document: int, limits: Limits, *, pages: int) -> Child:
        """Return a fresh child that has the open file ``document``.

        Raise UnplannedError if the reader cannot start, ReaderNotConfined if it may not read what it could not confine.
        """
        found = self.escapes()
        if found and env.is_confinement_required():
            raise ReaderNotConfined(not_confined(found))
        if not self._is_idle:
            raise Hangup
        self._is_idle = False  # until the child has ended: an exception out of a signal handler may lose it
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
        """Leave the child alive for another request; the reader ends it when none comes for a while."""
        protocol.send(self._control, Kind.KEEP)

    def end_child(self, *, hung_up: bool) -> Ended:
        """Kill the child if it is alive. ``hung_up``: it closed its socket, so it may be dying by itself."""
        protocol.send(self._control, Kind.HUNG_UP if hung_up else Kind.END)
        try:
            kind, body = self._frames.read(max_bytes=_CONTROL_BYTES, until=time.monotonic() + _CONTROL_SECONDS)
            if kind != Kind.ENDED:
                raise Garbage(f"the reader sent {kind.name} instead of ENDED")
            ended = msgspec.json.decode(body, type=Ended)
        except (Late, Garbage, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Hangup from error
        self._is_idle = True
        self.peak_bytes = max(self.peak_bytes, ended.peak_bytes)
        return ended

    def close(self) -> None:
        """End the process and its child. In a process forked from ours, only close our copies of its files."""
        if self.is_closed:
            return
        self.is_closed = True
        self._control.close()
        if os.getpid() != self.started_by:
            self._scratch.close()
            return
        try:
            # One that is still importing would go on until it is ready: two seconds of a command that has ended.
            self._process.wait(timeout=0 if self._ready is None else 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._scratch.remove()


# Calls the function in a thread that lives at least as long as the reader process that it returns.
StartProcess = Callable[[Callable[[], ReaderProcess]], ReaderProcess]


class Child:
    """The worker's handle of one child and its document; the context manager ends the child."""

    def __init__(self, process: ReaderProcess, reply: socket.socket, limits: Limits) -> None:
        self._process = process
        self._reply = reply
        self._frames = FrameReader(reply)
        self._limits = limits
        self._bytes_left = limits.answer_bytes
        self._ended = False
        self._kept = False

    def keep(self) -> None:
        """Keep the child alive after the block, so that it may be entered again. The reader ends it when idle."""
        self._process.keep_child()
        self._kept = True

    def send(self, kind: Kind, request: ReadRequest) -> None:
        self._bytes_left = self._limits.answer_bytes
        protocol.send(self._reply, kind, request)

    def send_layers(self, layers: bytes) -> None:
        """Send the text layers of a copy, before the request for it."""
        for start in range(0, len(layers), _PART_BYTES):
            protocol.send_raw(self._reply, Kind.LAYERS, layers[start : start + _PART_BYTES])

    def next_frame(self, *, within_seconds: float, should_stop: ShouldStop | None) -> tuple[Kind, bytes]:
        """Return the child's next frame. Raise ``Hangup``, ``Late``, ``Garbage``, ``Stopped``."""
        max_bytes = min(self._limits.answer_bytes // 4, self._bytes_left)
        frame = self._frames.read(max_bytes=max_bytes, until=time.monotonic() + within_seconds, should_stop=should_stop)
        self._bytes_left -= len(frame[1])
        return frame

    def end_after(self, problem: Exception) -> PageError:
        """End the child after ``Hangup``, ``Late`` or ``Garbage``; return the error of the page it was working on."""
        self._ended = True
        ended = self._process.end_child(hung_up=isinstance(problem, Hangup))
        if isinstance(problem, Late):
            return PageTimeout()
        if isinstance(problem, Garbage):
            return PageCrashed("The reader process returned an unusable result for this page; it was discarded.")
        return error_of_death(ended, self._limits)

    def __enter__(self) -> Child:
        self._kept = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept and kind is None:
            return
        self._reply.close()
        if not self._ended:
            with contextlib.suppress(Hangup):
                self._process.end_child(hung_up=False)


def error_of_death(ended: Ended, limits: Limits) -> PageError:
    """Return the error that explains the death of a child.

    A memory limit shows as an abort or a fault, so these count as out of memory if the child's peak was high.
    """
    if ended.signal == signal.SIGXCPU or (ended.signal == signal.SIGKILL and ended.cpu_seconds >= limits.cpu_seconds):
        return PageTimeout("The page needed more processor time than allowed and was stopped.")
    if ended.signal == signal.SIGSYS:
        logger.error("A reader was killed for a system call that no reader makes: its document may be an attack")
        return PageCrashed("The page made its reader do something forbidden, and the reader was stopped.")
    if ended.signal == signal.SIGKILL and ended.by_itself:
        return PageMemoryExceeded()  # the system's out-of-memory killer
    if ended.signal in _OUT_OF_MEMORY_SIGNALS and ended.peak_bytes >= limits.memory_bytes * _MEMORY_SHARE:
        return PageMemoryExceeded()
    return PageCrashed()
