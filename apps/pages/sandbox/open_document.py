"""Open a document for a reader process that may run as another user."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FileIdentity = tuple[int, int, int, int]


def identity_of(file: int) -> FileIdentity:
    """Return a value that is equal for two descriptors of the same, unchanged file."""
    facts = os.fstat(file)
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


class ReadableCopies:
    """Opens documents so that the reader's user can open them again by their descriptor.

    The kernel checks the file's own permission then, so a document that only its owner may read is first copied to a
    nameless temporary file. The last copy is kept, because a long document is opened once for each range.
    """

    def __init__(self, *, needed: bool) -> None:
        self._needed = needed
        self._copy: int | None = None
        self._copied: FileIdentity | None = None

    @contextmanager
    def open(self, document: Path) -> Iterator[int]:
        """Yield a descriptor, open for reading during the block. Raise OSError if it is not a regular file."""
        file = os.open(document, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode):
                raise OSError(f"{document} is not a regular file")
            if self._needed and not facts.st_mode & stat.S_IROTH:
                identity = identity_of(file)
                if self._copy is None or self._copied != identity:
                    self.close()
                    self._copy, self._copied = readable_copy(file), identity
                yield self._copy
            else:
                yield file
        finally:
            os.close(file)

    def close(self) -> None:
        if self._copy is not None:
            os.close(self._copy)
        self._copy = self._copied = None


def readable_copy(file: int) -> int:
    """Copy an open file to a nameless temporary file that every user may read. Return its descriptor."""
    with tempfile.TemporaryFile(prefix="leafmill-") as copy:
        with os.fdopen(os.dup(file), "rb") as original:
            shutil.copyfileobj(original, copy, 1 << 20)
        copy.flush()
        os.fchmod(copy.fileno(), 0o444)
        return os.open(f"/proc/self/fd/{copy.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
