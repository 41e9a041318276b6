"""Collect the text of one block or cell while its markup is read, with the styles of its parts."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from apps.pages.layout.text.hyphenation import joined_lines
from apps.pages.layout.text.inline_spans import moved
from apps.pages.model.blocks import TextSpan
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.shifted_text import shifted

# Longer text above or below the line is a note or a mistake, and stays on the line.
MAX_SHIFTED_CHARACTERS = 24
_PLAIN = TextSpan(0, 0)
_BLANKS = re.compile(r"[ \t]+")
STYLES: dict[str, dict[str, Any]] = {
    "b": {"bold": True},
    "strong": {"bold": True},
    "em": {"italic": True},
    "i": {"italic": True},
    "del": {"struck": True},
    "s": {"struck": True},
    "strike": {"struck": True},
    "code": {"code": True},
    "kbd": {"code": True},
    "samp": {"code": True},
    "tt": {"code": True},
    "sup": {"level": 1},
    "sub": {"level": -1},
}
"""What an element of HTML changes in the text inside it."""
StyledLine = tuple[str, tuple[TextSpan, ...]]


class StyledText:
    """A text with styles. ``pictures``: the descriptions of the pictures inside it."""

    def __init__(self) -> None:
        self.pictures: list[str] = []
        self._pieces: list[tuple[str, TextSpan]] = []
        self._open: list[tuple[str, dict[str, Any]]] = []

    def open(self, tag: str, address: str = "") -> None:
        """Begin an element. ``address``: where a link (``a``) leads to; one that a browser would run is left out."""
        if tag == "a":
            self._open.append((tag, {"url": address} if is_shown_address(address) else {}))
        elif tag in STYLES:
            self._open.append((tag, STYLES[tag]))

    def close(self, tag: str) -> None:
        """End the last open element of this name. Elements may be closed in any order."""
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place]
                return

    def add(self, text: str, **style: Any) -> None:
        """Append text in the styles that are open; a newline ends a line. ``style``: further fields of TextSpan."""
        for _, changes in self._open:
            style = {**changes, **style}
        if style.get("level"):
            bare = text.strip()
            if not bare or len(bare) > MAX_SHIFTED_CHARACTERS:
                del style["level"]
            else:
                text = text.replace(bare, shifted(bare, raised=style["level"] > 0))
        self._pieces.append((text, TextSpan(0, 0, **style) if style else _PLAIN))

    def restart(self) -> None:
        """Begin an empty text. What is open stays open."""
        self.pictures, self._pieces = [], []

    def add_picture(self, description: str) -> None:
        """Note the description of a picture, which is not a part of the text."""
        description = " ".join(description.split())
        if description:
            self.pictures.append(description)

    def lines(self) -> list[StyledLine]:
        """Return the lines that have text, each with its spans. Several blanks become one."""
        lines: list[StyledLine] = []
        text, spans = "", list[TextSpan]()
        for piece, style in [*self._pieces, ("\n", _PLAIN)]:
            for number, part in enumerate(piece.split("\n")):
                if number:
                    text = text.rstrip(" ")
                    if text:
                        lines.append((text, _within(spans, len(text))))
                    text, spans = "", []
                part = _BLANKS.sub(" ", part)
                part = part.lstrip(" ") if not text or text.endswith(" ") else part
                if part and style is not _PLAIN:
                    span = msgspec.structs.replace(style, start=len(text), end=len(text) + len(part))
                    last = spans[-1] if spans and spans[-1].end == span.start else None
                    if last and msgspec.structs.replace(last, start=0, end=0) == style and not style.latex:
                        span = msgspec.structs.replace(span, start=spans.pop().start)
                    spans.append(span)
                text += part
        return lines

    def joined(self, separator: str = "") -> StyledLine:
        """Return the lines as one text. Without a separator they are lines of a paragraph: hyphens are healed."""
        if len(self._pieces) == 1:
            text, style = self._pieces[0]
            if style is _PLAIN and "\n" not in text:
                return _BLANKS.sub(" ", text).strip(" "), ()
        text, spans = "", tuple[TextSpan, ...]()
        for line, more in self.lines():
            if not text:
                text, spans = line, more
                continue
            text = f"{text}{separator}{line}" if separator else joined_lines(text, line)
            spans = (*_within(spans, len(text) - len(line)), *moved(more, len(text) - len(line)))
        return text, spans


def _within(spans: list[TextSpan] | tuple[TextSpan, ...], length: int) -> tuple[TextSpan, ...]:
    """Return the spans cut at the end of their text."""
    return tuple(
        span if span.end <= length else msgspec.structs.replace(span, end=length)
        for span in spans
        if span.start < length
    )
