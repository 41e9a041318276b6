"""The properties of an Outlook item: storages of a compound file (MS-OXMSG 2.1 to 2.4)."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.pages.model.errors import DamagedDocument

STRING, STRING_8, BINARY, OBJECT = 0x001F, 0x001E, 0x0102, 0x000D
_INTEGER, _BOOLEAN, _TIME = 0x0003, 0x000B, 0x0040
_FAULTS = (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error, RecursionError)
_MESSAGE_CODE_PAGE, _BODY_CODE_PAGE = 0x3FFD, 0x3FDE
_OTHER_PAGES = {65001: "utf-8", 1200: "utf-16-le", 20127: "ascii", 28591: "cp1252", 10000: "mac_roman", 936: "gbk"}
_FIRST_MOMENT = datetime(1601, 1, 1, tzinfo=UTC)
Path = tuple[str, ...]


def opened(content: bytes) -> Storage:
    """Return the item of a msg file. Raise DamagedDocument."""
    import olefile

    try:
        file = olefile.OleFileIO(content)
        names: defaultdict[Path, dict[str, Path]] = defaultdict(dict)
        for *parents, name in file.listdir(streams=True, storages=True):
            names[tuple(parents)][name.lower()] = (*parents, name)
    except _FAULTS as error:
        raise DamagedDocument from error
    return Storage(file, names, (), header_bytes=32)


class Storage:
    """An item, a receiver or an attached file. Values that are damaged are as values that are missing.

    ``names``: the paths of what is in each storage, by its path and the name in small letters.
    """

    def __init__(self, file: Any, names: Mapping[Path, dict[str, Path]], path: Path, *, header_bytes: int) -> None:
        self._file, self._names = file, names
        self._children = names.get(path, {})
        self._fixed = dict(_fixed(self._stream("__properties_version1.0")[header_bytes:]))
        self._code_page = 0

    def inside(self, prefix: str) -> Iterator[Storage]:
        """Yield the storages whose names begin with ``prefix``: receivers or attached files."""
        for name, path in sorted(self._children.items()):
            if name.startswith(prefix):
                inner = Storage(self._file, self._names, path, header_bytes=8)
                inner._code_page = self._page_of_text()
                yield inner

    def item(self, number: int) -> Storage | None:
        """Return the item that is the value of a property."""
        path = self._children.get(f"__substg1.0_{number:04x}{OBJECT:04x}")
        return Storage(self._file, self._names, path, header_bytes=24) if path else None

    def text(self, *numbers: int) -> str:
        """Return the first of these properties that has a text, without what follows a NUL."""
        for number in numbers:
            wide = self._stream(f"__substg1.0_{number:04x}{STRING:04x}")
            text = wide.decode("utf-16-le", "replace") or decoded(
                self._stream(f"__substg1.0_{number:04x}{STRING_8:04x}"), self._page_of_text()
            )
            text = text.partition("\0")[0]
            if text.strip():
                return text
        return ""

    def content(self, number: int) -> bytes | None:
        """Return the bytes of a property, None if it is missing."""
        name = f"__substg1.0_{number:04x}{BINARY:04x}"
        return self._stream(name) if name in self._children else None

    def integer(self, number: int) -> int | None:
        value = self._fixed.get((number, _INTEGER)) or self._fixed.get((number, _BOOLEAN))
        return struct.unpack_from("<i", value)[0] if value else None

    def moment(self, *numbers: int) -> datetime | None:
        """Return the first of these properties that is a moment."""
        for number in numbers:
            value = self._fixed.get((number, _TIME))
            (ticks,) = struct.unpack("<Q", value) if value else (0,)
            if ticks:
                try:
                    return _FIRST_MOMENT + timedelta(microseconds=ticks // 10)
                except OverflowError:
                    continue
        return None

    @property
    def body_encoding(self) -> str:
        return encoding_of(self.integer(_BODY_CODE_PAGE) or 0)

    def _page_of_text(self) -> int:
        return self.integer(_MESSAGE_CODE_PAGE) or self.integer(_BODY_CODE_PAGE) or self._code_page or 1252

    def _stream(self, name: str) -> bytes:
        path = self._children.get(name)
        if path is None:
            return b""
        try:
            content: bytes = self._file.openstream(list(path)).read()
        except _FAULTS:
            return b""
        return content


def encoding_of(code_page: int) -> str:
    """Return Python's name of a code page of Windows, "" if it has none."""
    return _OTHER_PAGES.get(code_page, f"cp{code_page}") if code_page else ""


def decoded(content: bytes, code_page: int) -> str:
    """Return the text. Items that claim UTF-8 often have the bytes of the program that made them."""
    encoding = encoding_of(code_page)
    try:
        return content.decode(encoding, "strict" if encoding == "utf-8" else "replace")
    except (LookupError, UnicodeDecodeError):
        return content.decode("cp1252", "replace")


def _fixed(content: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Yield number and type of each property, and its eight bytes."""
    for start in range(0, len(content) - 15, 16):
        kind, number = struct.unpack_from("<HH", content, start)
        yield (number, kind), content[start + 8 : start + 16]
