"""Divide a document into chunks for retrieval: JSON lines with text, headings, pages and places.

Headings, list items and rows of tables are never divided; one that is longer than the limit is a longer chunk. A table
over several chunks repeats its header rows in each, and a cell over several rows its text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated, BinaryIO

import msgspec

from apps.pages.model.blocks import Block, BlockType, Cell, Page, PageFailure
from apps.pages.model.geometry import NO_BOX, Box, union
from apps.pages.output import grounding, items, render
from apps.pages.output.exports.options import ChunkOptions
from apps.pages.output.exports.tokens import TOKENIZER, count_tokens
from apps.pages.output.render import RenderOptions

_TABLES_WITH_PIPES = RenderOptions(table_format="pipe")
_OMITTED = frozenset({BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER})
_DIVISIBLE = frozenset({BlockType.PARAGRAPH, BlockType.CAPTION, BlockType.FOOTNOTE})
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]”’»]*\s+|(?<=[。！？])")
_WORD_END = re.compile(r"\s+|(?<=[\u2e80-\ua4cf\uac00-\ud7ff\u0e00-\u0eff])")
_LINE_END = re.compile(r"\n")
_HASH_CHARACTERS = 16


class ChunkBox(msgspec.Struct, frozen=True):
    """In points, from the top left corner of the page."""

    x: float
    y: float
    w: float
    h: float


class Locator(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a part of a chunk is: the page, and the item in the page's entry of ``items`` as a JSON pointer.

    ``rows`` and ``characters``: the first, and the one after the last, of the item's ``rows`` or of its ``value``, if
    the chunk has only a part of the item. ``bbox`` is missing where the document knows no places.
    """

    page_number: Annotated[int, msgspec.Meta(ge=1)]
    pointer: str
    bbox: ChunkBox | None = None
    rows: tuple[int, int] | None = None
    characters: tuple[int, int] | None = None


