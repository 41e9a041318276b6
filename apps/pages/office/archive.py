"""Read the parts of a ZIP file, which office files are, without trusting what it says about their sizes."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from apps.pages.model.errors import ArchiveTooLarge, DamagedDocument, EncryptedDocument
from apps.pages.office import encryption, sources
from apps.pages.office.sources import Source

MAX_ENTRIES = 10_000
MAX_ENTRY_BYTES = 100_000_000
MAX_ALL_BYTES = 500_000_000
MAX_RATIO = 200
MIN_RATIO_BYTES = 10_000_000
"""Smaller parts may be packed as tightly as they like."""
_LOCAL_HEADER_BYTES = 30
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, UnicodeDecodeError, ValueError)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Archive:
    """An open ZIP file. Names of parts are compared as office programs do it: without regard to case."""

    def __init__(self, source: Source | IO[bytes], password: str | None = None) -> None:
        """Raise DamagedDocument, ArchiveTooLarge for too many or overlapping entries, and as ``decrypted`` does.

        ``source``: also an open file.
        """
        # Open as long as the document is.
        file = sources.opened(source) if isinstance(source, str | bytes) else source
        if file.read(len(encryption.COMPOUND)) == encryption.COMPOUND:
            file = encryption.decrypted(file, password)
        try:
            self._zip = zipfile.ZipFile(file)
        except _FAULTS as error:
            raise DamagedDocument from error
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        if len(entries) > MAX_ENTRIES:
            raise ArchiveTooLarge
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            if entry.header_offset < end:
                raise ArchiveTooLarge("Entries of the archive overlap, as those of ZIP bombs do. Save the file again.")
            end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size
        self._entries = {_key(entry.filename): entry for entry in entries}
        self._read: dict[str, int] = {}
        self._decrypted: dict[str, Callable[[bytes], Readable]] = {}

    def decrypt(self, name: str, decrypted: Callable[[bytes], Readable]) -> None:
        """Let ``decrypted`` return the content of a part, given its bytes in the archive."""
        self._decrypted[_key(name)] = decrypted

    def entries(self) -> list[zipfile.ZipInfo]:
        """Return all files, also those whose names differ only in case."""
        return [entry for entry in self._zip.infolist() if not entry.is_dir()]

    def names(self) -> list[str]:
        return [entry.filename for entry in self._entries.values()]

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._entries

    def read(self, name: str) -> bytes:
        """Return a whole part; b"" if there is none of this name. Raise DamagedDocument, ArchiveTooLarge."""
        if name not in self:
            return b""
        with self.opened(name) as part:
            return part.read()

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """Open a part for reading from start to end. Raise as ``read`` does, also while it is read."""
        entry = self._entries.get(_key(name))
        if entry is None:
            raise DamagedDocument(f"The file lacks a part ({posixpath.basename(name)[:80]}). Save it again.")
        with self.opened_entry(entry) as part:
            yield part

    @contextmanager
    def opened_entry(self, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        """Open a file of ``entries`` as ``opened`` does."""
        if entry.flag_bits & 1:
            raise EncryptedDocument
        try:
            with self._zip.open(entry) as stored:
                decrypted = self._decrypted.get(_key(entry.filename))
                part = stored if decrypted is None else decrypted(stored.read(MAX_ENTRY_BYTES))
                yield io.BufferedReader(_Limited(part, entry, self._read), 1 << 16)
        except _FAULTS as error:
            raise DamagedDocument from error


class _Limited(io.RawIOBase):
    """Counts what is read, because the sizes in a ZIP file may be lies."""

    def __init__(self, part: Readable, entry: zipfile.ZipInfo, read: dict[str, int]) -> None:
        self._part, self._entry, self._all = part, entry, read
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        content = self._part.read(len(view))
        self._count += len(content)
        name, packed = self._entry.filename, max(1, self._entry.compress_size)
        self._all[name] = max(self._count, self._all.get(name, 0))
        is_dense = self._count > MIN_RATIO_BYTES and self._count > MAX_RATIO * packed
        if self._count > MAX_ENTRY_BYTES or is_dense or sum(self._all.values()) > MAX_ALL_BYTES:
            raise ArchiveTooLarge
        view[: len(content)] = content
        return len(content)


def _key(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
