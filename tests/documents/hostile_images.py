"""Rows 81 to 89: images with too many pixels, frames or letters, and images cut short."""

from __future__ import annotations

import io
import random
import struct
import zlib

from tests.documents.hostile import Hostile, deflated, outcomes

_TOO_LARGE = outcomes("image_too_large")
_RESULT = outcomes("result")
_MAYBE = outcomes("result document_corrupt page_failed")


def png(width: int, height: int, *, bits: int = 1, colour: int = 0, chunks: bytes = b"") -> bytes:
    """Return a PNG whose pixels are all zero."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    pixels = deflated(bytes(1 + -(-width * bits * channels // 8)), height)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunks + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bitmap_header() -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)


def tiff(sizes: list[tuple[int, int]], *, is_loop: bool = False) -> bytes:
    """Return a TIFF of white frames of these sizes, 1 bit a pixel. ``is_loop``: the last points to the first."""
    whole = bytearray(b"II*\x00" + struct.pack("<I", 8))
    for number, (width, height) in enumerate(sizes):
        data_at = len(whole) + 2 + 8 * 12 + 4
        data = b"\xff" * (-(-width // 8) * height)
        tags = ((256, width), (257, height), (258, 1), (259, 1), (262, 1), (273, data_at), (278, height),
                (279, len(data)))  # fmt: skip
        following = data_at + len(data) if number + 1 < len(sizes) else 8 if is_loop else 0
        whole += struct.pack("<H", 8) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        whole += struct.pack("<I", following) + data
    return bytes(whole)


def gif(frames: int, side: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\x00\x00\x00\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b"\x3b"


def saved(mode: str, size: tuple[int, int], kind: str, **options: object) -> bytes:
    """Return a picture of random pixels as Pillow saves it."""
    from PIL import Image

    out = io.BytesIO()
    small = Image.frombytes("L", (64, 64), random.Random(87).randbytes(64 * 64))
    small.convert(mode).resize(size).save(out, kind, **options)
    return out.getvalue()


def progressive_scans() -> bytes:
    """Return a progressive JPEG that repeats one of its scans a thousand times."""
    whole = saved("L", (800, 800), "JPEG", progressive=True)
    start = whole.rindex(b"\xff\xda")
    return whole[:start] + whole[start:-2] * 1000 + whole[-2:]


def rotated_by_exif() -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    return saved("RGB", (40, 20), "JPEG", exif=exif)


def scan(kind: str) -> bytes:
    """Return an A4 page at 300 dpi: "letters" (small and random), "noise" or "dots"."""
    from PIL import Image, ImageDraw

    size, chance = (2480, 3508), random.Random(88)
    if kind == "noise":
        page = Image.frombytes("L", size, chance.randbytes(size[0] * size[1]))
    else:
        page = Image.new("L", size, 255)
        draw = ImageDraw.Draw(page)
        for y in range(20, size[1] - 20, 12):
            if kind == "letters":
                draw.text((20, y), "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789 ", k=400)), fill=0)
            else:
                draw.point([(x, y) for x in range(20, size[0] - 20, 12)], fill=0)
    out = io.BytesIO()
    page.save(out, "PNG", compress_level=1, dpi=(300, 300))
    return out.getvalue()


ROWS = [
    Hostile(81, "png-of-60000-lines", lambda: png(60_000, 60_000), _TOO_LARGE, "png", is_slow=True),
    Hostile(81, "bitmap-header-of-60000-lines", bitmap_header, _TOO_LARGE, "bmp"),
    Hostile(82, "png-of-13000-lines", lambda: png(13_000, 13_000), _TOO_LARGE, "png"),
    Hostile(83, "png-of-9000-lines", lambda: png(9000, 9000, bits=8, colour=6), _TOO_LARGE, "png", is_slow=True),
    Hostile(84, "png-with-200-mb-of-text",
            lambda: png(9, 9, chunks=chunk(b"zTXt", b"a\x00\x00" + deflated(b" ", 200 << 20))),
            outcomes("result document_corrupt"), "png", is_slow=True),
    Hostile(85, "tiff-loop", lambda: tiff([(9, 9)], is_loop=True), outcomes("result document_corrupt"), "tif"),
    Hostile(85, "tiff-of-65535-pages", lambda: tiff([(9, 9)] * 65_535), outcomes("too_many_pages document_timeout"),
            "tif", is_slow=True),
    Hostile(85, "tiff-of-mixed-sizes", lambda: tiff([(9, 9), (5000, 5), (1, 4000)]), _RESULT, "tif"),
    Hostile(86, "gif-of-20000-frames", lambda: gif(20_000, 5000), outcomes("too_many_pages"), "gif", is_slow=True),
    Hostile(87, "jpeg-cut-short", lambda: saved("RGB", (900, 900), "JPEG")[:9000], _MAYBE, "jpg"),
    Hostile(87, "jpeg-cmyk", lambda: saved("CMYK", (99, 99), "JPEG"), _RESULT, "jpg"),
    Hostile(87, "jpeg-of-1000-scans", progressive_scans, _MAYBE | {"page_timeout"}, "jpg", is_slow=True),
    Hostile(87, "png-of-16-bits-cut-short", lambda: saved("I;16", (900, 900), "PNG")[:3000], _MAYBE, "png"),
    Hostile(87, "tiff-of-floats", lambda: saved("F", (99, 99), "TIFF"), _RESULT, "tif"),
    Hostile(87, "jpeg-rotated-by-exif", rotated_by_exif, _RESULT, "jpg"),
    Hostile(87, "png-of-one-pixel", lambda: png(1, 1), _RESULT, "png"),
    Hostile(87, "png-of-40000-by-10", lambda: png(40_000, 10), outcomes("result image_too_large"), "png"),
    Hostile(88, "page-of-tiny-letters", lambda: scan("letters"), _RESULT, "png", is_slow=True),
    Hostile(89, "page-of-noise", lambda: scan("noise"), _RESULT, "png", is_slow=True),
    Hostile(89, "page-of-dots", lambda: scan("dots"), _RESULT, "png", is_slow=True),
    Hostile(89, "blank-of-81-million-pixels", lambda: png(9000, 9000), _TOO_LARGE, "png"),
]  # fmt: skip
