"""Read the records of which the binary parts of an xlsb workbook consist (MS-XLSB 2.1.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

NO_STRING = 0xFFFFFFFF


def records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the body of each record. A record that the end of the part cuts off ends the records."""
    place, end = 0, len(content)
    while place < end:
        kind = content[place]
        place += 1
        if kind & 0x80 and place < end:
            kind = kind & 0x7F | (content[place] & 0x7F) << 7
            place += 1
        size = shift = 0
        while place < end and shift < 28:
            byte = content[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if place + size > end:
            return
        yield kind, content[place : place + size]
        place += size


def wide_string(body: bytes, place: int) -> tuple[str, int]:
    """Return a string that begins with its length (XLWideString, MS-XLSB 2.5.168), and where it ends.

    A missing one (XLNullableWideString) is "". Raise struct.error if it goes on after the record.
    """
    (length,) = struct.unpack_from("<I", body, place)
    start = place + 4
    if length == NO_STRING:
        return "", start
    end = start + 2 * length
    if end > len(body):
        raise struct.error("a string is longer than its record")
    return body[start:end].decode("utf-16-le", "replace"), end


def rich_string(body: bytes, place: int) -> str:
    """Return the text of a string with formats (RichStr, MS-XLSB 2.5.121), without how it is pronounced."""
    return wide_string(body, place + 1)[0]


def packed_number(packed: int) -> float:
    """Return the number of an RkNumber (MS-XLSB 2.5.122): an integer or the upper half of a float, or a 100th of it."""
    if packed & 2:
        number: float = (packed >> 2) - (1 << 30 if packed & 0x80000000 else 0)
    else:
        (number,) = struct.unpack("<d", struct.pack("<II", 0, packed & 0xFFFFFFFC))
    return number / 100 if packed & 1 else number
