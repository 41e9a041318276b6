"""Read the text of shapes (a:txBody and the like): paragraphs with their levels, bullets and spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from apps.pages.model.blocks import TextSpan
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.safe_text import clean
from apps.pages.office import symbol_fonts
from apps.pages.office.equations import omml
from apps.pages.office.xml_parts import Element, Relationship, attribute, local_name


class ShapeParagraph(NamedTuple):
    """``level``: from 0. ``bullet``: what is before a list item; "" for none, None where the file leaves it open.

    ``numbering``: the scheme of automatic numbers, such as "arabicPeriod", and the first number.
    """

    text: str
    spans: tuple[TextSpan, ...] = ()
    level: int = 0
    bullet: str | None = None
    numbering: tuple[str, int] | None = None


def paragraphs_of(body: Element | None, links: Mapping[str, Relationship] | None = None) -> list[ShapeParagraph]:
    """Return the paragraphs of a text body that have text. ``links``: the relationships of its part."""
    return (
        [found for element in body.iterfind("{*}p") if (found := _paragraph(element, links or {})).text]
        if body is not None
        else []
    )


def _paragraph(element: Element, links: Mapping[str, Relationship]) -> ShapeParagraph:
    pieces: list[tuple[str, dict[str, object]]] = []
    for child in element:
        kind = local_name(child)
        if kind in ("r", "fld"):
            properties = child.find("{*}rPr")
            pieces.append((clean(_signs(child.findtext("{*}t") or "", properties)), _look(properties, links)))
        elif kind == "br":
            pieces.append(("\n", {}))
        elif kind == "m":
            for equation in child.iter("{*}oMath"):
                pieces.append((f"${clean(omml.latex(equation))}$", {"latex": True}))
    whole = "".join(text for text, _look in pieces)
    indent = len(whole) - len(whole.lstrip())
    text = whole.strip()
    spans: list[tuple[int, int, dict[str, object]]] = []
    place = -indent
    for piece, look in pieces:
        start, end = max(0, place), min(len(text), place + len(piece))
        place += len(piece)
        if look and start < end and text[start:end].strip():
            if spans and spans[-1][1] == start and spans[-1][2] == look:
                spans[-1] = (spans[-1][0], end, look)
            else:
                spans.append((start, end, look))
    properties = element.find("{*}pPr")
    level, bullet, numbering = 0, None, None
    if properties is not None:
        level = min(8, _integer(properties.get("lvl")))
        bullet, numbering = bullet_of(properties)
    made = tuple(TextSpan(start, end, **look) for start, end, look in spans)  # type: ignore[arg-type]
    return ShapeParagraph(text, made, level, bullet, numbering)


def bullet_of(properties: Element) -> tuple[str | None, tuple[str, int] | None]:
    """Return the bullet and the numbering that the properties of paragraphs give; None, None if they leave it open."""
    for child in properties:
        kind = local_name(child)
        if kind == "buNone":
            return "", None
        if kind in ("buChar", "buBlip"):
            return "-", None
        if kind == "buAutoNum":
            return "1", (child.get("type", "arabicPeriod"), _integer(child.get("startAt"), 1))
    return None, None


def _signs(text: str, properties: Element | None) -> str:
    """Return the text of a run, in Unicode where it is set in a symbol font."""
    fonts = {name: properties.find(f"{{*}}{name}") for name in ("latin", "sym")} if properties is not None else {}
    for name, font in fonts.items():
        if font is not None:
            text = symbol_fonts.written(text, font.get("typeface", ""), private_only=name == "sym")
    return text


def _look(properties: Element | None, links: Mapping[str, Relationship]) -> dict[str, object]:
    if properties is None:
        return {}
    look: dict[str, object] = {}
    if properties.get("b") in ("1", "true"):
        look["bold"] = True
    if properties.get("i") in ("1", "true"):
        look["italic"] = True
    if properties.get("strike", "noStrike") != "noStrike":
        look["struck"] = True
    raised = _integer(properties.get("baseline"))
    if raised:
        look["level"] = 1 if raised > 0 else -1
    click = properties.find("{*}hlinkClick")
    if click is not None:
        found = links.get(attribute(click, "id"))
        if found and found.is_external and is_shown_address(found.target):
            look["url"] = found.target
    return look


def _integer(value: str | None, default: int = 0) -> int:
    try:
        return int(float(value)) if value else default
    except (ValueError, OverflowError):
        return default


def joined(paragraphs: Sequence[ShapeParagraph], separator: str) -> tuple[str, tuple[TextSpan, ...]]:
    """Return paragraphs as one text, with their spans."""
    texts: list[str] = []
    spans: list[TextSpan] = []
    place = 0
    for paragraph in paragraphs:
        spans += [
            msgspec.structs.replace(span, start=span.start + place, end=span.end + place) for span in paragraph.spans
        ]
        texts.append(paragraph.text)
        place += len(paragraph.text) + len(separator)
    return separator.join(texts), tuple(spans)
