"""Write the smallest workbooks of formats that no library here writes: xls in a compound file, xlsb."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from tests.unit.pages.office.office_files import RELATIONS

SECTOR = 512
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
Value = float | str


def write_xls(
    path: Path,
    sheets: dict[str, list[list[Value]]],
    *,
    code: str = "General",
    hidden: str = "",
    names: tuple[bytes, ...] = (),
    drawn: bytes = b"",
    shared: bytes = b"",
    charts: dict[str, bytes] | None = None,
) -> Path:
    """Write BIFF8 records. ``code``: the number format of all cells. ``hidden``: the name of a hidden sheet.

    ``names``: the formulas of defined names, as tokens. ``drawn``: records of each sheet after its cells. ``shared``:
    records of the whole workbook. ``charts``: the records of sheets that are charts, by name.
    """
    bodies = [_sheet(rows, drawn) for rows in sheets.values()] + list((charts or {}).values())
    sheet_names = [name.encode("utf-16-le") for name in (*sheets, *(charts or {}))]
    written = struct.pack("<HHB", 164, len(code), 0) + code.encode("ascii")
    style = struct.pack("<HHHBBBBIIH", 0, 164, 1, 32, 0, 0, 0, 0, 0, 0x20C0)
    head = record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 1997, 0, 0)) + record(0x41E, written)
    head += record(0xE0, style)
    defined = shared + b"".join(
        record(0x18, struct.pack("<HBBHHHI", 0, 0, 1, len(one), 0, 0, 0) + b"\0n" + one) for one in names
    )
    place = len(head) + sum(4 + 8 + len(name) for name in sheet_names) + len(defined) + 4
    for number, (name, body) in enumerate(zip(sheet_names, bodies, strict=True)):
        is_hidden, kind = name.decode("utf-16-le") == hidden, 0 if number < len(sheets) else 2
        head += record(0x85, struct.pack("<IBBBB", place, is_hidden, kind, len(name) // 2, 1) + name)
        place += len(body)
    path.write_bytes(compound("Workbook", head + defined + record(0x0A) + b"".join(bodies)))
    return path


def write_early_xls(path: Path, texts: list[str], version: int) -> Path:
    """Write a column of texts as Excel 2 to 4 did: the records of one sheet, without a compound file."""
    start = struct.pack("<HHH", version, 0x10, 0)[: 4 if version == 2 else 6]
    content = record({2: 0x009, 3: 0x209, 4: 0x409}[version], start)
    for row, text in enumerate(texts):
        letters = text.encode("cp1252")
        place = struct.pack("<HH", row, 0)
        if version == 2:
            content += record(0x004, place + bytes(3) + bytes((len(letters),)) + letters)
        else:
            content += record(0x204, place + bytes(2) + struct.pack("<H", len(letters)) + letters)
    path.write_bytes(content + record(0x0A))
    return path


def _sheet(rows: list[list[Value]], drawn: bytes) -> bytes:
    body = record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 1997, 0, 0))
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            place = struct.pack("<HHH", row, column, 0)
            if isinstance(value, str):
                body += record(0x204, place + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
            else:
                body += record(0x203, place + struct.pack("<d", value))
    return body + drawn + record(0x0A)


def record(kind: int, content: bytes = b"") -> bytes:
    """Return a record of an xls workbook."""
    return struct.pack("<HH", kind, len(content)) + content


def compound(name: str, stream: bytes) -> bytes:
    """Return a compound file with one stream (MS-CFB): a header, its table, its directory and the stream."""
    stream = stream.ljust(max(4096, -(-len(stream) // SECTOR) * SECTOR), b"\0")
    sectors = len(stream) // SECTOR
    chain = [FAT, END, *range(3, 2 + sectors), END]
    table = struct.pack(f"<{len(chain)}I", *chain).ljust(SECTOR, b"\xff")
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, END, 0, END, 0, 0).ljust(40, b"\0") + b"\xff" * 4 * 108
    directory = _entry("Root Entry", 5, 1, END, 0) + _entry(name, 2, FREE, 2, len(stream)) + bytes(256)
    return header[:SECTOR] + table + directory + stream


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    letters = name.encode("utf-16-le")
    entry = letters.ljust(64, b"\0") + struct.pack("<HBBIII", len(letters) + 2, kind, 1, FREE, FREE, child)
    return entry + bytes(36) + struct.pack("<IQ", start, size)


def write_xlsb(
    path: Path, name: str, rows: list[list[Value]], *, code: str = "General", more: bytes = b"", comments: bytes = b""
) -> Path:
    """Write a binary workbook of one sheet and of a hidden one, "Secret".

    ``code``: the number format of all cells. ``more``: records after the cells. The sheet's link "rId9" leads to
    https://example.org. ``comments``: records of its comments.
    """
    book = binary(131) + binary(143)
    for state, sheet_name in enumerate((name, "Secret")):
        book += binary(156, struct.pack("<II", state, state + 1) + wide(f"rId{state + 1}") + wide(sheet_name))
    book += binary(144) + binary(132)
    style = struct.pack("<HHHHHBBHBB", 0, 164, 0, 0, 0, 0, 0, 0, 0, 0)
    styles = binary(44, struct.pack("<H", 164) + wide(code)) + binary(617) + binary(47, style) + binary(618)
    sheet = binary(129) + binary(145)
    for row, values in enumerate(rows):
        sheet += binary(0, struct.pack("<I", row) + bytes(13))
        for column, value in enumerate(values):
            place = struct.pack("<II", column, 0)
            if isinstance(value, str):
                sheet += binary(6, place + wide(value))
            else:
                sheet += binary(5, place + struct.pack("<d", value))
    sheet += binary(146) + more + binary(130)
    kind = "application/vnd.ms-excel.sheet.binary.macroEnabled.main"
    relations = {
        "_rels/.rels": {"rId1": ("officeDocument", "xl/workbook.bin")},
        "xl/_rels/workbook.bin.rels": {
            "rId1": ("worksheet", "worksheets/sheet1.bin"),
            "rId2": ("worksheet", "worksheets/sheet2.bin"),
            "rId3": ("styles", "styles.bin"),
        },
        "xl/worksheets/_rels/sheet1.bin.rels": {
            "rId1": ("comments", "../comments1.bin"),
            "rId9": ("hyperlink", "https://example.org"),
        },
    }
    parts = {"workbook": book, "styles": styles, "comments1": comments}
    parts |= {"worksheets/sheet1": sheet, "worksheets/sheet2": binary(129) + binary(130)}
    with zipfile.ZipFile(path, "w") as archive:
        types = f'<Types><Override PartName="/xl/workbook.bin" ContentType="{kind}"/></Types>'
        archive.writestr("[Content_Types].xml", types)
        for part, links in relations.items():
            written = "".join(
                f'<Relationship Id="{link}" Type="{RELATIONS}/{what}" Target="{target}" '
                f'TargetMode="{"External" if what == "hyperlink" else "Internal"}"/>'
                for link, (what, target) in links.items()
            )
            archive.writestr(part, f"<Relationships>{written}</Relationships>")
        for part, content in parts.items():
            archive.writestr(f"xl/{part}.bin", content)
    return path


def wide(value: str) -> bytes:
    """Return a string as binary workbooks have it: its length in UTF-16 units, and these."""
    letters = value.encode("utf-16-le")
    return struct.pack("<I", len(letters) // 2) + letters


def binary(kind: int, content: bytes = b"") -> bytes:
    """Return a record of a binary workbook."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = b"", len(content)
    while length > 127:
        size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
    return head + size + bytes([length]) + content
