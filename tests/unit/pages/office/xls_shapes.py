"""Write the records of what is drawn on a sheet of an xls workbook (MS-XLS, MS-ODRAW)."""

from __future__ import annotations

import struct

from tests.unit.pages.office.older_workbooks import record

TEXT_BOX, PICTURE, NOTE, CHART = 0x06, 0x08, 0x19, 0x05


def shape(
    kind: int, *, row: int = 0, text: str = "", blip: int = 0, description: str = "", chart: bytes = b""
) -> bytes:
    """Return a shape whose top left corner is in this row, with its text, picture or chart."""
    letters = (description + "\0").encode("utf-16-le") if description else b""
    properties = struct.pack("<HI", 0x0104, blip) + struct.pack("<HI", 0x8381, len(letters)) + letters
    inside = _atom(0xF00A, bytes(8)) + _atom(0xF00B, properties, instance=2)
    inside += _atom(0xF010, struct.pack("<HHHHHHHHH", 0, 2, 0, row, 0, 3, 0, row + 2, 0))
    records = record(0xEC, struct.pack("<HHI", 0x000F, 0xF004, len(inside)) + inside)
    records += record(0x5D, struct.pack("<HHHHI", 0x15, 0x12, kind, 1, 0) + bytes(10)) + chart
    if text:
        half = len(text) // 2
        records += record(0xEC, _atom(0xF00D, b"")) + record(0x1B6, struct.pack("<HH6xHH4x", 0, 0, len(text), 16))
        records += record(0x3C, b"\0" + text[:half].encode("latin-1"))
        records += record(0x3C, b"\1" + text[half:].encode("utf-16-le")) + record(0x3C, bytes(16))
    return records


def _atom(kind: int, content: bytes, instance: int = 0) -> bytes:
    return struct.pack("<HHI", instance << 4, kind, len(content)) + content


def chart(title: str, series: dict[str, list[float]], categories: list[str]) -> bytes:
    """Return a chart with the records that Excel keeps for its data."""

    def text(value: str) -> bytes:
        return record(0x100D, struct.pack("<HBB", 0, len(value), 0) + value.encode("latin-1"))

    records = record(0x809, struct.pack("<HHHHII", 0x600, 0x20, 0, 1997, 0, 0)) + record(0x1033)
    for name in series:
        records += record(0x1003, bytes(12)) + record(0x1033) + text(name) + record(0x1034)
    records += record(0x1025, bytes(32)) + record(0x1033) + text(title) + record(0x1027, struct.pack("<HHH", 1, 0, 0))
    records += record(0x1034) + record(0x1034) + record(0x1065, struct.pack("<H", 1))
    for column, values in enumerate(series.values()):
        for row, value in enumerate(values):
            records += record(0x203, struct.pack("<HHHd", row, column, 0, value))
    records += record(0x1065, struct.pack("<H", 2))
    for row, category in enumerate(categories):
        records += record(0x204, struct.pack("<HHHHB", row, 0, 0, len(category), 0) + category.encode("latin-1"))
    return records + record(0x0A)


def picture_store(*files: bytes, kind: int = 0xF01E) -> bytes:
    """Return the store of image files of a workbook, PNG files as a rule, in records of at most 8,000 bytes."""
    entries = b""
    for file in files:
        image = struct.pack("<HHI", 0x6E0 << 4, kind, 17 + len(file)) + bytes(17) + file
        entries += _atom(0xF007, bytes(36) + image, instance=6)
    store = (
        struct.pack("<HHI", 0xF, 0xF000, 8 + len(entries)) + struct.pack("<HHI", 0x1F, 0xF001, len(entries)) + entries
    )
    parts = [store[start : start + 8_000] for start in range(0, len(store), 8_000)]
    return record(0xEB, parts[0]) + b"".join(record(0x3C, part) for part in parts[1:])
