"""Find the image files in an xls workbook, in the store that all its sheets share (MS-ODRAW 2.2.20 to 2.2.31)."""

from __future__ import annotations

import io
import struct
import zlib

from apps.pages.office import encryption
from apps.pages.office.sheets.older import drawings

_DRAWING_GROUP, _CONTINUE, _END = 0xEB, 0x3C, 0x0A
_ENTRY, _ENTRY_BYTES = 0xF007, 36
_METAFILES = (0xF01A, 0xF01B, 0xF01C)
_BITMAPS = (0xF01D, 0xF01E, 0xF01F, 0xF029, 0xF02A)
_METAFILE_HEADER_BYTES, _DIGEST_BYTES = 34, 16
MAX_UNPACKED_BYTES = 50_000_000
# A file of Windows begins with a header that the store leaves out.
_BITMAP_HEADER = struct.Struct("<2sIHHI")


def image_files(content: bytes, password: str | None) -> list[bytes]:
    """Return the image files in the order of their numbers; b"" for one that is missing. Raise DocumentError."""
    if encryption.needs_password(content):
        content = encryption.decrypted(io.BytesIO(content), password).read()
    store, is_store = [], False
    for kind, body, _end in drawings.records(drawings.workbook_stream(content)):
        if kind == _END:
            break
        is_store = kind == _DRAWING_GROUP or (is_store and kind == _CONTINUE)
        if is_store:
            store.append(body)
    return _entries(b"".join(store))


def _entries(store: bytes) -> list[bytes]:
    files, place = [], 0
    while place + 8 <= len(store):
        version, kind, size = struct.unpack_from("<HHI", store, place)
        place += 8
        if version & 0xF == 0xF:
            continue  # what is inside follows
        if kind == _ENTRY:
            names = store[place + 33] if place + 33 < len(store) else 0
            files.append(_image_file(store[place + _ENTRY_BYTES + names : place + size]))
        place += size
    return files


def _image_file(blip: bytes) -> bytes:
    if len(blip) < 8:
        return b""
    version, kind, _size = struct.unpack_from("<HHI", blip)
    # Instances with odd numbers have a second digest.
    start = 8 + _DIGEST_BYTES * (2 if version >> 4 & 1 else 1)
    if kind in _METAFILES:
        return _unpacked(blip[start + _METAFILE_HEADER_BYTES :])
    if kind not in _BITMAPS:
        return b""
    image = blip[start + 1 :]
    return _with_header(image) if kind == 0xF01F else image


def _unpacked(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, MAX_UNPACKED_BYTES)
    except zlib.error:
        return content


def _with_header(bitmap: bytes) -> bytes:
    """Return a bitmap of Windows as a file."""
    if len(bitmap) < 40:
        return b""
    size, _width, _height, _planes, depth, compression, _bytes, _x, _y, colours = struct.unpack_from(
        "<IiiHHIIiiI", bitmap
    )
    palette = 4 * (colours or (1 << depth if depth <= 8 else 0)) + (12 if compression == 3 and size == 40 else 0)
    header = _BITMAP_HEADER.pack(b"BM", _BITMAP_HEADER.size + len(bitmap), 0, 0, _BITMAP_HEADER.size + size + palette)
    return header + bitmap
