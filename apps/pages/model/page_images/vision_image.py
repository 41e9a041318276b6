"""The image of a page, or of a region of it, for a vision model: a colour JPEG.

A sandboxed child encodes it. The worker passes the bytes on without decoding them, so it checks only what needs no
decoder: how a JPEG begins and ends, and the size in its header.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from apps.pages.model.errors import GarbledPage
from apps.pages.model.geometry import Box

MAX_VISION_PIXELS = 1568 * 1568
"""The largest image that vision models accept without scaling it down."""
MAX_JPEG_BYTES = 4 << 20
JPEG_QUALITY = 85
_LOWER_QUALITIES = (65, 45)
_SHRINK_FACTOR = 0.7
_START, _END = b"\xff\xd8\xff", b"\xff\xd9"
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
# Start-of-frame markers state the size; C4, C8 and CC among them are tables.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA


def encode_vision_image(image: Any, *, max_pixels: int) -> bytes:
    """Encode a Pillow image as a JPEG within ``max_pixels`` and ``MAX_JPEG_BYTES``; lower quality or size to fit."""
    image = _within(image.convert("RGB"), max_pixels)
    while True:
        for quality in (JPEG_QUALITY, *_LOWER_QUALITIES):
            out = io.BytesIO()
            image.save(out, "JPEG", quality=quality)
            if out.tell() <= MAX_JPEG_BYTES:
                return out.getvalue()
        image = _within(image, int(image.width * image.height * _SHRINK_FACTOR**2))


def paint_outside(image: Any, part: Box, area: Box) -> None:
    """Paint white, in place, what a colour Pillow image of ``part`` of a page shows outside ``area``."""
    across, down = image.width / part.width, image.height / part.height
    left, right = round((area.x0 - part.x0) * across), round((area.x1 - part.x0) * across)
    top, bottom = round((area.top - part.top) * down), round((area.bottom - part.top) * down)
    wide, high = image.size
    for x0, y0, x1, y1 in ((0, 0, wide, top), (0, bottom, wide, high), (0, 0, left, high), (right, 0, wide, high)):
        box = max(0, x0), max(0, y0), min(wide, x1), min(high, y1)
        if box[0] < box[2] and box[1] < box[3]:
            image.paste((255, 255, 255), box)


def check_vision_image(raw: bytes, *, max_pixels: int) -> bytes:
    """Return the bytes unchanged if they look like a JPEG of ``encode_vision_image``. Raise GarbledPage otherwise."""
    if len(raw) > MAX_JPEG_BYTES or not raw.startswith(_START) or not raw.endswith(_END):
        raise GarbledPage
    sizes = list(_sizes(raw))
    if len(sizes) != 1 or not 0 < sizes[0][0] * sizes[0][1] <= max_pixels:
        raise GarbledPage
    return raw


def _within(image: Any, max_pixels: int) -> Any:
    if image.width * image.height <= max_pixels:
        return image
    shrink = (max_pixels / (image.width * image.height)) ** 0.5
    return image.resize((max(1, int(image.width * shrink)), max(1, int(image.height * shrink))))


def _sizes(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield width and height of every frame header before the first scan."""
    at = 2
    while at + 9 <= len(raw) and raw[at] == 0xFF and raw[at + 1] != _SCAN:
        marker = raw[at + 1]
        if marker in _STANDALONE:
            at += 2
            continue
        if marker in _FRAMES:
            yield int.from_bytes(raw[at + 7 : at + 9], "big"), int.from_bytes(raw[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
