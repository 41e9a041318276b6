"""Open files for a child that may not open any itself: on kernels without Landlock.

The kernel stops a child that calls ``open`` and asks the reader (``seccomp_unotify(2)``, Linux 5.9 or newer). The
reader reads the path, and if it is the document or a file of the program, it opens the file for reading and gives the
descriptor to the child. The path is never looked at again, so a second thread of the child cannot exchange it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_RECEIVE, _SEND, _ADD_FILE = 0xC0502100, 0xC0182101, 0x40182103
_QUESTION = struct.Struct("=QIIiIQ6Q")
_REPLY = struct.Struct("=QqiI")
_ADDITION = struct.Struct("=QIIII")
_OPENAT_NUMBERS = {257, 56}
_CURRENT_FOLDER = 0xFFFFFF9C  # AT_FDCWD
_MAX_PATH_BYTES = 4096
_PAGE_BYTES = 4096
_HARMLESS_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NOCTTY | 0o100000  # O_LARGEFILE


class OpenedFiles:
    """Answers the questions of one child. ``listener``: the descriptor of its filter; ``document``: its document.

    ``name``: how the child calls its document; ``readable``: the folders and files of the program.
    """

    def __init__(self, listener: int, document: int, name: str, readable: Sequence[Path]) -> None:
        self.listener = listener
        self._document = document
        self._name = name
        self._readable = [os.fspath(path) for path in readable]

    def close(self) -> None:
        os.close(self.listener)
        os.close(self._document)

    def attend(self, until: int, seconds: float | None) -> bool:
        """Answer questions until the descriptor ``until`` is readable; return False if it is not within ``seconds``."""
        deadline = None if seconds is None else time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(until, select.POLLIN)
        waiting.register(self.listener, select.POLLIN)
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
            events = dict(waiting.poll(left))
            if not events or until in events:
                return bool(events)
            if events[self.listener] & select.POLLIN:
                self._answer()
            else:
                waiting.unregister(self.listener)  # the child has ended

    def _answer(self) -> None:
        """Answer one question. The child may have been killed meanwhile, which ends the question."""
        question = bytearray(_QUESTION.size)
        with suppress(OSError):
            fcntl.ioctl(self.listener, _RECEIVE, question)
            number, pid, _flags, call, _processor, _at, *arguments = _QUESTION.unpack(question)
            try:
                file = self._opened(pid, arguments if call in _OPENAT_NUMBERS else [_CURRENT_FOLDER, *arguments])
            except (OSError, OverflowError, ValueError) as error:  # the child may ask with any address and path
                reason = getattr(error, "errno", None) or errno.EACCES
                fcntl.ioctl(self.listener, _SEND, _REPLY.pack(number, 0, -reason, 0))
                return
            try:
                addition = bytearray(_ADDITION.pack(number, 0, file, 0, os.O_CLOEXEC))
                place = fcntl.ioctl(self.listener, _ADD_FILE, addition)
                fcntl.ioctl(self.listener, _SEND, _REPLY.pack(number, place, 0, 0))
            finally:
                os.close(file)

    def _opened(self, pid: int, arguments: Sequence[int]) -> int:
        folder, address, flags = arguments[0] & 0xFFFFFFFF, arguments[1], arguments[2] & 0xFFFFFFFF
        if flags & ~_HARMLESS_FLAGS:
            raise PermissionError(errno.EACCES, "only reading is allowed")
        path = os.fsdecode(_text_at(pid, address))
        if path == self._name and folder == _CURRENT_FOLDER:
            # By this name a descriptor gets a position of its own.
            return os.open(f"/proc/self/fd/{self._document}", os.O_RDONLY | os.O_CLOEXEC)
        real = os.path.realpath(path) if path.startswith("/") else ""
        if not any(real == root or real.startswith(f"{root}/") for root in self._readable):
            raise PermissionError(errno.EACCES, "not a file of the program")
        return os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | flags & (os.O_DIRECTORY | os.O_NONBLOCK))


def _text_at(pid: int, address: int) -> bytes:
    """Return the text at an address of another process, up to its NUL. Raise OSError."""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = b""
        while len(found) < _MAX_PATH_BYTES:
            # Up to the end of a page, because the next one may not exist.
            part = os.pread(memory, _PAGE_BYTES - (address + len(found)) % _PAGE_BYTES, address + len(found))
            found += part
            if b"\0" in part or not part:
                break
    finally:
        os.close(memory)
    text, end, _rest = found.partition(b"\0")
    if not end:
        raise OSError(errno.ENAMETOOLONG, "the path is too long")
    return text
