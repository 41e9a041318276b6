"""Write compound files (MS-CFB) with folders, and the items of Outlook in them (MS-OXMSG)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

SECTOR, SMALL_SECTOR, CUTOFF = 512, 64, 4096
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
Tree = dict[str, "bytes | Tree"]


def compound_file(tree: Tree) -> bytes:
    """Return a file with these streams and folders. Streams are small or large as in files of Outlook."""
    entries = _entries(tree)
    small, starts = b"", {}
    small_table: list[int] = []
    for number, entry in enumerate(entries):
        if 0 < len(entry[4]) < CUTOFF:
            starts[number] = len(small_table)
            sectors = -(-len(entry[4]) // SMALL_SECTOR)
            small_table += [*range(starts[number] + 1, starts[number] + sectors), END]
            small += entry[4].ljust(sectors * SMALL_SECTOR, b"\0")
    body = b""
    table: list[int] = []

    def place(content: bytes) -> int:
        nonlocal body
        if not content:
            return END
        start, sectors = len(table), -(-len(content) // SECTOR)
        table.extend([*range(start + 1, start + sectors), END])
        body += content.ljust(sectors * SECTOR, b"\0")
        return start

    for number, entry in enumerate(entries):
        if len(entry[4]) >= CUTOFF:
            starts[number] = place(entry[4])
    small_start = place(small)
    small_table_start = place(struct.pack(f"<{len(small_table)}I", *small_table).ljust(SECTOR, b"\xff"))
    directory = b"".join(
        _entry(name, kind, right, child, small_start if not number else starts.get(number, END), size)
        for number, (name, kind, right, child, content) in enumerate(entries)
        for size in [len(small) if not number else len(content)]
    )
    directory_start = place(directory)
    table_start = len(table)
    table.append(FAT)
    assert max(len(table), len(small_table)) <= SECTOR // 4
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<10I", 0, 1, directory_start, 0, CUTOFF, small_table_start, 1, END, 0, table_start)
    return header.ljust(SECTOR, b"\xff") + body + struct.pack(f"<{len(table)}I", *table).ljust(SECTOR, b"\xff")


def outlook_item(
    texts: dict[int, str],
    *,
    contents: dict[int, bytes] | None = None,
    numbers: dict[int, int] | None = None,
    sent_at: datetime | None = None,
    receivers: Sequence[Tree] = (),
    files: Sequence[Tree] = (),
    header_bytes: int = 32,
) -> Tree:
    """Return an item or a part of one. ``receivers`` and ``files`` are parts with a header of 8 bytes."""
    fixed = bytes(header_bytes)
    for number, value in (numbers or {}).items():
        fixed += struct.pack("<HHIiI", 3, number, 0, value, 0)
    if sent_at is not None:
        ticks = int((sent_at - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000
        fixed += struct.pack("<HHIQ", 0x40, 0x0039, 0, ticks)
    tree: Tree = {"__properties_version1.0": fixed}
    for number, text in texts.items():
        tree[f"__substg1.0_{number:04X}001F"] = text.encode("utf-16-le")
    for number, content in (contents or {}).items():
        tree[f"__substg1.0_{number:04X}0102"] = content
    for index, part in enumerate(receivers):
        tree[f"__recip_version1.0_#{index:08X}"] = part
    for index, part in enumerate(files):
        tree[f"__attach_version1.0_#{index:08X}"] = part
    return tree


def _entries(tree: Tree) -> list[tuple[str, int, int, int, bytes]]:
    """Return the name, kind, right neighbour, first child and content of each entry."""
    entries = [("Root Entry", 5, FREE, FREE, b"")]

    def add(children: Tree) -> int:
        """Add entries, each with the next one to its right. Return the number of the first."""
        numbers = []
        for name, content in children.items():
            numbers.append(len(entries))
            entries.append((name, 2, FREE, FREE, b""))
            entries[numbers[-1]] = (
                (name, 1, FREE, add(content), b"") if isinstance(content, dict) else (name, 2, FREE, FREE, content)
            )
        for number, following in pairwise(numbers):
            name, kind, _right, child, content_ = entries[number]
            entries[number] = (name, kind, following, child, content_)
        return numbers[0] if numbers else FREE

    entries[0] = ("Root Entry", 5, FREE, add(tree), b"")
    return entries


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    encoded = name.encode("utf-16-le")
    head = encoded.ljust(64, b"\0") + struct.pack("<HBBIII", len(encoded) + 2, kind, 1, FREE, right, child)
    return head + bytes(36) + struct.pack("<IQ", start, size)
