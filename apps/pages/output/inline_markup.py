"""Render a text with spans as the inside of a Markdown line or of an HTML element."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from html import escape
from itertools import groupby

import msgspec

from apps.pages.model.blocks import TextSpan
from apps.pages.model.text.scripts import is_unspaced
from apps.pages.model.text.shifted_text import on_the_line

# A tag, comment or entity has one of these after its first sign. Elsewhere < and & are harmless and stay readable.
_TAG = re.compile(r"<(?=[a-zA-Z/!?])")
_ENTITY = re.compile(r"&(?=#?\w{1,31};)")
_INLINE = re.compile(r"`|\\(?=[!-/:-@\[-`{-~])|\*(?=\S)|(?<=\S)\*|(?<![^\W_])_(?=\S)|(?<=\S)_(?![^\W_])|~~")
# Beside markup a sign has other neighbours than in its piece of the text, so that fewer are harmless.
_BESIDE_MARKUP = re.compile(
    r"`|\\(?=[!-/:-@\[-`{-~]|$)|\*|(?<![^\W_])_|_(?![^\W_])|~|\[|\]|<(?=[a-zA-Z/!?]|$)|&(?=[#\w]|$)"
)
_ENTITIES = {"<": "&lt;", "&": "&amp;"}
# The signs that turn brackets, also nested ones, into a link.
_LINK = re.compile(r"\][(\[:]")
_MARKED = re.compile(r"[<&`\\*_~\[]")
_ADDRESS = str.maketrans(
    {"(": "%28", ")": "%29", "<": "%3C", ">": "%3E", "\\": "%5C", " ": "%20", "|": "%7C", '"': "%22"}
)
MAX_REMEMBERED_TEXTS = 256
_Piece = tuple[str, TextSpan]
_Kind = Callable[[TextSpan], object]
_TAGS: tuple[tuple[str, _Kind], ...] = (
    ("sup", lambda span: span.level > 0),
    ("sub", lambda span: span.level < 0),
    ("code", lambda span: span.code),
    ("i", lambda span: span.italic),
    ("b", lambda span: span.bold),
    ("s", lambda span: span.struck),
)
# From the outside to the inside.
_MARKERS: tuple[tuple[str, _Kind], ...] = (
    ("~~", lambda span: span.struck),
    ("**", lambda span: span.bold),
    ("*", lambda span: span.italic),
)


def escaped(text: str) -> str:
    """Escape text for the inside of a Markdown line."""
    if not _MARKED.search(text):
        return text
    text = _INLINE.sub(lambda found: "\\" + found.group(), text)
    if _LINK.search(text):
        text = text.replace("[", "\\[")
    return _TAG.sub("&lt;", _ENTITY.sub("&amp;", text))


def picture_description(text: str) -> str:
    """Escape a text for the brackets of a Markdown picture."""
    return _beside_markup(" ".join(text.split()))


def markdown(text: str, spans: Sequence[TextSpan], *, links: bool = True, emphasis: bool = True) -> str:
    """Return a text as the inside of a Markdown line. ``emphasis``: whether bold and italic parts are marked."""
    if not spans:
        return escaped(text)
    return _marked(text, tuple(spans), links=links and any(span.url for span in spans), emphasis=emphasis)


@lru_cache(MAX_REMEMBERED_TEXTS)
def _marked(text: str, spans: tuple[TextSpan, ...], *, links: bool, emphasis: bool) -> str:
    """Return a text with its spans marked. The items, the page and the document need it one after another."""
    pieces = list(_pieces(text, spans, links=links, emphasis=emphasis))
    result = ""
    for url, group in groupby(_bridged(pieces, lambda span: span.url), key=lambda pair: pair[0]):
        inside = [piece for _, piece in group]
        part = _wrapped(text, inside, [marker for marker in _MARKERS if any(marker[1](span) for _, span in inside)])
        if not url:
            result += part
            continue
        if result.endswith("!"):
            result = result[:-1] + "\\!"  # not a picture
        result += f"[{part}]({url.translate(_ADDRESS)})"
    return result


def html(text: str, spans: Sequence[TextSpan], *, links: bool = True) -> str:
    """Return a text as the inside of an HTML element."""
    if not spans:
        return escape(text, quote=False)
    parts = []
    for piece, span in _pieces(text, spans, links=links, emphasis=True):
        part = escape(on_the_line(piece) if span.level else piece, quote=False)
        for tag, is_on in _TAGS:
            part = f"<{tag}>{part}</{tag}>" if is_on(span) else part
        parts.append(f'<a href="{escape(span.url)}">{part}</a>' if span.url else part)
    return "".join(parts)


def _pieces(text: str, spans: Sequence[TextSpan], *, links: bool, emphasis: bool) -> Iterator[_Piece]:
    """Yield the whole text cut at its spans; blanks at the edges of a span are outside of it."""
    at = 0
    was_code = False
    for span in spans:
        inner = text[span.start : span.end]
        start = max(at, span.start + len(inner) - len(inner.lstrip()))
        end = span.start + len(inner.rstrip())
        if end <= start:
            continue
        if start > at:
            yield text[at:start], TextSpan(at, start)
        bold, italic, code = span.bold and emphasis, span.italic and emphasis, span.code and emphasis
        code = code and not (was_code and start == at)  # the marks of two neighbours would run together
        yield (
            text[start:end],
            TextSpan(start, end, bold, italic, span.struck, code, span.level, span.url if links else "", span.latex),
        )
        at, was_code = end, code
    if at < len(text):
        yield text[at:], TextSpan(at, len(text))


def _bridged(pieces: Sequence[_Piece], kind: _Kind) -> list[tuple[object, _Piece]]:
    """Return the pieces with their kind; blanks between two pieces of one kind are of it, too."""
    kinds = [kind(span) for _, span in pieces]
    for index in range(1, len(pieces) - 1):
        if not pieces[index][0].strip() and kinds[index - 1] == kinds[index + 1]:
            kinds[index] = kinds[index - 1]
    return list(zip(kinds, pieces, strict=True))


def _wrapped(text: str, pieces: Sequence[_Piece], markers: Sequence[tuple[str, _Kind]]) -> str:
    """Return pieces of a text with the markers of these kinds, the first outermost."""
    if not markers:
        return "".join(_plain(text, piece, span) for piece, span in pieces)
    marker, kind = markers[0]
    result = ""
    for is_on, group in groupby(_bridged(pieces, kind), key=lambda pair: pair[0]):
        inner = [piece for _, piece in group]
        start, end = inner[0][1].start, inner[-1][1].end
        place = _markable(text, start, end) if is_on else None
        if place is None:
            result += _wrapped(text, inner, markers[1:])
            continue
        before, inside, after = _cut(inner, *place)
        # A second marker between this one and a letter outside would make both of them text.
        in_word = text[place[0] - 1 : place[0]].isalnum() or text[place[1] : place[1] + 1].isalnum()
        result += _wrapped(text, before, markers[1:]) + marker
        result += _wrapped(text, inside, () if in_word else markers[1:]) + marker + _wrapped(text, after, markers[1:])
    return result


def _markable(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the part of a stretch that can have markers around it (CommonMark 6.2); None when no part can.

    A marker beside a letter outside needs a letter inside, and inside a word it would not be seen as a marker.
    """
    before, after = text[start - 1 : start], text[end : end + 1]
    while start < end and before.isalnum() and not text[start].isalnum():
        before, start = text[start], start + 1
    while start < end and after.isalnum() and not text[end - 1].isalnum():
        after, end = text[end - 1], end - 1
    if start >= end or text[start].isspace() or text[end - 1].isspace():
        return None
    splits = (before.isalnum() and not _is_open(before, text[start])) or (
        after.isalnum() and not _is_open(after, text[end - 1])
    )
    return None if splits else (start, end)


