"""The keeper of one conversion: start LibreOffice confined, watch it, and leave no process of it behind.

``apps.pages.conversion.converter`` starts it and sends an order; the keeper replies with one line. It is the parent of
every process that LibreOffice leaves, in whatever group or session (``PR_SET_CHILD_SUBREAPER``), and kills them all at
the end, after the time limit, above the memory limit, and when the worker closes the pipe or dies.

    python -m apps.pages.conversion.keeper
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

import msgspec

from apps.pages.conversion.confined import SOCKET_NAMES, SOCKETS, Confinement, become_converter, load_decryption
from apps.pages.conversion.order import OUT, Order, Outcome
from apps.pages.model.errors import (
    ConversionFailed,
    ConversionTimeout,
    ConverterMissing,
    ParseError,
    Stopped,
    UnplannedError,
)
from apps.pages.sandbox import confinement

_WATCH_SECONDS = 0.05
_MEMORY_WATCH_SECONDS = 0.25
_KILL_SECONDS = 10.0
# LibreOffice ends with this status when it has made its profile and has to be started again.
_START_AGAIN = 81
_MAX_STARTS = 3
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TOO_MUCH_MEMORY = "The conversion needed more memory than allowed. Raise CONVERTER_MEMORY_MB, or split the document."


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    # Ctrl-C and the end of a terminal are for the worker, which closes the pipe.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    confinement.adopt_orphans()
    if order.password is not None:
        load_decryption()
    keeper = _Keeper(order)
    try:
        outcome = keeper.convert()
    except Stopped:
        return
    finally:
        keeper.end()
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    sys.stdout.buffer.flush()


class _Keeper:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._confines = Confinement(order)
        self._until = time.monotonic() + order.wall_seconds

    def convert(self) -> Outcome:
        """Run LibreOffice, once more if its new profile asks for it. Raise Stopped if the worker wants no result."""
        for _start in range(_MAX_STARTS):
            program, report = self._start_program()
            status = self._watch(program)
            self.end()  # also the other end of the pipe, if the program has not been started yet
            refusal = os.read(report, 1 << 16)
            os.close(report)
            if refusal:
                return msgspec.json.decode(refusal, type=Outcome)
            if isinstance(status, Outcome):
                return status
            if os.WIFSIGNALED(status):
                if os.WTERMSIG(status) == signal.SIGXCPU:
                    return _outcome(ConversionTimeout())
                return Outcome(ConversionFailed.code, _CRASHED.format(os.WTERMSIG(status)), crashed=True)
            if os.WEXITSTATUS(status) != _START_AGAIN:
                break
        return Outcome() if any((Path(self._order.folder) / OUT).iterdir()) else _outcome(ConversionFailed())

    def end(self) -> None:
        """Leave nothing of the program behind: no process, and no socket, because it would not start again."""
        kill_all_below()
        _remove_dead_sockets(self._order.user_id or os.geteuid())

    def _start_program(self) -> tuple[int, int]:
        """Fork the program. Return its process id, and a pipe that has an ``Outcome`` if it could not be started."""
        report, theirs = os.pipe()
        keeper = os.getpid()
        program = os.fork()
        if program:
            os.close(theirs)
            return program, report
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.close(report)
            os.setsid()
            self._confines.restrict(keeper)
            become_converter(self._order)
        except ParseError as error:
            os.write(theirs, msgspec.json.encode(_outcome(error)))
        except OSError as error:
            missing = ConverterMissing(f"LibreOffice cannot be started ({error.strerror}). Check CONVERTER.")
            os.write(theirs, msgspec.json.encode(_outcome(missing)))
        except Exception:
            traceback.print_exc()
            os.write(theirs, msgspec.json.encode(_outcome(UnplannedError())))
        finally:
            os._exit(1)

    def _watch(self, program: int) -> int | Outcome:
        """Return the wait status of the program, or the reason to end it."""
        next_look = 0.0
        while True:
            # A process that was left by its parent is ours now, and is reaped here.
            with contextlib.suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                    if ended[0] == program:
                        return ended[1]
            now = time.monotonic()
            if now >= self._until:
                return _outcome(ConversionTimeout())
            if now >= next_look:
                next_look = now + _MEMORY_WATCH_SECONDS
                resident = sum(int(fields[21]) for _process, fields in _stats_below(os.getpid())) * _PAGE_BYTES
                if resident > self._order.memory_bytes:
                    return _outcome(ConversionFailed(TOO_MUCH_MEMORY))
            if select.select([0], [], [], _WATCH_SECONDS)[0] and not os.read(0, 1):
                raise Stopped


_CRASHED = "LibreOffice stopped on this document (signal {}). Save it in a current format, and send that."


def _outcome(error: ParseError) -> Outcome:
    return Outcome(error.code, error.detail)


def kill_all_below() -> None:
    """Kill and reap every process below this one. Stopped first, none can start another meanwhile."""
    us, until = os.getpid(), time.monotonic() + _KILL_SECONDS
    while time.monotonic() < until:
        stopped: set[int] = set()
        while found := below(us) - stopped:
            _signal(found, signal.SIGSTOP)
            stopped |= found
        _signal(stopped, signal.SIGKILL)
        try:
            while True:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.01)
                    break
        except ChildProcessError:
            return


def _remove_dead_sockets(user_id: int) -> None:
    """Remove the sockets of this user's LibreOffices that have ended."""
    for path in SOCKETS.glob(SOCKET_NAMES):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            if path.lstat().st_uid == user_id and probe.connect_ex(str(path)) == errno.ECONNREFUSED:
                path.unlink()


def _signal(processes: set[int], number: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def below(root: int) -> set[int]:
    """Return the ids of all processes below ``root``, zombies left out."""
    return {process for process, _stat in _stats_below(root)}


def _stats_below(root: int) -> list[tuple[int, list[str]]]:
    """Return the living processes below ``root`` with the fields of /proc/PID/stat after the name (proc(5))."""
    stats: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            stats[int(entry.name)] = fields
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[tuple[int, list[str]]] = []
    waiting = list(children.get(root, ()))
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, ())
        if stats[process][0] != "Z":
            found.append((process, stats[process]))
    return found


if __name__ == "__main__":
    main()
