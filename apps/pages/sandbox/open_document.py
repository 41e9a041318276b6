"""A document opened for a reader that may be another user than we are."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Identity = tuple[int, int, int, int]


def identity_of(file: int) -> Identity:
    """Tells whether two descriptors are of the same, unchanged file."""
    facts = os.fstat(file)
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


class ReadableCopies:
    """Opens documents so that the reader's user can open them again by their descriptor.

    The kernel asks for the file's own permission then, so a document that only its owner may read is copied to a
    nameless temporary file first. The last copy is kept: a long document is asked for range by range.
    """

    def __init__(self, *, needed: bool) -> None:
        self._needed = needed
        self._copy: int | None = None
        self._copied: Identity | None = None

    @contextmanager
    def open(self, document: Path) -> Iterator[int]:
        """A descriptor, open for reading, valid inside the block. OSError when there is no such regular file."""
        file = os.open(document, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode):
                raise OSError(f"{document} is not a regular file")
            if self._needed and not facts.st_mode & stat.S_IROTH:
                yield self._copy_of(file, identity_of(file))
            else:
                yield file
        finally:
            os.close(file)

    def close(self) -> None:
        if self._copy is not None:
            os.close(self._copy)
        self._copy = self._copied = None

    def _copy_of(self, file: int, identity: Identity) -> int:
        if self._copied != identity or self._copy is None:
            self.close()
            with tempfile.TemporaryFile(prefix="leafmill-") as copy:
                with os.fdopen(os.dup(file), "rb") as original:
                    shutil.copyfileobj(original, copy, 1 << 20)
                copy.flush()
                os.fchmod(copy.fileno(), 0o444)
                self._copy = os.open(f"/proc/self/fd/{copy.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
            self._copied = identity
        return self._copy
