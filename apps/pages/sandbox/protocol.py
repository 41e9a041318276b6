"""The messages between the worker, its reader process and the reader's children.

There are two sockets. Over the *control* socket the worker passes two open files to its reader (the document and one
end of a fresh *reply* socket) with the limits, and later asks it to end the child. Over the reply socket the worker
talks to the child alone. A child that its document took over can therefore falsify the
result of that document only.

A frame is one letter, a length (4 bytes, big-endian) and that many bytes of JSON. The receiver checks the length before
it reads the rest.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from apps.pages.model.blocks import EmbeddedImage
from apps.pages.model.errors import Stopped
from apps.pages.model.geometry import Box, Margins
from apps.pages.model.office_options import OfficeOptions
from apps.pages.sandbox.confinement import Limits

_HEADER = struct.Struct("!cI")
_CHUNK_BYTES = 256 * 1024
_STOP_CHECK_SECONDS = 0.15

ShouldStop = Callable[[], bool]


class Kind(StrEnum):
    """The letter at the start of a frame."""

    # worker -> reader
    FORK = "f"  # Fork, with the document and the reply socket beside it
    KEEP = "k"  # the child may get another request soon; end it when none comes for a while
    END = "e"  # end the child now
    HUNG_UP = "h"  # the child closed its socket: let it die by itself for a moment, so that its exit status is real
    # reader -> worker
    READY = "y"  # ReaderReady: warm and confined
    ENDED = "z"  # Ended
    # worker -> child
    INSPECT = "i"  # ReadRequest
    READ = "r"  # ReadRequest
    RENDER = "n"  # ReadRequest with one page number and a dpi
    PICTURE = "p"  # ReadRequest with one page number, a dpi, max_pixels and perhaps a region
    TABLE = "t"  # ReadRequest with one page number, a region and perhaps columns
    LAYERS = "l"  # the next part of a PDF with the text for COPY; it has no reply
    COPY = "c"  # ReadRequest with the pages of the copy, and those of them that LAYERS has
    UNPACK = "u"  # ReadRequest; the reply has the files inside the document
    # child -> worker
    FACTS = "F"
    PAGE = "P"  # a Page or a PageFailure
    IMAGE = "I"  # a page image for OCR, or a JPEG in reply to PICTURE
    CELLS = "C"  # a RegionTable
    PART = "B"  # the next part of the PDF in reply to COPY, or of a file in reply to UNPACK
    FILE = "A"  # ContainedFile in reply to UNPACK; the parts of its content follow
    REFUSED = "E"  # Refusal: the request ends here
    DONE = "D"  # the request is complete


class Fork(msgspec.Struct, frozen=True):
    """A request for a child that reads at most ``pages`` pages, each within ``limits``."""

    limits: Limits
    pages: int


class ReaderReady(msgspec.Struct, frozen=True):
    """The start of a reader. ``escapes``: what its children could still do if a document took them over."""

    escapes: tuple[str, ...]


class ReadRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request to a child. ``page_numbers`` count from 1; without them the child inspects the document.

    ``careful``: a page of this range crashed a child before; skip everything that its text does not need.
    ``suspect``: the page took longer than pages do; look for what it draws without end before it is loaded.
    ``cpu_seconds``: for each page.
    ``dpi``: the resolution of a rendered page; a page that is one scan keeps its own. ``max_dpi`` (0: no limit) applies
    to scans too.
    ``hidden_text``: "remove" takes out text that people cannot see, and tiny text unless ``preserve_very_small_text``.
    ``word_boxes``: lines and cells have the boxes of their words.
    ``region``: the part of the page as displayed that a picture shows, None for the whole page; or that of a table.
    ``columns``: the x of the borders of its columns, if they are known.
    ``margins``: only what is inside of them is read; pictures show them white. ``skip_diagonal``: diagonal text is left
    out. ``office``: how documents are read that have a structure of their own. ``embedded``: image files inside such a
    document, with their sizes on the sheet that is rendered, or the only one that a picture shows.
    ``layer_pages``: the page of the document for each page of the text layers; ``pages_to_check``: those of them whose
    own text, if it can be used, is enough.
    """

    page_numbers: tuple[int, ...] = ()
    password: str | None = None
    media_type: str = "application/pdf"
    max_pages: int = 0
    careful: bool = False
    suspect: bool = False
    cpu_seconds: int = 0
    dpi: float = 0.0
    max_dpi: float = 0.0
    region: Box | None = None
    columns: tuple[float, ...] = ()
    max_pixels: int = 0
    hidden_text: str = "keep"
    preserve_very_small_text: bool = False
    word_boxes: bool = False
    margins: Margins | None = None
    skip_diagonal: bool = False
    office: OfficeOptions = OfficeOptions()
    embedded: tuple[EmbeddedImage, ...] = ()
    layer_pages: tuple[int, ...] = ()
    pages_to_check: tuple[int, ...] = ()


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """The reason why a child could not serve a request: a public code, its sentence, and a traceback for the log."""

    code: str
    detail: str = ""
    traceback: str = ""


