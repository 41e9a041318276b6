"""What the worker, its reader process and the reader's children say to each other.

Two sockets. Over the *control* socket the worker hands its reader two open files (the document and one end of a fresh
*answer* socket) with the limits, and later asks it to end the child. Over the answer socket the worker talks to the
child alone, so a child that was taken over by its document can lie about that document and nothing else.

A frame is one letter, a length (4 bytes, big-endian) and that many bytes of JSON. Whoever reads bounds the length
before it reads the rest.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from apps.pages.model.geometry import Box
from apps.pages.sandbox.confinement import Limits

_HEADER = struct.Struct("!cI")
_CHUNK_BYTES = 256 * 1024


class Kind(StrEnum):
    """The letter that heads a frame."""

    # worker -> reader
    FORK = "f"  # Fork, with the document and the answer socket beside it
    KEEP = "k"  # the child may be asked again soon; end it when nothing comes for a while
    END = "e"  # end the child now
    HUNG_UP = "h"  # the child closed its socket: let it die by itself for a moment, so that its status is true
    # reader -> worker
    READY = "y"  # warm and confined
    ENDED = "z"  # Ended
    # worker -> child
    INSPECT = "i"  # ReadRequest
    READ = "r"  # ReadRequest
    RENDER = "n"  # ReadRequest with one number and a dpi
    PICTURE = "p"  # ReadRequest with one number, a dpi, max_pixels and perhaps a region
    # child -> worker
    FACTS = "F"
    PAGE = "P"  # a Page or a PageFailure
    IMAGE = "I"  # a page image, or a JPEG where a picture was ordered
    REFUSED = "E"  # Refusal: the order ends here
    DONE = "D"  # the order is carried out


class Fork(msgspec.Struct, frozen=True):
    """A child is wanted, for at most ``pages`` pages, each within ``limits``."""

    limits: Limits
    pages: int


class ReadRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request to a child. ``numbers`` are pages from 1; without numbers the child inspects the document.

    ``careful``: a page of this range crashed a child before; skip what its text does not need.
    ``dpi``: how fine a page is rendered where nothing on it speaks for another resolution; ``max_dpi`` (0: no limit)
    holds for scans, too.
    ``hidden_text``: "remove" takes out what people cannot see, and tiny text unless ``preserve_very_small_text``.
    ``region``: the part of the page as displayed that a picture is to show; the whole page where it is None.
    """

    numbers: tuple[int, ...] = ()
    password: str | None = None
    media_type: str = "application/pdf"
    max_pages: int = 0
    careful: bool = False
    dpi: float = 0.0
    max_dpi: float = 0.0
    region: Box | None = None
    max_pixels: int = 0
    hidden_text: str = "keep"
    preserve_very_small_text: bool = False


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an order could not be carried out: a public code, its sentence, and for the log where it happened."""

    code: str
    detail: str = ""
    traceback: str = ""


class Ended(msgspec.Struct, frozen=True):
    """How a child ended, told by the reader. ``signal`` 0: it exited. ``by_itself``: before it was killed."""

    signal: int
    exit_status: int
    by_itself: bool
    peak_bytes: int
    cpu_seconds: float


class Hangup(Exception):
    """The other side is gone."""


class Garbage(Exception):
    """What came over the socket is not ours, or larger than agreed."""


class Late(Exception):
    """Nothing came in time."""


def send(end: socket.socket, kind: Kind, payload: object = None, files: Sequence[int] = ()) -> None:
    """Send one frame; ``files`` are handed over beside it. Raises ``Hangup``."""
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
    """Takes frames off one socket, whatever sizes they arrive in."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._bytes = bytearray()

    def read(
        self, *, most_bytes: int, until: float, every: float = 0.15, look_up: Callable[[], None] | None = None
    ) -> tuple[Kind, bytes]:
        """The next frame. ``until`` is a moment of ``time.monotonic()``; ``look_up`` is called about every ``every``
        seconds of waiting and may raise. Raises ``Hangup``, ``Late``, ``Garbage``."""
        while (frame := self._whole_frame(most_bytes)) is None:
            if look_up is not None:
                look_up()
            left = until - time.monotonic()
            if left <= 0:
                raise Late
            if select_readable(self._end, min(left, every) if look_up is not None else left):
                self._fill()
        return frame

    def _whole_frame(self, most_bytes: int) -> tuple[Kind, bytes] | None:
        if len(self._bytes) < _HEADER.size:
            return None
        letter, size = _HEADER.unpack_from(self._bytes)
        if size > most_bytes:
            raise Garbage(f"a frame of {size} bytes where {most_bytes} are allowed")
        if len(self._bytes) < _HEADER.size + size:
            return None
        body = bytes(memoryview(self._bytes)[_HEADER.size : _HEADER.size + size])
        del self._bytes[: _HEADER.size + size]
        try:
            return Kind(letter.decode("ascii")), body
        except ValueError as error:
            raise Garbage("a frame of a kind that does not exist") from error

    def _fill(self) -> None:
        try:
            chunk = self._end.recv(_CHUNK_BYTES)
        except OSError as error:
            raise Hangup from error
        if not chunk:
            raise Hangup
        self._bytes += chunk


def select_readable(end: socket.socket, seconds: float) -> bool:
    """Whether something can be read within ``seconds``; poll, because select() stops at file number 1023."""
    waiting = select.poll()
    waiting.register(end, select.POLLIN)
    return bool(waiting.poll(max(seconds, 0) * 1000))


def receive_with_files(end: socket.socket, *, most_bytes: int, most_files: int) -> tuple[Kind, bytes, list[int]]:
    """The reader's side of the control socket: one frame and the files that came with it. Raises ``Hangup``."""
    try:
        start, files, _flags, _address = socket.recv_fds(end, _HEADER.size, most_files)
    except OSError as error:
        raise Hangup from error
    start += _exactly(end, _HEADER.size - len(start)) if start else b""
    if not start:
        raise Hangup
    letter, size = _HEADER.unpack(start)
    if size > most_bytes:
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
