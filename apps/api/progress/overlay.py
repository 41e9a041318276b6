"""Draw the boxes of a page's items on its picture, so that a person sees what was found where."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageDraw

_COLORS = {
    "heading": "#c2185b",
    "text": "#1565c0",
    "list": "#2e7d32",
    "table": "#e65100",
    "image": "#6a1b9a",
    "code": "#4e342e",
    "link": "#00838f",
    "header": "#757575",
    "footer": "#757575",
}
_WIDTH_OF_LINES = 1 / 500  # of the picture's longer side
_QUALITY = 85


def drawn_boxes(jpeg: bytes, page: dict[str, Any]) -> bytes:
    """Return the picture of the page as a JPEG with the boxes, and the number of each item in reading order."""
    with Image.open(io.BytesIO(jpeg)) as opened:
        picture = opened.convert("RGB")
    across, down = picture.width / page["page_width"], picture.height / page["page_height"]
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) * _WIDTH_OF_LINES))
    for number, item in enumerate(page["items"], 1):
        color = _COLORS.get(item["type"], "#1565c0")
        for left, top, right, bottom in _corners(item, across, down):
            draw.rectangle((left, top, right, bottom), outline=color, width=width)
            draw.text((left + 2 * width, top + width), str(number), fill=color)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _corners(item: dict[str, Any], across: float, down: float) -> Iterator[tuple[float, float, float, float]]:
    for box in item.get("bbox", ()):
        left, top = box["x"] * across, box["y"] * down
        yield left, top, max(left, left + box["w"] * across), max(top, top + box["h"] * down)
