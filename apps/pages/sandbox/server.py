"""The reader process: imports the PDF libraries once, then forks one child for every request.

Started by ``apps.pages.sandbox.client`` with exec, a clean environment and one socket; it has no threads and drops to
an unprivileged user where it runs as root, before any document is met. The reader itself never looks at a document: the
child does, confined, and answers on a socket that the reader does not read.

    python -m apps.pages.sandbox.server CONTROL_FD PARENT_PID SCRATCH USER_ID WORK_MODULE
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import math
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn

import msgspec

from apps.pages.model.blocks import encode_result
from apps.pages.model.errors import ParseError
from apps.pages.model.ocr_image import encode_ocr_image
from apps.pages.sandbox import confinement, protocol
from apps.pages.sandbox.confinement import Limits
from apps.pages.sandbox.preload import warm_up
from apps.pages.sandbox.protocol import Ended, Fork, Hangup, Kind, ReadRequest, Refusal
from apps.pages.sandbox.seccomp import SystemCallFilter

_GRACE_SECONDS = 0.25
_KEEP_SECONDS = 1.0
_FOR_EVER = 86_400.0
_ORDER_BYTES = 1 << 20


class Confines(NamedTuple):
    """What every child is confined with, prepared once."""

    files: confinement.FileFence
    calls: SystemCallFilter
    held: confinement.MemoryInUse
    own_user: bool


def main(arguments: list[str]) -> None:
    control_fd, parent, scratch, user_id, work_module = arguments
    control = socket.socket(fileno=int(control_fd))
    confinement.die_with_parent(int(parent))
    work = importlib.import_module(work_module)
    warm_up(work, Path(scratch))
    confines = Confines(
        files=confinement.FileFence(Path(scratch), confinement.program_paths()),
        calls=SystemCallFilter(),
        held=confinement.held_memory(),
        own_user=user_id != "0",
    )
    os.chdir(scratch)  # while we may: the folders above it can be closed to the user that we become
    confine_reader(int(user_id), int(parent))
    gc.collect()
    gc.freeze()  # the collector of a child would copy every page it touches
    try:
        protocol.send(control, Kind.READY)
        Forks(control, confines, work).serve()
    except Hangup:
        return


def confine_reader(user_id: int, parent: int) -> None:
    """What can be taken away once, for the reader and all its children."""
    confinement.cut_network()
    if os.geteuid() == 0 and user_id:
        confinement.drop_user(user_id, user_id)
    confinement.drop_capabilities()
    confinement.forbid_new_privileges()
    confinement.die_with_parent(parent)


class Forks:
    """Serves the control socket: one child at a time."""

    def __init__(self, control: socket.socket, confines: Confines, work: ModuleType) -> None:
        self._control = control
        self._confines = confines
        self._work = work
        self._child = 0

    def serve(self) -> None:
        """Until the worker hangs up (``Hangup``)."""
        try:
            while True:
                kind, body, files = protocol.receive_with_files(self._control, most_bytes=_ORDER_BYTES, most_files=2)
                if kind == Kind.FORK:
                    self._fork(msgspec.json.decode(body, type=Fork), files)
                elif kind == Kind.KEEP:
                    self._keep()
                else:
                    protocol.send(self._control, Kind.ENDED, self._end(patiently=kind == Kind.HUNG_UP))
        finally:
            if self._child:
                self._end(patiently=False)

    def _fork(self, wanted: Fork, files: list[int]) -> None:
        reader = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            self._control.close()
            _be_the_child(self._work, self._confines, wanted, files, reader)
        for file in files:
            os.close(file)

    def _keep(self) -> None:
        """Wait for more about this child, and end it when nothing comes: an idle child is watched by nobody else."""
        if not protocol.select_readable(self._control, _KEEP_SECONDS):
            self._end(patiently=False)

    def _end(self, *, patiently: bool) -> Ended:
        """Kill the child and its whole process group, and say how it ended."""
        if not self._child:
            return Ended(signal=signal.SIGKILL, exit_status=0, by_itself=False, peak_bytes=0, cpu_seconds=0)
        by_itself = self._has_ended(_GRACE_SECONDS if patiently else 0)
        for kill, target in ((os.killpg, self._child), (os.kill, self._child)):
            try:
                kill(target, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        _pid, status, usage = os.wait4(self._child, 0)
        self._child = 0
        _empty(Path())
        return Ended(
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            exit_status=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
            by_itself=by_itself,
            peak_bytes=usage.ru_maxrss * (1024 if sys.platform == "linux" else 1),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
        )

    def _has_ended(self, within_seconds: float) -> bool:
        """Whether the child is dead already. It stays to be waited for, so its number cannot be another's."""
        until = time.monotonic() + within_seconds
        while True:
            if os.waitid(os.P_PID, self._child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(0.001)


def _be_the_child(
    work: ModuleType,
    confines: Confines,
    wanted: Fork,
    files: list[int],
    reader: int,
) -> NoReturn:
    """Everything a child does; leaves by ``os._exit`` whatever happens, so nothing of the reader runs twice."""
    status = 1
    try:
        os.setsid()
        confinement.die_with_parent(reader)
        document, answer_fd = files
        _close_output()
        confines.files.put_up(document)
        confinement.limit_resources(wanted.limits, pages=wanted.pages, held=confines.held, own_user=confines.own_user)
        confines.calls.install()
        with socket.socket(fileno=answer_fd) as answer:
            DocumentChild(work, answer, document, wanted.limits).serve()
        status = 0
    except Hangup:
        status = 0
    finally:
        os._exit(status)


def _empty(folder: Path) -> None:
    """Take away what a child left, so that no child finds another's files."""
    for entry in list(os.scandir(folder)):
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()


def _close_output() -> None:
    """Libraries print about broken files; nobody should read a stranger's text in our log."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)


class DocumentChild:
    """Serve the requests about one document inside the child."""

    def __init__(self, work: ModuleType, answer: socket.socket, document: int, limits: Limits) -> None:
        self._work = work
        self._answer = answer
        self._frames = protocol.FrameReader(answer)
        # Opened anew by name, so that libraries can read it independently of each other; some go by the name's ending.
        folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
        self._path = "document.pdf"
        Path(self._path).symlink_to(f"{folder}/{document}")
        self._limits = limits

    def serve(self) -> None:
        while True:
            kind, body = self._frames.read(most_bytes=_ORDER_BYTES, until=time.monotonic() + _FOR_EVER)
            order = msgspec.json.decode(body, type=ReadRequest)
            try:
                if kind == Kind.INSPECT:
                    self._inspect(order)
                elif kind == Kind.RENDER:
                    self._render(order)
                elif kind == Kind.PICTURE:
                    self._picture(order)
                else:
                    self._read(order)
            except Hangup:
                raise
            except BaseException as error:
                self._refuse(error)
            else:
                protocol.send(self._answer, Kind.DONE)

    def _inspect(self, order: ReadRequest) -> None:
        facts = self._work.inspect_document(self._path, password=order.password, max_pages=order.max_pages)
        protocol.send(self._answer, Kind.FACTS, facts)

    def _read(self, order: ReadRequest) -> None:
        confinement.allow_cpu_for_another_page(self._limits.cpu_seconds)
        asked: dict[str, object] = {"careful": True} if order.careful and can_be_careful(self._work) else {}
        if order.hidden_text != "keep":
            asked |= {"hidden_text": order.hidden_text, "preserve_very_small_text": order.preserve_very_small_text}
        pages = self._work.read_pages(
            self._path, list(order.numbers), password=order.password, media_type=order.media_type, **asked
        )
        for page in pages:
            protocol.send_raw(self._answer, Kind.PAGE, encode_result(page))
            confinement.allow_cpu_for_another_page(self._limits.cpu_seconds)

    def _render(self, order: ReadRequest) -> None:
        confinement.allow_cpu_for_another_page(self._limits.cpu_seconds)
        image = self._work.render_for_ocr(
            self._path,
            order.numbers[0],
            password=order.password,
            media_type=order.media_type,
            dpi=order.dpi,
            max_dpi=order.max_dpi or math.inf,
        )
        protocol.send_raw(self._answer, Kind.IMAGE, encode_ocr_image(image))

    def _picture(self, order: ReadRequest) -> None:
        confinement.allow_cpu_for_another_page(self._limits.cpu_seconds)
        jpeg = self._work.render_for_vision(
            self._path,
            order.numbers[0],
            password=order.password,
            media_type=order.media_type,
            dpi=order.dpi,
            region=order.region,
            max_pixels=order.max_pixels,
        )
        protocol.send_raw(self._answer, Kind.IMAGE, jpeg)

    def _refuse(self, error: BaseException) -> None:
        if isinstance(error, MemoryError):
            refusal = Refusal("page_memory_exceeded")
        elif isinstance(error, ParseError):
            refusal = Refusal(error.code, error.detail)
        else:
            refusal = Refusal("internal_error", traceback="".join(traceback.format_exception(error))[-4000:])
        protocol.send(self._answer, Kind.REFUSED, refusal)


def can_be_careful(work: ModuleType) -> bool:
    return "careful" in inspect.signature(work.read_pages).parameters


if __name__ == "__main__":
    main(sys.argv[1:])
