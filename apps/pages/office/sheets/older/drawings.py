"""Read what is drawn on the sheets of an xls workbook of Excel 97 and later: text boxes, charts, pictures (MS-XLS).

The library that reads the cells leaves all of it out. Shapes are described in the drawing records of MS-ODRAW, and each
has an object record (Obj), and a text record (TxO) if it has text. A chart has records of its own inside the sheet's.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from apps.pages.model.blocks import Block, BlockType, EmbeddedImage
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.text.safe_text import clean
from apps.pages.office.drawing import charts
from apps.pages.office.drawing.pictures import BLIP, alternative_text
from apps.pages.office.sheets import number_formats

# Types of records (MS-XLS 2.3).
_END, _CONTINUE, _SHEET_NAME, _OBJECT, _DRAWING, _TEXT, _START = 0x0A, 0x3C, 0x85, 0x5D, 0xEC, 0x1B6, 0x809
_NUMBER, _LABEL, _BEGIN, _FINISH = 0x203, 0x204, 0x1033, 0x1034
_SERIES, _SERIES_TEXT, _CHART_TEXT, _TEXT_OF, _DATA_OF, _TREND = 0x1003, 0x100D, 0x1025, 0x1027, 0x1065, 0x104A
_VALUES, _CATEGORIES = 1, 2
_OF_TITLE, _OF_CATEGORIES = 1, 3
_VERSION_8 = b"\x00\x06"
CELLS, CHART = 0, 2
# Kinds of objects (MS-XLS 2.5.143).
_NOT_DRAWN = (0x14, 0x19)  # drop-down lists, and notes, which are comments of cells
# Records of drawings (MS-ODRAW 2.2).
_SHAPE, _PROPERTIES, _ANCHOR = 0xF00A, 0xF00B, 0xF010
_BLIP_OF_SHAPE, _DESCRIPTION_OF_SHAPE, _IS_COMPLEX = 0x0104, 0x0381, 0x8000
_CONTAINER = 0xF
_NONE = -1
_EMBEDDED = 0x09


class Drawn(NamedTuple):
    """``has_files``: whether files are inside the sheet."""

    blocks: list[Block]
    has_files: bool


class BoundSheet(NamedTuple):
    """A sheet of the workbook. ``start``: where its records begin. ``kind``: ``CELLS``, ``CHART`` or another."""

    name: str
    start: int
    is_hidden: bool
    kind: int


@dataclass
class _Shape:
    """``row`` and ``column``: of its top left corner. ``blip``: the number of its picture, from 1; 0 without one."""

    row: int = 0
    column: int = 0
    blip: int = 0
    description: str = ""
    kind: int = -1
    blocks: list[Block] = field(default_factory=list)


def workbook_stream(content: bytes) -> bytes:
    """Return the records of a workbook, which are in a compound file or are the file; b"" if they are not found."""
    import olefile

    if not content.startswith(olefile.MAGIC):
        return content
    try:
        with olefile.OleFileIO(io.BytesIO(content)) as file:
            name = next((name for name in ("Workbook", "Book") if file.exists(name)), "")
            return bytes(file.openstream(name).read()) if name else b""
    except (OSError, ValueError, LookupError):
        return b""


def is_readable(stream: bytes) -> bool:
    """Return whether the records are those of Excel 97 or later."""
    first = _record_at(stream, 0)
    return first.kind == _START and first.body[:2] == _VERSION_8


def has_objects(stream: bytes) -> bool:
    """Return whether something is drawn in a workbook, also one of an older program."""
    for kind, body, _end in records(stream):
        if kind == _OBJECT and len(body) >= 6 and struct.unpack_from("<H", body, 4)[0] not in _NOT_DRAWN:
            return True
    return False


class _Record(NamedTuple):
    """``end``: where the next record begins."""

    kind: int
    body: bytes
    end: int


def _record_at(stream: bytes, place: int) -> _Record:
    if place + 4 > len(stream):
        return _Record(_NONE, b"", place)
    kind, size = struct.unpack_from("<HH", stream, place)
    return _Record(kind, stream[place + 4 : place + 4 + size], place + 4 + size)


def records(stream: bytes, place: int = 0) -> Iterator[_Record]:
    while (record := _record_at(stream, place)).kind != _NONE:
        yield record
        place = record.end


def bound_sheets(stream: bytes) -> list[BoundSheet]:
    """Return the sheets and chart sheets in their order. Raise struct.error, IndexError."""
    found = []
    for kind, body, _end in records(stream):
        if kind == _SHEET_NAME:
            start, visibility, sheet_kind = struct.unpack_from("<IBB", body)
            found.append(BoundSheet(clean(_short_string(body, 6)), start, visibility & 3 != 0, sheet_kind))
        elif kind == _END:
            break
    return found


def _short_string(body: bytes, place: int) -> str:
    """Return a ShortXLUnicodeString: its length in one byte, a flag, and bytes or UTF-16."""
    return _characters(body[place + 2 :], body[place], wide=bool(body[place + 1] & 1))


def _characters(content: bytes, count: int, *, wide: bool) -> str:
    return content[: 2 * count].decode("utf-16-le", "replace") if wide else content[:count].decode("latin-1")


def content_of_sheet(stream: bytes, start: int) -> Drawn:
    """Return what is drawn on a sheet, from the top. Raise struct.error, IndexError."""
    shapes: list[_Shape] = []
    has_files = False
    place = _record_at(stream, start).end  # the start of the sheet itself
    while (record := _record_at(stream, place)).kind not in (_END, _NONE):
        place = record.end
        if record.kind == _DRAWING:
            shapes += _shapes(record.body)
        elif record.kind == _OBJECT and len(record.body) >= 6:
            if not shapes or shapes[-1].kind >= 0:
                shapes.append(_Shape())
            (shapes[-1].kind,) = struct.unpack_from("<H", record.body, 4)
            has_files |= _has_file(record.body)
        elif record.kind == _START:
            chart, place = _read_chart(stream, place)
            if not shapes:
                shapes.append(_Shape())
            shapes[-1].blocks += chart.blocks()
        elif record.kind == _TEXT and shapes and shapes[-1].kind not in _NOT_DRAWN:
            shapes[-1].blocks += _paragraphs(_text(stream, record.body, place))
    for shape in shapes:
        if shape.blip and shape.kind not in _NOT_DRAWN:
            image = EmbeddedImage(f"{BLIP}{shape.blip}")
            picture = Block(type=BlockType.PICTURE, box=NO_BOX, description=shape.description, image=image)
            shape.blocks.append(picture)
    shapes.sort(key=lambda shape: (shape.row, shape.column))
    return Drawn([block for shape in shapes for block in shape.blocks], has_files)


def _has_file(body: bytes) -> bool:
    """Return whether an object record describes a file inside the workbook (FtPictFmla)."""
    place = 0
    while place + 4 <= len(body):
        kind, size = struct.unpack_from("<HH", body, place)
        if kind == _EMBEDDED:
            return True
        place += 4 + size
    return False


def blocks_of_chart_sheet(stream: bytes, start: int) -> list[Block]:
    """Return the title and the data of a sheet that is a chart. Raise struct.error, IndexError."""
    return _read_chart(stream, _record_at(stream, start).end)[0].blocks()


def _shapes(drawing: bytes) -> list[_Shape]:
    """Return the last shape of a drawing record; none if it only goes on with the shape before, as for its text."""
    shape, is_new = _Shape(), False
    place = 0
    while place + 8 <= len(drawing):
        version, kind, size = struct.unpack_from("<HHI", drawing, place)
        place += 8
        if version & _CONTAINER == _CONTAINER:
            continue  # what is inside follows
        body = drawing[place : place + size]
        is_new |= kind == _SHAPE
        if kind == _ANCHOR and len(body) >= 8:
            shape.column, shape.row = struct.unpack_from("<HxxH", body, 2)
        elif kind == _PROPERTIES:
            _read_properties(shape, body, version >> 4)
        place += size
    return [shape] if is_new else []


def _read_properties(shape: _Shape, body: bytes, count: int) -> None:
    """Read properties: a name and a number, which for a complex one is the length of its value after all of them."""
    complex_place = 6 * count
    for number in range(min(count, len(body) // 6)):
        name, value = struct.unpack_from("<HI", body, 6 * number)
        if name & 0x3FFF == _BLIP_OF_SHAPE:
            shape.blip = value
        if name & _IS_COMPLEX:
            if name & 0x3FFF == _DESCRIPTION_OF_SHAPE:
                written = body[complex_place : complex_place + value].decode("utf-16-le", "replace").rstrip("\0")
                shape.description = alternative_text(written)
            complex_place += value


def _text(stream: bytes, body: bytes, end: int) -> str:
    """Return the text of a text record: it is in the records that continue it, each with a flag for its encoding."""
    (count,) = struct.unpack_from("<H", body, 10)
    text = ""
    for kind, part, _end in records(stream, end):
        if kind != _CONTINUE or len(text) >= count or not part:
            break
        text += _characters(part[1:], count - len(text), wide=bool(part[0] & 1))
    return text


def _paragraphs(text: str) -> list[Block]:
    lines = (" ".join(clean(line).split()) for line in text.replace("\r", "\n").split("\n"))
    return [Block(type=BlockType.PARAGRAPH, box=NO_BOX, text=line) for line in lines if line]


@dataclass
class _Chart:
    """``columns``: the values of each series by point."""

    title: str = ""
    corner: str = ""
    names: list[str] = field(default_factory=list)
    categories: dict[int, str] = field(default_factory=dict)
    columns: list[dict[int, str]] = field(default_factory=list)

    def blocks(self) -> list[Block]:
        names = [self.names[place] if place < len(self.names) else "" for place in range(len(self.columns))]
        caption = self.title or (names[0] if len(names) == 1 else "")
        return charts.blocks_of_data(caption, self.corner, self.categories, list(zip(names, self.columns, strict=True)))


def _read_chart(stream: bytes, place: int) -> tuple[_Chart, int]:
    """Read a chart whose records begin at ``place``; return it, and where they end."""
    reader = _ChartReader()
    while (record := _record_at(stream, place)).kind not in (_END, _NONE):
        reader.read(record.kind, record.body)
        place = record.end
    return reader.chart, record.end


class _ChartReader:
    """``_text``: the last text, whose owner a later record names. ``_data``: what the numbers that follow are."""

    def __init__(self) -> None:
        self.chart = _Chart()
        self._depth = self._series_depth = self._data = 0
        self._text = ""

    def read(self, kind: int, body: bytes) -> None:
        if kind in (_NUMBER, _LABEL):
            if self._data in (_VALUES, _CATEGORIES):
                _read_point(self.chart, kind, body, is_category=self._data == _CATEGORIES)
        elif kind == _DATA_OF:
            (self._data,) = struct.unpack_from("<H", body)
        elif kind in (_BEGIN, _FINISH):
            self._depth += 1 if kind == _BEGIN else -1
            if self._depth < self._series_depth:
                self._series_depth = 0
        else:
            self._read_names(kind, body)

    def _read_names(self, kind: int, body: bytes) -> None:
        if kind == _SERIES:
            self.chart.names.append("")
            self._series_depth = self._depth + 1
        elif kind == _TREND and self._series_depth:  # a trend line or error bars of another series
            self.chart.names.pop()
            self._series_depth = 0
        elif kind == _CHART_TEXT:
            self._text = ""
        elif kind == _SERIES_TEXT:
            self._text = clean(_short_string(body, 2)).strip()
            if self._series_depth and not self.chart.names[-1]:
                self.chart.names[-1] = self._text
        elif kind == _TEXT_OF and not self._series_depth:
            self._name(struct.unpack_from("<H", body)[0])

    def _name(self, owner: int) -> None:
        if owner == _OF_TITLE:
            self.chart.title = self._text
        elif owner == _OF_CATEGORIES:
            self.chart.corner = self._text


def _read_point(chart: _Chart, kind: int, body: bytes, *, is_category: bool) -> None:
    point, series = struct.unpack_from("<HH", body)
    if kind == _NUMBER:
        shown = number_formats.general(struct.unpack_from("<d", body, 6)[0])
    else:
        (count,) = struct.unpack_from("<H", body, 6)
        shown = _characters(body[9:], count, wide=bool(body[8] & 1))
    if is_category:
        chart.categories.setdefault(point, shown)
        return
    while len(chart.columns) <= min(series, charts.MAX_SERIES - 1):
        chart.columns.append({})
    if series < charts.MAX_SERIES:
        chart.columns[series][point] = shown