class Ended(msgspec.Struct, frozen=True):
    """The end of a child as the reader reports it. ``signal`` 0: it exited. ``by_itself``: before it was killed."""

    signal: int
    exit_status: int
    by_itself: bool
    peak_bytes: int
    cpu_seconds: float


class Hangup(Exception):
    """The other side closed its socket."""


class Garbage(Exception):
    """A frame that our protocol does not know, or one larger than allowed."""


class Late(Exception):
    """No frame arrived in time."""


def send(end: socket.socket, kind: Kind, payload: object = None, files: Sequence[int] = ()) -> None:
    """Send one frame, and open ``files`` (descriptors) beside it. Raise ``Hangup``."""
    send_raw(end, kind, b"" if payload is None else msgspec.json.encode(payload), files)


def send_raw(end: socket.socket, kind: Kind, body: bytes, files: Sequence[int] = ()) -> None:
    frame = _HEADER.pack(kind.value.encode(), len(body)) + body
    try:
        if files:
            frame = frame[socket.send_fds(end, [frame], list(files)) :]
        end.sendall(frame)
    except OSError as error:
        raise Hangup from error


class FrameReader:
    """Reads frames from one socket, in whatever pieces they arrive."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._bytes = bytearray()

    def read(self, *, max_bytes: int, until: float, should_stop: ShouldStop | None = None) -> tuple[Kind, bytes]:
        """Return the next frame. ``until`` is a moment of ``time.monotonic()``.

        Raise ``Hangup``, ``Late``, ``Garbage``, and ``Stopped`` within 0.15 s after ``should_stop`` returns True.
        """
        while (frame := self._whole_frame(max_bytes)) is None:
            if should_stop is not None and should_stop():
                raise Stopped
            left = until - time.monotonic()
            if left <= 0:
                raise Late
            if not is_readable(self._end, left if should_stop is None else min(left, _STOP_CHECK_SECONDS)):
                continue
            try:
                chunk = self._end.recv(_CHUNK_BYTES)
            except OSError as error:
                raise Hangup from error
            if not chunk:
                raise Hangup
            self._bytes += chunk
        return frame

    def _whole_frame(self, max_bytes: int) -> tuple[Kind, bytes] | None:
        """Remove the next frame from the buffer and return it, or None while a part of it is missing."""
        if len(self._bytes) < _HEADER.size:
            return None
        letter, size = _HEADER.unpack_from(self._bytes)
        if size > max_bytes:
            raise Garbage(f"a frame of {size} bytes; the limit is {max_bytes}")
        if len(self._bytes) < _HEADER.size + size:
            return None
        body = bytes(memoryview(self._bytes)[_HEADER.size : _HEADER.size + size])
        del self._bytes[: _HEADER.size + size]
        try:
            return Kind(letter.decode("ascii")), body
        except ValueError as error:
            raise Garbage("a frame of an unknown kind") from error


def is_readable(end: socket.socket, seconds: float) -> bool:
    """Wait at most ``seconds`` for data. Uses poll, because select() cannot handle file numbers above 1023."""
    waiting = select.poll()
    waiting.register(end, select.POLLIN)
    return bool(waiting.poll(max(seconds, 0) * 1000))


def receive_with_files(end: socket.socket, *, max_bytes: int, max_files: int) -> tuple[Kind, bytes, list[int]]:
    """Return one frame of the control socket and the files that came with it. Raise ``Hangup``."""
    try:
        start, files, _flags, _address = socket.recv_fds(end, _HEADER.size, max_files)
    except OSError as error:
        raise Hangup from error
    start += _exactly(end, _HEADER.size - len(start)) if start else b""
    if not start:
        raise Hangup
    letter, size = _HEADER.unpack(start)
    if size > max_bytes:
        raise Hangup
    return Kind(letter.decode("ascii")), _exactly(end, size), list(files)


def _exactly(end: socket.socket, size: int) -> bytes:
    whole = b""
    while len(whole) < size:
        part = end.recv(size - len(whole))
        if not part:
            raise Hangup
        whole += part
    return whole