class Chunk(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of ``chunks.jsonl``. ``id`` is the same for the same text in the same place.

    ``headings``: those that the beginning of the chunk is under, the outermost first. ``text``: Markdown.
    ``overlap_characters``: as many characters at its beginning are also at the end of the chunk before.
    """

    id: str
    index: Annotated[int, msgspec.Meta(ge=1)]
    text: str
    tokens: Annotated[int, msgspec.Meta(ge=1)]
    tokenizer: str
    headings: tuple[str, ...]
    pages: tuple[int, ...]
    locators: tuple[Locator, ...]
    overlap_characters: int = 0


class _Fragment(msgspec.Struct, frozen=True):
    """A block, or the smallest part of it that a chunk may have: rows ``start`` to ``end`` or characters.

    ``repeated``: the tokens that come before it if it is the first of its block in a chunk.
    """

    page_number: int
    pointer: str
    block: Block
    headings: tuple[str, ...]
    tokens: int
    start: int = 0
    end: int = 0
    repeated: int = 0


def write_chunks(pages: Iterable[Page | PageFailure], options: ChunkOptions, out: BinaryIO) -> None:
    """Write a JSON line for each chunk of these pages, whose blocks are finished. Failed pages have none."""
    encode = msgspec.json.Encoder().encode
    for chunk in chunks_of(pages, options):
        out.write(encode(chunk) + b"\n")


def chunks_of(pages: Iterable[Page | PageFailure], options: ChunkOptions) -> Iterator[Chunk]:
    builder = _ChunkBuilder(options)
    path: list[tuple[int, str]] = []
    for page in pages:
        if isinstance(page, PageFailure):
            continue
        if options.within_pages:
            yield from builder.finish()
        for block, pointer in zip(page.blocks, items.pointers(page.blocks), strict=True):
            if block.type in _OMITTED or not _markdown(block):
                continue
            if block.type is BlockType.HEADING:
                if options.split_by == "heading" and not builder.has_only_headings:
                    yield from builder.finish()
                title = f"{block.marker} {block.text}" if block.marker else block.text
                path = [entry for entry in path if entry[0] < block.level] + [(block.level, title)]
            room = max(options.max_tokens // 2, options.max_tokens - builder.tokens_of_last_headings)
            headings = tuple(title for _level, title in path)
            for fragment in _fragments(page.number, pointer, block, headings, room):
                yield from builder.add(fragment)
    yield from builder.finish()


class _ChunkBuilder:
    """Collects fragments until a chunk is full."""

    def __init__(self, options: ChunkOptions) -> None:
        self._options = options
        self._fragments: list[_Fragment] = []
        self._overlap = ""
        self._overlap_place = (0, "")
        self._written = 0
        self._tokens = 0

    @property
    def has_only_headings(self) -> bool:
        return all(fragment.block.type is BlockType.HEADING for fragment in self._fragments)

    @property
    def tokens_of_last_headings(self) -> int:
        return sum(heading.tokens for heading in self._last_headings())

    def add(self, fragment: _Fragment) -> Iterator[Chunk]:
        """Add a fragment. Yield the chunk before it if that has no space for it."""
        if self._tokens + self._cost(fragment) > self._options.max_tokens and not self.has_only_headings:
            moved = self._last_headings()
            del self._fragments[len(self._fragments) - len(moved) :]
            last = self._fragments[-1]
            yield self._chunk()
            self._overlap = "" if moved else _last_sentences(last, self._options.overlap_tokens)
            self._overlap_place = _place(last)
            self._fragments, self._tokens = [], count_tokens(self._overlap)
            for heading in moved:
                self._append(heading)
            if self._overlap and self._tokens + self._cost(fragment) > self._options.max_tokens:
                self._overlap, self._tokens = "", 0
        self._append(fragment)

    def finish(self) -> Iterator[Chunk]:
        """Yield the chunk that has been begun, if there is one."""
        if self._fragments:
            yield self._chunk()
        self._fragments, self._overlap, self._tokens = [], "", 0

    def _last_headings(self) -> list[_Fragment]:
        """Return the headings at the end, which belong to what follows."""
        kept = len(self._fragments)
        while kept and self._fragments[kept - 1].block.type is BlockType.HEADING:
            kept -= 1
        return self._fragments[kept:]

    def _append(self, fragment: _Fragment) -> None:
        self._tokens += self._cost(fragment)
        self._fragments.append(fragment)

    def _cost(self, fragment: _Fragment) -> int:
        goes_on = bool(self._fragments) and _place(self._fragments[-1]) == _place(fragment)
        return fragment.tokens + (0 if goes_on else fragment.repeated)

    def _chunk(self) -> Chunk:
        self._written += 1
        text, locators = self._overlap, []
        nesting, previous = render.Nesting(), None
        for place, group in groupby(self._fragments, key=_place):
            fragments = list(group)
            block, locator = _joined(fragments)
            markdown = _markdown(block, nesting.outer_levels(block))
            if previous is not None:
                text += render.between(previous, block)
            elif text:
                text += " " if place == self._overlap_place else "\n\n"
            text, previous = text + markdown, block
            locators.append(locator)
        begins = next((each for each in self._fragments if each.block.type is not BlockType.HEADING), None)
        places = [(each.page_number, each.pointer, each.rows, each.characters) for each in locators]
        return Chunk(
            id=hashlib.sha256(repr((text, places)).encode()).hexdigest()[:_HASH_CHARACTERS],
            index=self._written,
            text=text,
            tokens=count_tokens(text),
            tokenizer=TOKENIZER,
            headings=(begins or self._fragments[-1]).headings,
            pages=tuple(sorted({fragment.page_number for fragment in self._fragments})),
            locators=tuple(locators),
            overlap_characters=len(self._overlap),
        )


def _place(fragment: _Fragment) -> tuple[int, str]:
    return fragment.page_number, fragment.pointer


def _markdown(block: Block, outer_levels: int = 0) -> str:
    if block.type is BlockType.PICTURE:
        return render.paragraph(block.description or block.text)
    return render.block_markdown(block, _TABLES_WITH_PIPES, outer_levels)


def _fragments(
    page_number: int, pointer: str, block: Block, headings: tuple[str, ...], max_tokens: int
) -> Iterator[_Fragment]:
    """Yield the block, or its parts if it has more than ``max_tokens``: rows, lines of code, sentences or words."""
    tokens = count_tokens(_markdown(block))
    whole = _Fragment(page_number, pointer, block, headings, tokens)
    if tokens <= max_tokens:
        yield whole
    elif block.type is BlockType.TABLE:
        yield from _rows(whole)
    elif block.type is BlockType.CODE:
        yield from _texts(whole, _LINE_END, max_tokens, repeated=6)
    elif block.type in _DIVISIBLE and not block.latex:
        yield from _texts(whole, _SENTENCE_END, max_tokens, repeated=0)
    else:
        yield whole


def _rows(table: _Fragment) -> Iterator[_Fragment]:
    cells = table.block.cells
    lines = render.table_pipes(cells).split("\n")
    headers = _header_rows(cells)
    # A table needs a first row and the line below it, with or without headers.
    header = count_tokens("\n".join(lines[: headers + 1])) if headers else 0
    spanning = [cell for cell in cells if cell.row_span > 1 and cell.row >= headers]
    for row in range(headers, len(lines) - 1):
        above = sum(count_tokens(cell.text) for cell in spanning if cell.row < row < cell.row + cell.row_span)
        repeated = above + (header or count_tokens(lines[1]))
        line = lines[row + 1 if row else 0]
        start = row if row > headers else 0  # the header rows are of the first part
        yield msgspec.structs.replace(table, tokens=count_tokens(line), start=start, end=row + 1, repeated=repeated)


def _header_rows(cells: Sequence[Cell]) -> int:
    """Return how many rows at the top of a table have only headers; 0 if one of them goes on below these rows."""
    body = min((cell.row for cell in cells if not cell.header), default=0)
    return body if all(cell.row + cell.row_span <= body for cell in cells if cell.row < body) else 0


def _texts(whole: _Fragment, ends: re.Pattern[str], max_tokens: int, *, repeated: int) -> Iterator[_Fragment]:
    text, start = whole.block.text, 0
    cuts = [found.end() for found in ends.finditer(text) if found.end() < len(text)]
    for end in [*cuts, len(text)]:
        tokens = count_tokens(_markdown(_cut_text(whole.block, start, end)))
        if tokens <= max_tokens or ends is _WORD_END:
            yield msgspec.structs.replace(whole, tokens=tokens, start=start, end=end, repeated=repeated)
        else:
            for word in _WORD_END.finditer(text, start, end):
                if start < word.end() < end:
                    tokens = count_tokens(_markdown(_cut_text(whole.block, start, word.end())))
                    yield msgspec.structs.replace(whole, tokens=tokens, start=start, end=word.end(), repeated=repeated)
                    start = word.end()
            tokens = count_tokens(_markdown(_cut_text(whole.block, start, end)))
            yield msgspec.structs.replace(whole, tokens=tokens, start=start, end=end, repeated=repeated)
        start = end


def _cut_text(block: Block, start: int, end: int) -> Block:
    """Return the block with these characters of its text only."""
    text = block.text[start:end].rstrip()
    end = start + len(text)
    spans = tuple(
        msgspec.structs.replace(span, start=max(span.start, start) - start, end=min(span.end, end) - start)
        for span in block.spans
        if span.start < end and span.end > start
    )
    marker = "" if start else block.marker
    return msgspec.structs.replace(block, text=text, spans=spans, marker=marker)


def _joined(fragments: Sequence[_Fragment]) -> tuple[Block, Locator]:
    """Return the fragments of one block as a block, and where that is."""
    first, block = fragments[0], fragments[0].block
    start, end = first.start, fragments[-1].end
    rows = characters = None
    box = block.box
    if end and block.type is BlockType.TABLE:
        rows = start, end
        block, box = _cut_rows(block, start, end)
    elif end:
        value = f"{block.marker} " if block.marker else ""
        characters = start + len(value) if start else 0, end + len(value)
        block = _cut_text(block, start, end)
    place = None if box == NO_BOX else ChunkBox(**grounding.box_of(box))
    return block, Locator(first.page_number, first.pointer, place, rows, characters)


def _cut_rows(table: Block, start: int, end: int) -> tuple[Block, Box]:
    """Return the table with these rows below its header rows, and the box of the rows."""
    headers = _header_rows(table.cells) if start else 0
    kept = [cell for cell in table.cells if cell.row < headers]
    body = [cell for cell in table.cells if start <= cell.row + cell.row_span - 1 and headers <= cell.row < end]
    for cell in body:
        row = max(cell.row, start)
        span = min(cell.row + cell.row_span, end) - row
        kept.append(msgspec.structs.replace(cell, row=headers + row - start, row_span=span))
    boxes = [cell.box for cell in body if cell.box is not None]
    box = union(boxes) if len(boxes) == len(body) else table.box
    return msgspec.structs.replace(table, cells=tuple(kept)), box


def _last_sentences(fragment: _Fragment, max_tokens: int) -> str:
    """Return the last sentences of a paragraph with at most as many tokens in all; "" if there are none."""
    if max_tokens <= 0 or fragment.block.type is not BlockType.PARAGRAPH or fragment.block.latex:
        return ""
    end = fragment.end or len(fragment.block.text)
    text, kept = fragment.block.text, ""
    starts = [0, *(found.end() for found in _SENTENCE_END.finditer(text, 0, end) if found.end() < end)]
    for start in reversed(starts):
        sentences = _markdown(_cut_text(fragment.block, start, end))
        if count_tokens(sentences) > max_tokens:
            break
        kept = sentences
    return kept
