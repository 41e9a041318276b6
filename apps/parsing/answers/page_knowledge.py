"""Complete the blocks of an answer with what the page itself has: links, numbers of lists, places of pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from apps.pages.model.blocks import Block, BlockType, Cell, Page, Source, TextSpan
from apps.pages.model.text import list_markers

MAX_LINKS = 300
_SCHEME = re.compile(r"^(?:https?://|ftp://|mailto:|tel:)(?:www\.)?", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
_Text = tuple[str, tuple[TextSpan, ...]]
Text = TypeVar("Text", Block, Cell)


def with_pictures_of_page(blocks: Sequence[Block]) -> list[Block]:
    """Move what the answer says of pictures to the pictures of the page, each to the nearest; others keep their place.

    ``blocks`` has both: the pictures of the answer have the source ``model``, and their description as text.
    """
    said = [
        place for place, block in enumerate(blocks) if block.type is BlockType.PICTURE and block.source is Source.MODEL
    ]
    shown = {place for place, block in enumerate(blocks) if block.type is BlockType.PICTURE} - set(said)
    result: list[Block | None] = list(blocks)
    for place in said:
        nearest = min(shown, key=lambda other: abs(other - place), default=place)
        shown.discard(nearest)
        result[place] = None
        result[nearest] = msgspec.structs.replace(blocks[nearest], text="", description=blocks[place].text)
    return [block for block in result if block is not None]


def with_list_numbers_of_page(page: Page, blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with the numbers that the text layer prints before their first lines.

    Markdown numbers lists anew, and a model counts on where the page does not.
    """
    printed = {
        block.lines[0].box: block.marker
        for block in page.blocks
        if block.lines and block.source is Source.TEXT_LAYER and list_markers.is_ordered(block.marker)
    }
    return [
        msgspec.structs.replace(block, marker=printed[block.lines[0].box])
        if block.type is BlockType.LIST_ITEM and block.lines and block.lines[0].box in printed
        else block
        for block in blocks
    ]


def with_links_of_page(page: Page, blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with the links of the page, and without links to addresses that the page does not have.

    The text of a page can make a model write an address. It is kept if the page links to it or prints it. A model that
    sees a picture of the page cannot know where its links lead to, so they are added where their text is.
    """
    links = [
        (block, text[span.start : span.end], span.url)
        for block in page.blocks
        for text, spans in _texts(block)
        for span in spans
        if span.url
    ][:MAX_LINKS]
    has_links = any(span.url for block in blocks for _, spans in _texts(block) for span in spans)
    if not links and not has_links:
        return list(blocks)
    printed = _BLANKS.sub("", "".join(text for block in page.blocks for text, _ in _texts(block))).casefold()
    known = {_bare(url) for _, _, url in links}

    def checked(text: Text, near: Sequence[tuple[str, str]]) -> Text:
        spans = text.spans
        for span in spans:
            if span.url:
                bare = _bare(span.url)
                if not (bare in known or bare in printed or bare == _bare(text.text[span.start : span.end])):
                    spans = _linked(spans, span.start, span.end, "")
        for words, url in near:
            place = text.text.find(words)
            while place >= 0 and any(span.url and span.start <= place < span.end for span in spans):
                place = text.text.find(words, place + 1)
            if place >= 0:
                spans = _linked(spans, place, place + len(words), url)
        return text if spans is text.spans else msgspec.structs.replace(text, spans=spans)

    result = []
    for block in blocks:
        near = [(words, url) for other, words, url in links if other.box.overlaps(block.box)]
        cells = tuple(checked(cell, near) for cell in block.cells)
        result.append(msgspec.structs.replace(checked(block, near), cells=cells))
    return result


def _texts(block: Block) -> Iterator[_Text]:
    yield block.text, block.spans
    for cell in block.cells:
        yield cell.text, cell.spans


def _bare(address: str) -> str:
    """Return an address as people print it."""
    return _SCHEME.sub("", _BLANKS.sub("", address)).casefold().rstrip("/")


def _linked(spans: Sequence[TextSpan], start: int, end: int, url: str) -> tuple[TextSpan, ...]:
    """Return the spans with the link of a part of the text replaced. ``url``: "" for no link."""
    result: list[TextSpan] = []
    at = start
    for span in spans:
        for low, high in ((span.start, min(span.end, start)), (max(span.start, end), span.end)):
            if low < high:
                result.append(msgspec.structs.replace(span, start=low, end=high))
        low, high = max(span.start, start), min(span.end, end)
        if low < high:
            if at < low and url:
                result.append(TextSpan(at, low, url=url))
            result.append(msgspec.structs.replace(span, start=low, end=high, url=url))
            at = high
    if at < end and url:
        result.append(TextSpan(at, end, url=url))
    plain = TextSpan(0, 0)
    return tuple(
        span
        for span in sorted(result, key=lambda span: span.start)
        if msgspec.structs.replace(span, start=0, end=0) != plain
    )
