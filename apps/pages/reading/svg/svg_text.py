"""The text of an SVG picture with its places (SVG 2, chapter 11). Widths are estimated, because fonts are not read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from apps.pages.model.blocks import Block, BlockType, Line
from apps.pages.model.geometry import Box, union
from apps.pages.model.text.safe_text import clean
from apps.pages.office.xml_parts import Element, local_name
from apps.pages.reading.svg.svg_file import UNITS, SvgFile

MAX_TEXTS = 20_000
MAX_EDGE_SHIFT, MAX_LINE_STEP = 0.3, 1.7
# Parts of a text nearer than this share of the size are one word, because widths are estimated.
MIN_GAP, MAX_SHIFT = 0.2, 0.6
MAX_PLACE = 1e6
MAX_DEPTH, MAX_USES = 100, 5_000
MAX_STYLE_CHARACTERS, MAX_FONT_CHARACTERS = 500_000, 500
_ADVANCE = 0.52  # of the size, the mean of letters in usual fonts
_WIDE_ADVANCE = 1.0  # of Chinese, Japanese and Korean characters
_ASCENT, _DESCENT = 0.8, 0.2
_DEFAULT_SIZE = 16.0
_NOT_DRAWN = frozenset(
    ("defs", "symbol", "clipPath", "mask", "pattern", "marker", "metadata", "title", "desc", "style")
)
_TRANSFORM = re.compile(r"(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^()]*)\)")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_LENGTH = re.compile(rf"({_NUMBER.pattern})\s*([a-z]*)")
_NAMED_SIZES = {"xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0}
_READ = (
    "font-size",
    "font-weight",
    "font-style",
    "text-anchor",
    "display",
    "visibility",
    "fill-opacity",
    "opacity",
)
Matrix = tuple[float, float, float, float, float, float]
Style = dict[str, str]


class _SvgPlace(NamedTuple):
    """Where and how the next text is drawn: its matrix, its style and its depth."""

    matrix: Matrix
    style: Style
    depth: int = 0


class SvgText(NamedTuple):
    """``texts``: the lines of each text element, in points of the page. ``hidden``: the text that is not shown.

    ``is_cut``: there is more text.
    """

    texts: list[list[Line]]
    hidden: list[str]
    is_cut: bool


def read(picture: SvgFile) -> SvgText:
    """Return the text of the picture."""
    reader = _SvgReader(picture)
    start: Matrix = (picture.scale, 0.0, 0.0, picture.scale, picture.left, picture.top)
    place = _SvgPlace(start, reader.styled(picture.root, {}))
    for child in picture.root:
        reader.read(child, place)
    return SvgText(reader.texts[:MAX_TEXTS], reader.hidden, reader.is_cut or len(reader.texts) > MAX_TEXTS)


def blocks_of(texts: list[list[Line]]) -> list[Block]:
    """Return a paragraph for each text element; elements of one line each that follow below each other are one."""
    paragraphs: list[list[Line]] = []
    for lines in texts:
        if paragraphs and len(lines) == 1 and _continues(paragraphs[-1][-1], lines[0]):
            paragraphs[-1] += lines
        else:
            paragraphs.append(list(lines))
    return [
        Block(
            type=BlockType.PARAGRAPH,
            box=union(line.box for line in lines),
            text=" ".join(line.text for line in lines),
            lines=tuple(lines),
        )
        for lines in paragraphs
    ]


def _continues(above: Line, line: Line) -> bool:
    size = line.size
    return (
        abs(above.size - size) < 0.05 * size
        and above.bold == line.bold
        and abs(above.box.x0 - line.box.x0) < MAX_EDGE_SHIFT * size
        and 0.5 * size < line.box.top - above.box.top < MAX_LINE_STEP * size
    )


class _SvgReader:
    def __init__(self, picture: SvgFile) -> None:
        self.texts: list[list[Line]] = []
        self.hidden: list[str] = []
        self._known = {element.get("id"): element for element in picture.root.iter("{*}*") if element.get("id")}
        self._rules = dict(_rules(picture.root))
        self._uses, self.is_cut = 0, False

    def read(self, element: Element, place: _SvgPlace) -> None:
        """Read an element and what is inside of it."""
        name = local_name(element)
        if place.depth > MAX_DEPTH or len(self.texts) > MAX_TEXTS:
            self.is_cut = True
            return
        if name in _NOT_DRAWN:
            return
        matrix = _times(place.matrix, _matrix(element.get("transform")))
        inner = _SvgPlace(matrix, self.styled(element, place.style), place.depth + 1)
        if name == "text":
            self._text(element, inner)
        elif name == "foreignObject":
            size = float(inner.style.get("font-size", _DEFAULT_SIZE))
            self._add([("".join(element.itertext()), (_number(element, "x"), _number(element, "y") + size))], inner)
        elif name == "use":
            self._use(element, inner)
        else:
            if name == "svg":
                moved = (1.0, 0.0, 0.0, 1.0, _number(element, "x"), _number(element, "y"))
                inner = inner._replace(matrix=_times(matrix, moved))
            for child in element:
                self.read(child, inner)

    def styled(self, element: Element, style: Style) -> Style:
        """Return the style of an element: inherited, its attributes, its classes, and its own style."""
        own = {name: element.get(name) for name in _READ if element.get(name)}
        names = [local_name(element), *(f".{name}" for name in (element.get("class") or "").split())]
        for name in [*names, f"#{element.get('id')}"]:
            own |= self._rules.get(name, {})
        own |= _declarations(element.get("style") or "")
        if "font-size" in own:
            own["font-size"] = str(_size(own["font-size"], float(style.get("font-size", _DEFAULT_SIZE))))
        kept = {name: value for name, value in style.items() if name != "opacity"}
        if style.get("display") == "none" or style.get("opacity") == "0":
            own["display"] = "none"
        return {**kept, **own}

    def _use(self, element: Element, place: _SvgPlace) -> None:
        self._uses += 1
        address = next((value for name, value in element.attrib.items() if name.rpartition("}")[2] == "href"), "")
        target = self._known.get(address.strip().lstrip("#"))
        if target is None or self._uses > MAX_USES:
            self.is_cut = self.is_cut or self._uses > MAX_USES
            return
        moved = (1.0, 0.0, 0.0, 1.0, _number(element, "x"), _number(element, "y"))
        place = place._replace(matrix=_times(place.matrix, moved))
        if local_name(target) == "symbol":
            for child in target:
                self.read(child, place)
        else:
            self.read(target, place)

    def _text(self, element: Element, place: _SvgPlace) -> None:
        """Read a text: its parts begin where an element gives them a place."""
        parts: list[tuple[str, tuple[float, float]]] = []
        start = _number(element, "x") + _number(element, "dx"), _number(element, "y") + _number(element, "dy")
        shown = place
        for text, style, at in self._parts(element, place.style, start, place.depth):
            if _is_unseen(style):
                self._hide(text)
                continue
            if not parts:
                shown = place._replace(style=style)
            if parts and (at is None or at == parts[-1][1]):
                parts[-1] = (parts[-1][0] + text, parts[-1][1])
            elif text.strip():
                parts.append((text, at or start))
        self._add(parts, shown)

    def _parts(
        self, element: Element, style: Style, at: tuple[float, float], depth: int
    ) -> Iterator[tuple[str, Style, tuple[float, float] | None]]:
        """Yield the texts inside an element, each with its style, and with its place where that is given."""
        if element.text:
            yield element.text, style, at
        for child in element:
            inner = self.styled(child, style)
            has_place = child.get("x") is not None or child.get("y") is not None or _number(child, "dy")
            if has_place:
                at = (
                    _number(child, "x") if child.get("x") is not None else at[0],
                    (_number(child, "y") if child.get("y") is not None else at[1]) + _number(child, "dy"),
                )
            if depth < MAX_DEPTH:
                for text, own, place in self._parts(child, inner, at, depth + 1):
                    yield text, own, place if has_place else None
            elif any(text.strip() for text in child.itertext()):
                self.is_cut = True
            if child.tail:
                yield child.tail, style, None

    def _hide(self, text: str) -> None:
        if text := " ".join(clean(text).split()):
            self.hidden.append(text)

    def _add(self, parts: list[tuple[str, tuple[float, float]]], place: _SvgPlace) -> None:
        """Add a text: its parts with the places of their first characters. Parts on one line are joined."""
        lines: list[Line] = []
        for text, (x, y) in parts:
            text = " ".join(clean(text).split())
            if not text:
                continue
            line = None if _is_unseen(place.style) else _line(text, place, x, y)
            if line is None:
                self.hidden.append(text)
            elif lines and abs(lines[-1].box.top - line.box.top) < MAX_SHIFT * line.size:
                gap = " " if line.box.x0 - lines[-1].box.x1 > MIN_GAP * line.size else ""
                lines[-1] = msgspec.structs.replace(
                    lines[-1], text=lines[-1].text + gap + line.text, box=union((lines[-1].box, line.box))
                )
            else:
                lines.append(line)
        if lines:
            self.texts.append(lines)


def _line(text: str, place: _SvgPlace, x: float, y: float) -> Line | None:
    """Return a line of text at a place, None if its place is no number that a page has."""
    style = place.style
    size = float(style.get("font-size", _DEFAULT_SIZE))
    width = sum(_WIDE_ADVANCE if ord(character) > 0x2E80 else _ADVANCE for character in text) * size
    x -= {"middle": width / 2, "end": width}.get(style.get("text-anchor", ""), 0.0)
    top, bottom = y - _ASCENT * size, y + _DESCENT * size
    corners = [_moved(place.matrix, *at) for at in ((x, top), (x + width, top), (x, bottom), (x + width, bottom))]
    across, down = [corner[0] for corner in corners], [corner[1] for corner in corners]
    if not all(math.isfinite(value) and abs(value) < MAX_PLACE for value in (*across, *down)):
        return None
    a, b, c, d, _e, _f = place.matrix
    weight = style.get("font-weight", "")
    return Line(
        text=text,
        box=Box(min(across), min(down), max(across), max(down)),
        size=round(size * abs(a * d - b * c) ** 0.5, 2),
        bold=weight in ("bold", "bolder") or (weight.isdigit() and int(weight) >= 600),
        italic=style.get("font-style") in ("italic", "oblique"),
    )


def _is_unseen(style: Style) -> bool:
    is_hidden = style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse")
    return is_hidden or style.get("opacity") == "0" or style.get("fill-opacity") == "0"


def _size(text: str, inherited: float) -> float:
    found = _NUMBER.match(text.strip())
    if found is None:
        return _NAMED_SIZES.get(text.strip(), inherited)
    unit = text.strip()[found.end() :].strip()
    relative = {"em": inherited, "ex": inherited / 2, "%": inherited / 100, "rem": _DEFAULT_SIZE}
    scale = relative.get(unit) or UNITS.get(unit, 1.0)
    return min(10_000.0, max(0.01, float(found[0]) * scale))


def _declarations(text: str) -> Style:
    pairs = (entry.partition(":") for entry in text.split(";"))
    found = {name.strip().lower(): value.strip().removesuffix("!important").strip() for name, _colon, value in pairs}
    if (font := found.pop("font", "")) and (size := re.search(r"([\d.]+(?:px|pt|em|%))", font[:MAX_FONT_CHARACTERS])):
        found.setdefault("font-size", size[1])
        if "bold" in font:
            found.setdefault("font-weight", "bold")
    return {name: value for name, value in found.items() if name in _READ and value}


def _rules(root: Element) -> Iterator[tuple[str, Style]]:
    """Yield the rules of style sheets for one element, class or id; others are not followed."""
    for sheet in root.iter("{*}style"):
        for rule in (sheet.text or "")[:MAX_STYLE_CHARACTERS].split("}")[:-1]:
            *before, declarations = rule.split("{")
            style = _declarations(declarations)
            for selector in before[-1].split(",") if before else ():
                yield re.sub(r"^\w+(?=\.)", "", selector.strip()), style


def _number(element: Element, name: str) -> float:
    """Return the first length of an attribute in pixels; "2em" counts in sizes of usual letters."""
    found = _LENGTH.search(element.get(name) or "")
    return float(found[1]) * UNITS.get(found[2], 1.0) if found else 0.0


def _matrix(text: str | None) -> Matrix:
    """Return what a ``transform`` does."""
    result: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    for kind, arguments in _TRANSFORM.findall(text or ""):
        values = [float(number) for number in _NUMBER.findall(arguments)]
        if values or kind != "matrix":
            result = _times(result, _single(kind, [*values, *([0.0] * 6)], len(values)))
    return result


def _single(kind: str, values: list[float], count: int) -> Matrix:
    first, second = values[0], values[1]
    if kind == "matrix" and count == 6:
        return (values[0], values[1], values[2], values[3], values[4], values[5])
    if kind == "translate":
        return (1.0, 0.0, 0.0, 1.0, first, second)
    if kind == "scale" and count:
        return (first, 0.0, 0.0, second if count > 1 else first, 0.0, 0.0)
    angle = math.radians(first) if abs(first) < 1e6 else 0.0
    if kind == "rotate":
        cosine, sine = math.cos(angle), math.sin(angle)
        turned: Matrix = (cosine, sine, -sine, cosine, 0.0, 0.0)
        x, y = values[1], values[2]
        return _times(_times((1.0, 0.0, 0.0, 1.0, x, y), turned), (1.0, 0.0, 0.0, 1.0, -x, -y)) if count > 2 else turned
    if kind == "skewX":
        return (1.0, 0.0, math.tan(angle), 1.0, 0.0, 0.0)
    if kind == "skewY":
        return (1.0, math.tan(angle), 0.0, 1.0, 0.0, 0.0)
    return (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def _times(left: Matrix, right: Matrix) -> Matrix:
    a, b, c, d, e, f = left
    g, h, i, j, k, m = right
    return (a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * m + e, b * k + d * m + f)


def _moved(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
