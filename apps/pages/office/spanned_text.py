"""Collect the text of a paragraph with its formats; the result is a text and its spans."""

from __future__ import annotations

import re
from typing import NamedTuple

from apps.pages.model.blocks import TextSpan
from apps.pages.model.text.safe_text import clean

_BLANKS = re.compile(r"[ \t]+")


class Format(NamedTuple):
    """How characters are set apart from the rest; see ``TextSpan``."""

    bold: bool = False
    italic: bool = False
    struck: bool = False
    code: bool = False
    level: int = 0
    url: str = ""
    latex: bool = False


PLAIN = Format()


def combined(outer: Format, inner: Format) -> Format:
    """Return the format of characters to which both apply."""
    return Format(
        bold=outer.bold or inner.bold,
        italic=outer.italic or inner.italic,
        struck=outer.struck or inner.struck,
        code=outer.code or inner.code,
        level=inner.level or outer.level,
        url=outer.url or inner.url,
    )


Spanned = tuple[str, tuple[TextSpan, ...]]


class SpannedText:
    """Text in the order in which it is added. Neighbours of one format become one span."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, Format]] = []

    def add(self, text: str, style: Format = PLAIN) -> None:
        if text:
            self._parts.append((text, style))

    def __bool__(self) -> bool:
        return any(text.strip() for text, _style in self._parts)

    def result(self, *, keeps_blanks: bool = False) -> Spanned:
        """Return the cleaned text and its spans. Unless it ``keeps_blanks``, several blanks become one."""
        text, spans = "", list[TextSpan]()
        last = PLAIN
        for part, style in self._parts:
            added = clean(part)
            if not keeps_blanks and not style.latex:
                added = _BLANKS.sub(" ", added)
                if text[-1:] in ("", " ", "\n"):
                    added = added.lstrip(" ")
            if not added:
                continue
            start = len(text)
            text += added
            if style == PLAIN:
                pass
            elif style == last and spans and spans[-1].end == start and not style.latex:
                spans[-1] = TextSpan(spans[-1].start, len(text), *style)
            else:
                spans.append(TextSpan(start, len(text), *style))
            last = style
        kept = text.rstrip() if keeps_blanks else text.strip()
        return shifted((kept, tuple(spans)), text.find(kept) if kept else 0)


def shifted(spanned: Spanned, by: int) -> Spanned:
    """Return the spans of a text that has lost its first characters; those outside of it are left out."""
    text, spans = spanned
    moved = (TextSpan(max(0, span.start - by), min(len(text), span.end - by), *_format_of(span)) for span in spans)
    return text, tuple(span for span in moved if span.start < span.end)


def joined(parts: list[Spanned], separator: str = "\n") -> Spanned:
    """Return several texts as one."""
    text, spans = "", list[TextSpan]()
    for part, part_spans in parts:
        if text and part:
            text += separator
        spans += [TextSpan(span.start + len(text), span.end + len(text), *_format_of(span)) for span in part_spans]
        text += part
    return text, tuple(spans)


def _format_of(span: TextSpan) -> Format:
    return Format(span.bold, span.italic, span.struck, span.code, span.level, span.url, span.latex)
