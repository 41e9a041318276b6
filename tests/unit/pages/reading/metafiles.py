"""Write small metafiles: the records of EMF, EMF+ and WMF that draw text and bitmaps."""

from __future__ import annotations

import struct
from typing import Any


def emf(*records: bytes) -> bytes:
    head = struct.pack("<2I8i", 1, 88, *range(8)) + b" EMF" + bytes(44)
    return head + b"".join(records) + struct.pack("<5I", 14, 20, 0, 16, 20)


def record(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<2I", kind, 8 + len(body)) + body


def wide_text(text: str, x: int, y: int, *, width: int = 0, options: int = 0) -> bytes:
    """Return EMR_EXTTEXTOUTW. ``width``: of each character."""
    packed = text.encode("utf-16-le") + bytes(-2 * len(text) % 4)
    distances = struct.pack(f"<{len(text)}I", *[width] * len(text)) if width else b""
    facts = (x, y, len(text), 76, options, 0, 0, 0, 0, 76 + len(packed) if width else 0)
    return record(84, bytes(28) + struct.pack("<2i3I4iI", *facts) + packed + distances)


def wide_font(number: int, height: int, name: str = "Arial", charset: int = 0) -> bytes:
    """Return the records that make a font and select it."""
    facts = struct.pack("<I5i8B", number, height, 0, 0, 0, 400, 0, 0, 0, charset, 0, 0, 0, 0)
    made = record(82, facts + name.encode("utf-16-le").ljust(64, b"\0"))
    return made + record(37, struct.pack("<I", number))


def plus(*records: bytes, is_dual: bool = False) -> bytes:
    """Return a comment with records of EMF+."""
    content = b"EMF+" + plus_record(0x4001, int(is_dual), bytes(16)) + b"".join(records)
    return record(70, struct.pack("<I", len(content)) + content)


def plus_record(kind: int, flags: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<2H2I", kind, flags, 12 + len(body), len(body)) + body


def plus_text(text: str, x: float, y: float) -> bytes:
    return plus_record(0x401C, 0, struct.pack("<3I4f", 0, 0, len(text), x, y, 0, 0) + text.encode("utf-16-le"))


def wmf(*records: bytes, is_placeable: bool = True) -> bytes:
    placed = struct.pack("<IH4hHIH", 0x9AC6CDD7, 0, 0, 0, 1000, 1000, 96, 0, 0) if is_placeable else b""
    return placed + struct.pack("<3HIHIH", 1, 9, 0x300, 0, 9, 0, 0) + b"".join(records) + struct.pack("<IH", 3, 0)


def wmf_record(kind: int, body: bytes) -> bytes:
    body += bytes(len(body) % 2)
    return struct.pack("<IH", 3 + len(body) // 2, kind) + body


def wmf_text(text: bytes, x: int, y: int, *, is_long: bool = False) -> bytes:
    padded = text + bytes(len(text) % 2)
    if is_long:
        return wmf_record(0x0A32, struct.pack("<2h2H", y, x, len(text), 0) + padded)
    return wmf_record(0x0521, struct.pack("<H", len(text)) + padded + struct.pack("<2h", y, x))


def wmf_font(charset: int, name: bytes = b"Arial", height: int = -20) -> bytes:
    return wmf_record(0x02FB, struct.pack("<5h8B", height, 0, 0, 0, 400, 0, 0, 0, charset, 0, 0, 0, 0) + name + b"\0")


def bitmap(width: int, height: int, grey: int) -> tuple[bytes, bytes]:
    """Return header and pixels of a bitmap of 24 bits; ``width`` is a multiple of 4."""
    header = struct.pack("<I2i2H6I", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return header, bytes([grey]) * (3 * width * height)


def stretched(header: bytes, pixels: bytes) -> bytes:
    """Return EMR_STRETCHDIBITS."""
    places: list[Any] = [80, len(header), 80 + len(header), len(pixels)]
    return record(81, bytes(40) + struct.pack("<4I", *places) + bytes(16) + header + pixels)
