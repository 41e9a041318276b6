"""Collect the text of one block as a browser shows it: blanks collapsed, with its emphasis and links."""

from __future__ import annotations

import re
from typing import NamedTuple

from apps.pages.model.blocks import TextSpan
from apps.pages.model.text.safe_text import clean
from apps.pages.office import symbol_fonts

_BLANKS = re.compile(r"[ \t\n\r\f]+")


class InlineStyle(NamedTuple):
    """How letters are set. ``keeps_blanks``: as in ``<pre>``; ``symbol_font``: the name of one, "" for other fonts."""

    bold: bool = False
    italic: bool = False
    struck: bool = False
    code: bool = False
    level: int = 0
    url: str = ""
    latex: bool = False
    keeps_blanks: bool = False
    symbol_font: str = ""


PLAIN = InlineStyle()


class InlineText:
    """The text of a block while it is read."""

    def __init__(self) -> None:
        self._pieces: list[tuple[str, InlineStyle]] = []
        self._last = "\n"  # the last character, to collapse blanks across elements

    def add(self, text: str, style: InlineStyle = PLAIN) -> None:
        if style.symbol_font:
            text = symbol_fonts.written(text, style.symbol_font)
        text = clean(text).replace("\xa0", " ") if not style.keeps_blanks else clean(text)
        if not style.keeps_blanks:
            text = _BLANKS.sub(" ", text)
            if self._last in " \n":
                text = text.lstrip(" ")
        if text:
            self._pieces.append((text, style))
            self._last = text[-1]

    def break_line(self) -> None:
        """End the line. Several ends in a row are kept, as ``<br><br>`` parts paragraphs."""
        if self._pieces:
            text, style = self._pieces[-1]
            self._pieces[-1] = (text if style.keeps_blanks else text.rstrip(" "), style)
            self._pieces.append(("\n", PLAIN))
            self._last = "\n"

    def end_line(self) -> None:
        """End the line if it has text."""
        if self._last != "\n":
            self.break_line()

    @property
    def is_empty(self) -> bool:
        return not any(text.strip() for text, _style in self._pieces)

    def take(self) -> tuple[str, tuple[TextSpan, ...]]:
        """Return the text without blanks at its ends, and its spans; begin again with no text."""
        pieces, self._pieces, self._last = self._pieces, [], "\n"
        whole = "".join(text for text, _style in pieces)
        start, end, at = len(whole) - len(whole.lstrip()), len(whole.rstrip()), 0
        spans = []
        for text, style in pieces:
            first, last = max(at, start), min(at + len(text), end)
            if style[:-2] != PLAIN[:-2] and first < last:
                spans.append(TextSpan(first - start, last - start, *style[:-2]))
            at += len(text)
        return whole[start:end], tuple(spans)
