"""The reader process: import the PDF libraries once, then fork one child for every request.

``apps.pages.sandbox.process`` starts it with exec, a clean environment and one socket. It has no threads. If it runs as
root it drops to an unprivileged user before the first document arrives. The reader itself never reads a document: the
child does, confined, and replies on a socket that the reader does not read.

    python -m apps.pages.sandbox.server CONTROL_FD PARENT_PID SCRATCH USER_ID WORK_MODULE [UNAVAILABLE...]
"""

from __future__ import annotations

import gc
import importlib
import math
import os
import signal
import socket
import sys
import time
import traceback
from io import BufferedWriter, RawIOBase
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from apps.pages.model.blocks import encode_result
from apps.pages.model.errors import PageMemoryExceeded, ParseError, UnplannedError
from apps.pages.model.page_images.ocr_image import encode_ocr_image
from apps.pages.sandbox import confinement, protocol, scratch
from apps.pages.sandbox.child_confinement import DOCUMENT_NAME, ChildConfinement, name_document
from apps.pages.sandbox.confinement import Limits
from apps.pages.sandbox.preload import warm_up
from apps.pages.sandbox.protocol import Ended, Fork, Hangup, Kind, ReaderReady, ReadRequest, Refusal
from apps.pages.sandbox.system_calls.opened_files import OpenedFiles

_GRACE_SECONDS = 0.25
_KEEP_SECONDS = 1.0
_ONE_DAY_SECONDS = 86_400.0
_MAX_REQUEST_BYTES = 1 << 20
_PART_BYTES = 1 << 18
_MAX_TRACEBACK_CHARACTERS = 4000
_FILE_PART_BYTES = 1 << 22


def main(arguments: list[str]) -> None:
    control_fd, parent, scratch_folder, user_id, work_module, *unavailable = arguments
    control = socket.socket(fileno=int(control_fd))
    confinement.die_with_parent(int(parent))
    work = importlib.import_module(work_module)
    warm_up(work, Path(scratch_folder))
    # Before the user changes: the program's folders, and those above the scratch folder, may be closed to the new user.
    confines = ChildConfinement(
        confinement.program_paths(), own_user=user_id != "0", unavailable=frozenset(unavailable)
    )
    os.chdir(scratch_folder)
    confine_reader(int(user_id), int(parent))
    confines.measure(Limits())
    gc.collect()
    gc.freeze()  # otherwise the collector of a child would copy every memory page that it touches
    try:
        protocol.send(control, Kind.READY, ReaderReady(tuple(sorted(confines.escapes))))
        Forks(control, confines, work).serve()
    except Hangup:
        return


def confine_reader(user_id: int, parent: int) -> None:
    """Give up the rights that neither the reader nor its children need."""
    confinement.cut_network()
    if os.geteuid() == 0 and user_id:
        confinement.drop_user(user_id, user_id)
    confinement.drop_capabilities()
    confinement.forbid_new_privileges()
    confinement.die_with_parent(parent)


