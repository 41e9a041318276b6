"""The restrictions that each child of a reader puts on itself, and what the reader does for it meanwhile."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from apps.pages.sandbox import confinement, escapes
from apps.pages.sandbox.confinement import FileAccess, Limits, MemoryInUse
from apps.pages.sandbox.system_calls.opened_files import OpenedFiles
from apps.pages.sandbox.system_calls.seccomp import SystemCallFilter

DOCUMENT_NAME = "document.pdf"
"""How a child calls its document, in its working folder. Some libraries go by the name's ending."""
LANDLOCK, ASKING = "landlock", "asking"


class Handover:
    """Brings the descriptor of a child's filter to the reader. Made before the fork."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()

    def give(self, listener: int) -> None:
        """In the child: send the descriptor and keep none, because its holder could answer for the reader."""
        socket.send_fds(self._theirs, [b"f"], [listener])
        os.close(listener)
        self.close()

    def receive(self) -> int | None:
        """In the reader: return the descriptor; None if the child died before it sent one."""
        self._theirs.close()
        _data, files, _flags, _address = socket.recv_fds(self._ours, 1, 1)
        self._ours.close()
        return files[0] if files else None

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class ChildConfinement:
    """Prepared in the reader before its first child. ``escapes``: what a child could still do, once it is measured.

    Files are restricted by Landlock, or else by asking the reader to open them, unless these are ``unavailable``.
    """

    def __init__(self, readable: Sequence[Path], *, own_user: bool, unavailable: frozenset[str]) -> None:
        self.escapes: frozenset[str] = frozenset(escapes.ESCAPES)
        self._readable = readable
        self._own_user = own_user
        self._unavailable = unavailable
        self._files = FileAccess(readable)
        self._calls = SystemCallFilter(asks_to_open=False)
        self._uses_landlock = self._asks = False
        self._memory = MemoryInUse(0, 0)

    def measure(self, limits: Limits) -> None:
        """Choose the best way to restrict files that works here, and measure what a child can do in spite of it."""
        self._memory = confinement.memory_in_use()
        ways = [LANDLOCK] if self._files.is_available else []
        ways += [ASKING] if self._calls.is_known else []
        for way in [*[way for way in ways if way not in self._unavailable], ""]:
            self._uses_landlock, self._asks = way == LANDLOCK, way == ASKING
            self._calls = SystemCallFilter(asks_to_open=self._asks)
            found = self._measured(limits)
            if found is not None:
                self.escapes = found
                return

    def _measured(self, limits: Limits) -> frozenset[str] | None:
        handover = self.handover()
        with tempfile.TemporaryFile() as file:
            document = file.fileno()

            def attend(until: int) -> None:
                if opened := self.opened_files(handover, document):
                    opened.attend(until, None)
                    opened.close()

            name_document(document)
            try:
                return escapes.measure(
                    lambda: self.restrict(document, limits, pages=1, handover=handover), DOCUMENT_NAME, attend
                )
            finally:
                Path(DOCUMENT_NAME).unlink()

    def handover(self) -> Handover | None:
        return Handover() if self._asks else None

    def opened_files(self, handover: Handover | None, document: int) -> OpenedFiles | None:
        """In the reader, after the fork: return what must be asked to open files, if children ask."""
        listener = None if handover is None else handover.receive()
        if listener is None:
            return None
        return OpenedFiles(listener, os.dup(document), DOCUMENT_NAME, self._readable)

    def restrict(self, document: int, limits: Limits, *, pages: int, handover: Handover | None) -> None:
        """In the child: restrict this process. End it if a restriction fails that worked when it was measured."""
        if self._asks:
            confinement.let_the_reader_look()
        is_restricted = not self._uses_landlock or self._files.restrict_process(document)
        confinement.limit_resources(limits, pages=pages, in_use=self._memory, own_user=self._own_user)
        listener = self._calls.install()
        if not is_restricted or (listener is None and self._calls.is_known):
            os._exit(1)
        if handover is not None and listener is not None:
            handover.give(listener)


def name_document(document: int) -> None:
    """Give the open document its name in the working folder, by which libraries open it as often as they like."""
    folder = "/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd"
    Path(DOCUMENT_NAME).symlink_to(f"{folder}/{document}")
