"""What can be read of an EMF or WMF file, also of one that is packed (emz, wmz)."""

from __future__ import annotations

import struct
import zlib

from apps.pages.reading.metafiles import emf, wmf
from apps.pages.reading.metafiles.playback import Playback, lines_of

MAX_BYTES = 50_000_000
_GZIP = b"\x1f\x8b"
_MASKS, _MASK_BYTES, _USUAL_HEADER = 3, 12, 40


def is_metafile(content: bytes) -> bool:
    """Return whether a file is a metafile; at least its first 64 bytes are needed, of a packed one all."""
    content = _unpacked(content, 64) if content.startswith(_GZIP) else content
    return emf.is_emf(content) or wmf.is_wmf(content)


def text_of(content: bytes) -> tuple[list[str], bool]:
    """Return the lines of text that a metafile draws, from its top, and whether there are more; none for others."""
    played = _played(content)
    return lines_of(played.texts), played.is_cut


def bitmap_of(content: bytes) -> bytes:
    """Return the bitmap, as a BMP file, that a metafile consists of; b"" if it draws more, and for another file."""
    played = _played(content)
    if played.texts or played.has_drawing or len(played.bitmaps) != 1:
        return b""
    [bitmap] = played.bitmaps
    if len(bitmap) < _USUAL_HEADER:
        return b""
    header, _width, _height, _planes, bits, packing, _size, _x, _y, colours = struct.unpack_from("<I2i2H2I2iI", bitmap)
    palette = 4 * (colours or (1 << bits if bits <= 8 else 0)) if colours <= 256 and bits <= 32 else 0
    masks = _MASK_BYTES if packing == _MASKS and header == _USUAL_HEADER else 0
    return b"BM" + struct.pack("<3I", 14 + len(bitmap), 0, 14 + header + palette + masks) + bitmap


def _played(content: bytes) -> Playback:
    content = _unpacked(content, MAX_BYTES) if content.startswith(_GZIP) else content
    if emf.is_emf(content):
        return emf.played(content)
    return wmf.played(content) if wmf.is_wmf(content) else Playback()


def _unpacked(content: bytes, max_bytes: int) -> bytes:
    """Return the first bytes of a packed file; b"" for one that is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(content, max_bytes)
    except zlib.error:
        return b""
