"""The styles of an Open XML text: what a paragraph is, and how its characters are set apart."""

from __future__ import annotations

import re
from typing import NamedTuple

from apps.pages.office.spanned_text import PLAIN, Format
from apps.pages.office.words.parts import W, is_on, number, value
from apps.pages.office.xml_parts import Element

MAX_INHERITANCE = 20
_TITLES = ("title", "titel", "titre", "título", "titolo")
BODY_TEXT = 9
"""The outline level of paragraphs that are no headings."""
# Word keeps the English names of its own styles in files of every language; other programs translate them.
_HEADING = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|kop|rubrik|overskrift|otsikko|nagłówek|nadpis|заголовок|标题|見出し|제목)"
    r"\s*([1-9])\b"
)
_CODE = re.compile(
    r"(?:(?:html |source ?|inline )?code(?: block| char| example| text)?|(?:html )?preformatted(?: text)?(?: char)?"
    r"|verbatim(?: char)?|(?:program |source )?listing|macro text(?: char)?)"
)
_MONOSPACED = ("courier", "consolas", "monaco", "menlo", "mono", "lucida console", "cascadia")


class ParagraphStyle(NamedTuple):
    """``level``: of a heading, 0 for none; a title has 1. ``numbering``: number ("" for none) and level of its list."""

    level: int = 0
    numbering: tuple[str, int] = ("", 0)
    is_title: bool = False
    is_caption: bool = False
    is_code: bool = False
    is_quote: bool = False
    breaks_page: bool = False
    characters: Format = PLAIN


class Styles:
    """``characters``: the format that a style of characters gives."""

    def __init__(self, root: Element | None) -> None:
        self._elements: dict[str, Element] = {}
        self._default = ""
        for element in root.iter(f"{W}style") if root is not None else ():
            identity = element.get(f"{W}styleId", "")
            self._elements[identity] = element
            if element.get(f"{W}type") == "paragraph" and element.get(f"{W}default") in ("1", "true", "on"):
                self._default = identity
        self._paragraphs: dict[str, ParagraphStyle] = {}
        self._characters: dict[str, Format] = {}

    def paragraph(self, identity: str) -> ParagraphStyle:
        identity = identity or self._default
        if identity not in self._paragraphs:
            self._paragraphs[identity] = self._resolved(identity)
        return self._paragraphs[identity]

    def characters(self, identity: str) -> Format:
        if identity not in self._characters:
            style = PLAIN
            for element in reversed(self._chain(identity)):
                style = format_of(element.find(f"{W}rPr"), style)
                if _CODE.fullmatch(_name(element)):
                    style = style._replace(code=True)
            self._characters[identity] = style
        return self._characters[identity]

    def list_of_style(self, identity: str) -> str:
        """Return the number of the list that a style of lists refers to."""
        element = self._elements.get(identity)
        properties = element.find(f"{W}pPr") if element is not None else None
        return value(properties.find(f"{W}numPr"), "numId") if properties is not None else ""

    def _chain(self, identity: str) -> list[Element]:
        """Return a style and those that it is based on."""
        chain: list[Element] = []
        while identity in self._elements and len(chain) < MAX_INHERITANCE:
            chain.append(self._elements[identity])
            identity = value(chain[-1], "basedOn")
        return chain

    def _resolved(self, identity: str) -> ParagraphStyle:
        level, list_number, list_level = 0, "", -1
        breaks: bool | None = None
        outline = ""
        chain = self._chain(identity)
        for element in chain:
            properties = element.find(f"{W}pPr")
            outline = outline or value(properties, "outlineLvl")
            breaks = is_on(properties, "pageBreakBefore") if breaks is None else breaks
            numbering = properties.find(f"{W}numPr") if properties is not None else None
            list_number = list_number or value(numbering, "numId")
            if list_level < 0 and (text := value(numbering, "ilvl")):
                list_level = number(text)
            level = level or heading_level(_name(element))
        if outline and number(outline, BODY_TEXT) < BODY_TEXT:
            level = level or number(outline) + 1
        names = [_name(element) for element in chain]
        characters = PLAIN
        for element in reversed(chain):
            characters = format_of(element.find(f"{W}rPr"), characters)
        return ParagraphStyle(
            level=min(level, 6),
            numbering=(list_number, max(0, list_level)),
            is_title=bool(names) and names[0] in _TITLES,
            is_caption=any(name.startswith("caption") for name in names),
            is_code=any(_CODE.fullmatch(name) for name in names),
            is_quote=any(name in ("quote", "intense quote", "block text", "quotations") for name in names),
            breaks_page=bool(breaks),
            characters=PLAIN if level else characters,
        )


def heading_level(name: str) -> int:
    """Return the level of a heading by the name of its style, 0 for any other style."""
    if name in _TITLES:
        return 1
    found = _HEADING.match(name)
    return int(found.group(1)) if found else 0


def format_of(properties: Element | None, base: Format) -> Format:
    """Return the format of characters with these properties."""
    if properties is None:
        return base
    bold, italic = is_on(properties, "b"), is_on(properties, "i")
    struck = is_on(properties, "strike")
    struck = is_on(properties, "dstrike") if struck is None else struck
    place = value(properties, "vertAlign")
    level = {"superscript": 1, "subscript": -1, "baseline": 0}.get(place, base.level)
    return base._replace(
        bold=base.bold if bold is None else bold,
        italic=base.italic if italic is None else italic,
        struck=base.struck if struck is None else struck,
        level=level,
    )


def is_monospaced(properties: Element | None) -> bool:
    fonts = properties.find(f"{W}rFonts") if properties is not None else None
    name = fonts.get(f"{W}ascii", "").lower() if fonts is not None else ""
    return any(part in name for part in _MONOSPACED)


def _name(element: Element) -> str:
    return value(element, "name").strip().lower()
