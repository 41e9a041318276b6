"""Parse an SVG picture: no other files, no network, no scripts; its size, and the same picture for the renderer."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lxml import etree

from apps.pages.model.errors import DamagedDocument, ImageTooLarge
from apps.pages.model.text.safe_text import clean
from apps.pages.office import xml_parts
from apps.pages.office.plain.decoding import decoded
from apps.pages.office.sources import bytes_of
from apps.pages.office.xml_parts import Element, local_name

MEDIA_TYPE = "image/svg+xml"
LINKED, FORMAT_NOT_READ = "linked_pictures_left_out", "picture_format_not_read"
DPI = 150.0
MAX_PIXELS = 16_000_000
MAX_SIDE_RATIO = 200
MAX_TITLE_CHARACTERS = 300
_DEFAULT_WIDTH, _DEFAULT_HEIGHT = 300.0, 150.0
_POINTS_PER_PIXEL = 0.75
UNITS = {
    "": 1.0,
    "px": 1.0,
    "pt": 4 / 3,
    "pc": 16.0,
    "mm": 96 / 25.4,
    "cm": 96 / 2.54,
    "in": 96.0,
    "em": 16.0,
    "ex": 8.0,
}
"""Units of lengths in pixels (1/96 inch), for letters of the usual size."""
_LENGTH = re.compile(r"\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*([a-z]*)\s*")
_DOCTYPE = re.compile(r"<!DOCTYPE\s+[^\[>]*(?:\[(.*?)\]\s*)?>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"""<!ENTITY\s+([\w.-]{1,60})\s+["']([^"'&%<]{0,200})["']\s*>""")
MAX_ENTITIES, MAX_ENTITY_USES = 100, 2_000
_NO_HREF = ("image", "feImage", "use")
_PICTURES = ("data:image/png", "data:image/jpeg", "data:image/jpg", "data:image/gif", "data:image/webp")


class SvgFile(NamedTuple):
    """``width`` and ``height`` in points. A point of the picture (x, y) is at (x * scale + left, y * scale + top).

    ``left_out``: the codes of warnings of what it shows and the renderer does not.
    """

    root: Element
    width: float
    height: float
    scale: float
    left: float
    top: float
    title: str
    left_out: tuple[str, ...]


@lru_cache(maxsize=1)
def opened(path: str, _identity: tuple[int, ...]) -> SvgFile:
    """Return the picture; the last one stays open. Raise DamagedDocument, TooManyElements, ImageTooLarge."""
    text, _warnings = decoded(bytes_of(path))
    root = xml_parts.parsed(_without_doctype(text).encode(), has_long_texts=True)
    if local_name(root) != "svg":
        raise DamagedDocument
    left_out = _without_other_files(root)
    box = _view_box(root)
    width = _length(root.get("width")) or (box[2] if box else _DEFAULT_WIDTH)
    height = _length(root.get("height")) or (box[3] if box else _DEFAULT_HEIGHT)
    root.set("width", f"{width:.6g}")  # the renderer knows no other units
    root.set("height", f"{height:.6g}")
    if box is None:
        root.attrib.pop("viewBox", None)
    if max(width, height) > MAX_SIDE_RATIO * min(width, height):
        raise ImageTooLarge("The picture is too wide or too high for its other side. Save it with another size.")
    points = _POINTS_PER_PIXEL
    pixels = width * height * (points * DPI / 72) ** 2
    points *= min(1.0, (MAX_PIXELS / pixels) ** 0.5)
    x, y, box_width, box_height = box or (0.0, 0.0, width, height)
    scale = min(width / box_width, height / box_height) * points
    left = (width * points - box_width * scale) / 2 - x * scale
    top = (height * points - box_height * scale) / 2 - y * scale
    heading = next((element for element in root if local_name(element) == "title"), None)
    title = " ".join(clean("".join(heading.itertext())).split()) if heading is not None else ""
    return SvgFile(root, width * points, height * points, scale, left, top, title[:MAX_TITLE_CHARACTERS], left_out)


def rendered(picture: SvgFile) -> bytes:
    """Return the picture on white as PNG with ``DPI``. Raise ValueError if it cannot be rendered."""
    import resvg_py

    png = resvg_py.svg_to_bytes(
        svg_string=etree.tostring(picture.root, encoding="unicode"),
        width=max(1, round(picture.width * DPI / 72)),
        height=max(1, round(picture.height * DPI / 72)),
        background="white",
        # A picture whose fonts are missing here is drawn with these.
        font_family="DejaVu Sans",
        serif_family="DejaVu Serif",
        sans_serif_family="DejaVu Sans",
        monospace_family="DejaVu Sans Mono",
    )
    return bytes(png)


def _without_doctype(text: str) -> str:
    """Return the text without its document type; short entities, which drawing programs write, are replaced."""
    found = _DOCTYPE.search(text[: 1 << 16])
    if found is None:
        return re.sub(r"\A\s*<\?xml[^>]*\?>", "", text)
    text = text[found.end() :]
    for name, value in _ENTITY.findall(found[1] or "")[:MAX_ENTITIES]:
        if text.count(f"&{name};") > MAX_ENTITY_USES:
            raise DamagedDocument("The file uses XML entities too often. Save it again.")
        text = text.replace(f"&{name};", value)
    return text


def _without_other_files(root: Element) -> tuple[str, ...]:
    """Remove scripts, and addresses of other files, which the renderer would open, and of formats that it cannot show.

    Return the codes of warnings of these addresses.
    """
    codes: list[str] = []
    for element in list(root.iter("{*}script")):
        element.getparent().remove(element)
    for element in root.iter(*(f"{{*}}{name}" for name in _NO_HREF)):
        for name in list(element.attrib):
            if name.rpartition("}")[2] != "href":
                continue
            address = element.get(name).strip()
            if not address.startswith("#") and not address[:40].lower().startswith(_PICTURES):
                del element.attrib[name]
                if address:
                    codes.append(FORMAT_NOT_READ if address[:5].lower() == "data:" else LINKED)
    return tuple(dict.fromkeys(codes))


def _view_box(root: Element) -> tuple[float, float, float, float] | None:
    try:
        x, y, width, height = map(float, re.split(r"[\s,]+", (root.get("viewBox") or "").strip()))
    except ValueError:
        return None
    return (x, y, width, height) if 0 < width < 1e9 and 0 < height < 1e9 and abs(x) < 1e9 and abs(y) < 1e9 else None


def _length(text: str | None) -> float:
    """Return a length in pixels (1/96 inch), 0 for a share of the window and for what is no length."""
    found = _LENGTH.fullmatch((text or "").lower())
    try:
        length = float(found[1]) * UNITS.get(found[2], 0.0) if found else 0.0
    except ValueError:
        return 0.0
    return length if 0 < length < 1e9 else 0.0
