"""Look into the catalogue of a PDF without parsing the file: opening it with qpdf costs more than several pages."""

from __future__ import annotations

import re
import zlib
from typing import Any

import numpy as np

_LAYERS = b"/OCProperties"
_COMPRESSED_OBJECTS = b"/ObjStm"
_MAX_DICTIONARY_BYTES, _MAX_STREAM_BYTES, _MAX_UPDATES = 4_096, 1 << 24, 8
_NO_PREDICTOR, _PNG_UP = 1, 2
_IN_STREAM = 2
"""Kind of a cross-reference entry: the object is inside an object stream."""


class _Plain(Exception):
    """The catalogue is in no object stream."""


class _Unclear(Exception):
    """The file has a form that is not understood here."""


def may_have_layers(content: Any) -> bool:
    """Return False if the catalogue names no optional-content layers; ``content`` is the file, as bytes or mmap.

    The catalogue is plain, or in an object stream that the cross-reference stream at the end leads to.
    """
    try:
        return _LAYERS in _compressed_catalogue(content)
    except _Plain:
        return bool(content.find(_LAYERS) >= 0)
    except (_Unclear, ValueError, IndexError, zlib.error):
        return bool(content.find(_COMPRESSED_OBJECTS) >= 0 or content.find(_LAYERS) >= 0)


def _compressed_catalogue(content: Any) -> bytes:
    """Return the object stream that holds the catalogue. Raise _Plain if it is in none, _Unclear."""
    at = _number_after(content, b"startxref", content.rfind(b"startxref"))
    root = -1
    for _ in range(_MAX_UPDATES):
        if re.match(rb"\s*xref", content[at : at + 32]):
            raise _Plain
        dictionary, start = _stream_at(content, at)
        if b"/Encrypt" in dictionary:
            raise _Unclear
        root = _number_after(dictionary, b"/Root") if root < 0 else root
        found = _entry(content, dictionary, start, root)
        if found is None:
            at = _number_after(dictionary, b"/Prev")
            continue
        kind, place = found
        if kind != _IN_STREAM:
            raise _Plain
        holder = _entry(content, dictionary, start, place)
        if holder is None or holder[0] == _IN_STREAM:
            raise _Unclear
        return _inflated(content, _stream_at(content, holder[1])[1], _MAX_STREAM_BYTES)
    raise _Unclear


def _number_after(content: Any, name: bytes, start: int = 0) -> int:
    at = content.find(name, max(0, start))
    found = re.match(rb"\s*(\d+)", content[at + len(name) : at + len(name) + 32]) if at >= 0 else None
    if found is None:
        raise _Unclear
    return int(found[1])


def _stream_at(content: Any, at: int) -> tuple[bytes, int]:
    """Return the dictionary of the stream object at an offset, and the offset of its data."""
    head = content[at : at + _MAX_DICTIONARY_BYTES]
    found = re.match(rb"\s*\d+\s+\d+\s+obj(.*?)stream\r?\n", head, re.DOTALL)
    if found is None or b"/FlateDecode" not in found[1]:
        raise _Unclear
    return found[1], at + found.end()


def _inflated(content: Any, start: int, size: int) -> bytes:
    """Return at most ``size`` bytes of the compressed data at an offset, decompressed."""
    if not 0 < size <= _MAX_STREAM_BYTES:
        raise _Unclear
    with memoryview(content) as whole, whole[start : start + _MAX_STREAM_BYTES] as part:
        return zlib.decompressobj().decompress(part, size)


def _entry(content: Any, dictionary: bytes, start: int, number: int) -> tuple[int, int] | None:
    """Return kind and place of an object in the cross-reference stream at ``start``; None if it is not listed."""
    widths = _numbers(dictionary, rb"/W")
    if len(widths) != 3:
        raise _Unclear
    ranges = _numbers(dictionary, rb"/Index") or [0, _number_after(dictionary, b"/Size")]
    row = 0
    for first, count in zip(ranges[::2], ranges[1::2], strict=False):
        if first <= number < first + count:
            entry = _row(content, dictionary, start, row + number - first, sum(widths))
            kind = int.from_bytes(entry[: widths[0]], "big") if widths[0] else 1
            return kind, int.from_bytes(entry[widths[0] : widths[0] + widths[1]], "big")
        row += count
    return None


def _row(content: Any, dictionary: bytes, start: int, row: int, width: int) -> bytes:
    """Return a row of a cross-reference stream. Undo the PNG predictor "up", which all common programs use there."""
    predicted = b"/Predictor" in dictionary and _number_after(dictionary, b"/Predictor") != _NO_PREDICTOR
    stored = width + 1 if predicted else width
    data = _inflated(content, start, (row + 1) * stored)
    if len(data) != (row + 1) * stored:
        raise _Unclear
    if not predicted:
        return data[-width:]
    rows = np.frombuffer(data, np.uint8).reshape(-1, stored)
    if not (rows[:, 0] == _PNG_UP).all():
        raise _Unclear
    entry: bytes = rows[:, 1:].sum(axis=0, dtype=np.uint8).tobytes()
    return entry


def _numbers(dictionary: bytes, name: bytes) -> list[int]:
    found = re.search(name + rb"\s*\[([\d\s]+)\]", dictionary)
    return [int(part) for part in found[1].split()] if found else []