def _is_open(outside: str, inside: str) -> bool:
    """Return True if no word goes on here: writing without spaces."""
    return is_unspaced(outside) or is_unspaced(inside)


def _cut(pieces: Sequence[_Piece], start: int, end: int) -> tuple[list[_Piece], list[_Piece], list[_Piece]]:
    """Return the pieces before, inside and after a stretch."""
    parts: tuple[list[_Piece], list[_Piece], list[_Piece]] = ([], [], [])
    for piece, span in pieces:
        for part, low, high in zip(parts, (0, start, end), (start, end, span.end), strict=True):
            low, high = max(low, span.start), min(high, span.end)
            if low < high:
                cut = msgspec.structs.replace(span, start=low, end=high)
                part.append((piece[low - span.start : high - span.start], cut))
    return parts


def _plain(text: str, piece: str, span: TextSpan) -> str:
    if span.latex:
        return piece
    if span.level:
        tag = "sup" if span.level > 0 else "sub"
        return f"<{tag}>{_beside_markup(on_the_line(piece))}</{tag}>"
    if span.code and "`" not in piece and not _is_inside_word(text, span):
        return f"`{piece}`"
    return _beside_markup(piece)


def _is_inside_word(text: str, span: TextSpan) -> bool:
    before, after = text[span.start - 1 : span.start], text[span.end : span.end + 1]
    return (before.isalnum() and text[span.start].isalnum()) or (after.isalnum() and text[span.end - 1].isalnum())


def _beside_markup(text: str) -> str:
    return _BESIDE_MARKUP.sub(lambda found: _ENTITIES.get(found.group(), "\\" + found.group()), text)
