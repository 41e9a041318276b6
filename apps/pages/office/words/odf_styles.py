"""The styles of OpenDocument texts (ODF 1.3 part 3, section 16): headings, formats of characters, lists."""

from __future__ import annotations

from typing import NamedTuple

from apps.pages.office.numerals import numeral
from apps.pages.office.spanned_text import PLAIN, Format
from apps.pages.office.words.parts import number
from apps.pages.office.words.styles import MAX_INHERITANCE, heading_level
from apps.pages.office.xml_parts import Element, attribute, local_name

BULLET = "-"
_KINDS = {"1": "decimal", "i": "lowerRoman", "I": "upperRoman", "a": "lowerLetter", "A": "upperLetter", "": "none"}
_MONOSPACED = ("courier", "consolas", "mono", "menlo")


class OdfStyle(NamedTuple):
    """``names``: of the style and those that it is based on, in small letters."""

    names: tuple[str, ...] = ()
    level: int = 0
    breaks_page: bool = False
    list_style: str = ""
    is_monospaced: bool = False
    characters: Format = PLAIN

    @property
    def is_title(self) -> bool:
        return "title" in self.names[:2]

    @property
    def is_code(self) -> bool:
        return any("preformatted" in name or name.startswith(("source", "code")) for name in self.names)

    @property
    def is_quote(self) -> bool:
        return any("quotation" in name for name in self.names)

    @property
    def is_caption(self) -> bool:
        captions = ("caption", "illustration", "table", "figure", "drawing")
        return any(name in captions for name in self.names)


class OdfLevel(NamedTuple):
    """``shown``: how many levels a number has: "2.1" has two."""

    kind: str
    prefix: str = ""
    suffix: str = ""
    start: int = 1
    shown: int = 1


class OdfStyles:
    """The styles of all parts of a document. ``lists``: levels by the name of their list style; "" for headings."""

    def __init__(self, *roots: Element | None) -> None:
        self._elements: dict[str, Element] = {}
        self._known: dict[str, OdfStyle] = {}
        self.lists: dict[str, dict[int, OdfLevel]] = {}
        for root in roots:
            if root is None:
                continue
            for element in root.iter("{*}style", "{*}list-style", "{*}outline-style"):
                name = local_name(element)
                if name == "style":
                    self._elements[attribute(element, "name")] = element
                else:
                    self.lists[attribute(element, "name") if name == "list-style" else ""] = _levels(element)

    def style(self, name: str) -> OdfStyle:
        if name not in self._known:
            self._known[name] = self._resolved(name)
        return self._known[name]

    def _resolved(self, name: str) -> OdfStyle:
        chain: list[Element] = []
        while name in self._elements and len(chain) < MAX_INHERITANCE:
            chain.append(self._elements[name])
            name = attribute(chain[-1], "parent-style-name")
        result = OdfStyle()
        for element in reversed(chain):
            names = tuple(
                (attribute(element, key) or "").lower().replace("_20_", " ") for key in ("display-name", "name")
            )
            properties = element.find("{*}paragraph-properties")
            own_break = attribute(properties, "break-before") if properties is not None else ""
            text = element.find("{*}text-properties")
            font = attribute(text, "font-name") or attribute(text, "font-family") if text is not None else ""
            outline = number(attribute(element, "default-outline-level"))
            result = result._replace(
                names=(*filter(None, names), *result.names),
                level=outline or next(filter(None, map(heading_level, filter(None, names))), result.level),
                # The style of a page's first paragraph names the kind of the page; it is not inherited.
                breaks_page=own_break == "page" or bool(attribute(element, "master-page-name")),
                list_style=attribute(element, "list-style-name") or result.list_style,
                is_monospaced=any(part in font.lower() for part in _MONOSPACED) if font else result.is_monospaced,
                characters=_format_of(text, result.characters),
            )
        return result


def marker_of(levels: dict[int, OdfLevel], depth: int, counts: dict[int, int]) -> str:
    """Return the marker of a list item at a level (from 1) whose levels have these counts."""
    level = levels.get(depth)
    if level is None or level.kind == "bullet":
        return BULLET
    if level.kind == "none":
        return ""
    shown = range(max(1, depth - level.shown + 1), depth + 1)
    numbers = [numeral(counts.get(place, 1), levels.get(place, level).kind) for place in shown]
    return level.prefix + ".".join(filter(None, numbers)) + level.suffix


def _levels(element: Element) -> dict[int, OdfLevel]:
    levels = {}
    for level in element:
        depth = number(attribute(level, "level"), 1)
        if local_name(level) in ("list-level-style-number", "outline-level-style"):
            levels[depth] = OdfLevel(
                kind=_KINDS.get(attribute(level, "num-format"), "decimal"),
                prefix=attribute(level, "num-prefix"),
                suffix=attribute(level, "num-suffix"),
                start=number(attribute(level, "start-value"), 1),
                shown=number(attribute(level, "display-levels"), 1),
            )
        else:
            levels[depth] = OdfLevel("bullet")
    return levels


def _format_of(properties: Element | None, base: Format) -> Format:
    if properties is None:
        return base
    weight, slant = attribute(properties, "font-weight"), attribute(properties, "font-style")
    line, place = attribute(properties, "text-line-through-style"), attribute(properties, "text-position").split(" ")[0]
    level = base.level
    if place:
        level = 1 if place == "super" else -1 if place == "sub" else (place > "0%") - place.startswith("-")
    return base._replace(
        bold=weight in ("bold", "600", "700", "800", "900") if weight else base.bold,
        italic=slant in ("italic", "oblique") if slant else base.italic,
        struck=line != "none" if line else base.struck,
        level=level,
    )
