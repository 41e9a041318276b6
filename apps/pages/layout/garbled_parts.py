"""Replace the garbled parts of a page by what OCR reads at their places; the rest of its text layer stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from apps.pages.layout.own_text import is_on, words_inside
from apps.pages.model.blocks import Block, BlockType, Cell, Page, Source
from apps.pages.model.geometry import Box
from apps.pages.model.recognition import Recognition

PARTS_RECOGNIZED = "parts_recognized"
"""Warning of a page with parts whose text layer was replaced."""
# OCR less sure than this has not read letters but icons or drawings.
MIN_CONFIDENCE = 0.7

LayOut = Callable[[Recognition], list[Block]]
Agrees = Callable[[Sequence[Block], Sequence[Block]], bool]


def with_parts_read(page: Page, recognition: Recognition, lay_out: LayOut, agrees: Agrees) -> Page:
    """Return the page with each block or cell on a garbled place read by OCR, unless both texts agree.

    ``text_unreliable`` goes if OCR has read all these places.
    """
    blocks: list[Block] = []
    unread = replaced = False
    for block in page.blocks:
        again = block
        if block.type is not BlockType.PICTURE and any(is_on(place, [block.box]) for place in page.garbled):
            read = lay_out(words_inside(recognition, [block.box]))
            if block.cells:
                again = _table_read_again(block, page.garbled, recognition, lay_out)
            elif _is_sure(read) and not agrees([block], read):
                again = _read_again(block, read)
            unread = unread or not _is_sure(read)
        replaced = replaced or again is not block
        blocks.append(again)
    # Text without a single letter is in no block.
    alone = [place for place in page.garbled if not is_on(place, [block.box for block in page.blocks])]
    read = lay_out(words_inside(recognition, alone)) if alone else []
    if _is_sure(read):
        blocks, replaced = _inserted(blocks, read), True
    warnings = tuple(code for code in page.warnings if code != "text_unreliable" or unread or (alone and not read))
    if replaced:
        warnings = (*warnings, PARTS_RECOGNIZED)
    return msgspec.structs.replace(page, blocks=tuple(blocks), warnings=warnings, garbled=())


def _inserted(blocks: Sequence[Block], read: Sequence[Block]) -> list[Block]:
    """Return the blocks with each recognised one before the first below it that shares some of its columns."""
    joined = list(blocks)
    for new in read:
        below = (
            place
            for place, block in enumerate(joined)
            if block.box.top >= new.box.middle and block.box.x0 < new.box.x1 and new.box.x0 < block.box.x1
        )
        joined.insert(next(below, len(joined)), new)
    return joined


def _is_sure(read: Sequence[Block]) -> bool:
    known = [block.confidence for block in read if block.confidence is not None and (block.text or block.cells)]
    return bool(known) and min(known) >= MIN_CONFIDENCE


def _read_again(block: Block, read: Sequence[Block]) -> Block:
    """Return a block of the same kind with the text that OCR read."""
    text = _text_of(read)
    if block.marker and text.startswith(block.marker):
        text = text.removeprefix(block.marker).lstrip()
    return msgspec.structs.replace(
        block,
        text=text,
        lines=tuple(line for each in read for line in each.lines),
        spans=(),
        source=Source.OCR,
        confidence=min((each.confidence for each in read if each.confidence is not None), default=None),
    )


def _table_read_again(table: Block, garbled: Sequence[Box], recognition: Recognition, lay_out: LayOut) -> Block:
    """Return the table with the text of its garbled cells as OCR read it; the same table if there are none."""
    cells: list[Cell] = []
    for cell in table.cells:
        if cell.box is not None and cell.text and any(is_on(place, [cell.box]) for place in garbled):
            read = lay_out(words_inside(recognition, [cell.box]))
            if _is_sure(read):
                cell = msgspec.structs.replace(cell, text=_text_of(read), spans=())
        cells.append(cell)
    if tuple(cells) == table.cells:
        return table
    return msgspec.structs.replace(table, cells=tuple(cells), source=Source.OCR)


def _text_of(read: Sequence[Block]) -> str:
    """Return the text of blocks in one line."""
    parts = []
    for block in read:
        parts += [block.marker, block.text, *(cell.text for cell in block.cells)]
    return " ".join(filter(None, parts))