class Forks:
    """Serves the control socket: one child at a time."""

    def __init__(self, control: socket.socket, confines: ChildConfinement, work: ModuleType) -> None:
        self._control = control
        self._confines = confines
        self._work = work
        self._child = 0
        self._opened: OpenedFiles | None = None

    def serve(self) -> None:
        """Serve until the worker hangs up (``Hangup``)."""
        try:
            while True:
                self._wait(None)
                kind, body, files = protocol.receive_with_files(
                    self._control, max_bytes=_MAX_REQUEST_BYTES, max_files=2
                )
                if kind == Kind.FORK:
                    self._fork(msgspec.json.decode(body, type=Fork), files)
                elif kind == Kind.KEEP:
                    # No other process watches an idle child, so end it if no message about it arrives.
                    if not self._wait(_KEEP_SECONDS):
                        self._end(patiently=False)
                else:
                    protocol.send(self._control, Kind.ENDED, self._end(patiently=kind == Kind.HUNG_UP))
        finally:
            if self._child:
                self._end(patiently=False)

    def _wait(self, seconds: float | None) -> bool:
        """Wait for a message at most ``seconds``, and open files for the child meanwhile; return whether one came."""
        if self._opened is not None:
            return self._opened.attend(self._control.fileno(), seconds)
        return seconds is None or protocol.is_readable(self._control, seconds)

    def _fork(self, fork: Fork, files: list[int]) -> None:
        """Fork a child. It leaves by ``os._exit`` in every case, so that no code of the reader runs twice."""
        reader = os.getpid()
        document, reply_fd = files
        name_document(document)
        handover = self._confines.handover()
        self._child = os.fork()
        if self._child:
            self._opened = self._confines.opened_files(handover, document)
            for file in files:
                os.close(file)
            return
        status = 1
        try:
            self._control.close()
            os.setsid()
            confinement.die_with_parent(reader)
            # Libraries print text of broken documents, which must not reach our log.
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            os.close(null)
            self._confines.restrict(document, fork.limits, pages=fork.pages, handover=handover)
            with socket.socket(fileno=reply_fd) as reply:
                DocumentChild(self._work, reply, fork.limits).serve()
            status = 0
        except Hangup:
            status = 0
        finally:
            os._exit(status)

    def _end(self, *, patiently: bool) -> Ended:
        """Kill the child and its process group; report how it ended. ``patiently``: give it time to die by itself."""
        if not self._child:
            return Ended(signal=signal.SIGKILL, exit_status=0, by_itself=False, peak_bytes=0, cpu_seconds=0)
        until = time.monotonic() + (_GRACE_SECONDS if patiently else 0)
        # WNOWAIT leaves a dead child in the process table, so its number cannot belong to another process yet.
        while not (by_itself := os.waitid(os.P_PID, self._child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None):
            if time.monotonic() >= until:
                break
            time.sleep(0.001)
        for kill, target in ((os.killpg, self._child), (os.kill, self._child)):
            try:
                kill(target, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        _pid, status, usage = os.wait4(self._child, 0)
        self._child = 0
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        scratch.empty(Path())
        return Ended(
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            exit_status=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
            by_itself=by_itself,
            peak_bytes=usage.ru_maxrss * (1024 if sys.platform == "linux" else 1),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
        )


class DocumentChild:
    """Serve the requests about one document inside the child."""

    def __init__(self, work: ModuleType, reply: socket.socket, limits: Limits) -> None:
        self._work = work
        self._reply = reply
        self._frames = protocol.FrameReader(reply)
        self._path = DOCUMENT_NAME
        self._limits = limits
        self._layers = bytearray()

    def serve(self) -> None:
        """Serve until the worker hangs up (``Hangup``)."""
        while True:
            kind, body = self._frames.read(max_bytes=_MAX_REQUEST_BYTES, until=time.monotonic() + _ONE_DAY_SECONDS)
            if kind == Kind.LAYERS:
                self._layers += body
                continue
            request = msgspec.json.decode(body, type=ReadRequest)
            try:
                self._answer(kind, request)
            except Hangup:
                raise
            except MemoryError:
                protocol.send(self._reply, Kind.REFUSED, Refusal(PageMemoryExceeded.code))
            except ParseError as error:
                protocol.send(self._reply, Kind.REFUSED, Refusal(error.code, error.detail))
            except BaseException as error:
                text = "".join(traceback.format_exception(error))[-_MAX_TRACEBACK_CHARACTERS:]
                protocol.send(self._reply, Kind.REFUSED, Refusal(UnplannedError.code, traceback=text))
            else:
                protocol.send(self._reply, Kind.DONE)

    def _answer(self, kind: Kind, request: ReadRequest) -> None:
        """Send the frames of one reply, but its end."""
        if kind == Kind.INSPECT:
            facts = self._work.inspect_document(
                self._path, password=request.password, max_pages=request.max_pages, office=request.office
            )
            protocol.send(self._reply, Kind.FACTS, facts)
        elif kind == Kind.READ:
            self._read(request)
        elif kind == Kind.UNPACK:
            self._unpack(request)
        elif kind == Kind.TABLE:
            self._read_table(request)
        elif kind == Kind.COPY:
            self._copy(request)
        else:
            self._render(kind, request)

    def _read(self, request: ReadRequest) -> None:
        """Send the requested pages, one frame each."""
        confinement.allow_cpu_for_another_page(request.cpu_seconds)
        pages = self._work.read_pages(
            self._path,
            list(request.page_numbers),
            password=request.password,
            media_type=request.media_type,
            careful=request.careful,
            suspect=request.suspect,
            hidden_text=request.hidden_text,
            preserve_very_small_text=request.preserve_very_small_text,
            word_boxes=request.word_boxes,
            margins=request.margins,
            skip_diagonal=request.skip_diagonal,
            office=request.office,
        )
        for page in pages:
            protocol.send_raw(self._reply, Kind.PAGE, encode_result(page))
            confinement.allow_cpu_for_another_page(request.cpu_seconds)

    def _unpack(self, request: ReadRequest) -> None:
        """Send the files inside the document, each with its content in parts."""
        confinement.allow_cpu_for_another_page(self._limits.cpu_seconds)
        for file, content in self._work.contained_files(self._path, password=request.password):
            protocol.send(self._reply, Kind.FILE, file)
            for start in range(0, len(content), _FILE_PART_BYTES):
                protocol.send_raw(self._reply, Kind.PART, content[start : start + _FILE_PART_BYTES])
            confinement.allow_cpu_for_another_page(self._limits.cpu_seconds)

    def _read_table(self, request: ReadRequest) -> None:
        """Send the table in a region of one page."""
        confinement.allow_cpu_for_another_page(self._limits.cpu_seconds)
        (page_number,) = request.page_numbers
        table = self._work.read_table(
            self._path,
            page_number,
            password=request.password,
            media_type=request.media_type,
            region=request.region,
            columns=request.columns,
        )
        protocol.send(self._reply, Kind.CELLS, table)

    def _copy(self, request: ReadRequest) -> None:
        """Send a copy of the document with text under its pages, in parts."""
        confinement.allow_cpu_for_another_page(self._limits.cpu_seconds * len(request.page_numbers))
        with BufferedWriter(_Parts(self._reply), buffer_size=_PART_BYTES) as out:
            self._work.write_searchable_copy(
                self._path,
                out,
                password=request.password,
                page_numbers=request.page_numbers,
                layers=bytes(self._layers),
                layer_pages=request.layer_pages,
                pages_to_check=request.pages_to_check,
            )

    def _render(self, kind: Kind, request: ReadRequest) -> None:
        """Send the image of one page: grey for OCR (``RENDER``), or a JPEG for a vision model (``PICTURE``)."""
        confinement.allow_cpu_for_another_page(self._limits.cpu_seconds)
        source: dict[str, Any] = {
            "password": request.password,
            "media_type": request.media_type,
            "dpi": request.dpi,
            "margins": request.margins,
            "embedded": request.embedded,
        }
        (page_number,) = request.page_numbers
        if kind == Kind.RENDER:
            image = encode_ocr_image(
                self._work.render_for_ocr(self._path, page_number, max_dpi=request.max_dpi or math.inf, **source)
            )
        else:
            image = self._work.render_for_vision(
                self._path, page_number, region=request.region, max_pixels=request.max_pixels, **source
            )
        protocol.send_raw(self._reply, Kind.IMAGE, image)


class _Parts(RawIOBase):
    """Sends what is written to it, in frames."""

    def __init__(self, reply: socket.socket) -> None:
        self._reply = reply

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        protocol.send_raw(self._reply, Kind.PART, bytes(content))
        return len(content)


if __name__ == "__main__":
    main(sys.argv[1:])
