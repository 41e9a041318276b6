"""Add the bar codes that were found on a page to its blocks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import Barcode, Block, BlockType, Page, Source
from apps.pages.model.geometry import Box

BARCODES_NOT_READ = "barcodes_not_read"
MIN_PICTURE_SHARE = 0.25
"""A picture of which a code covers this share is the picture of that code."""


def with_barcodes(page: Page, codes: Sequence[Barcode]) -> Page:
    """Return the page with a picture for each code, whose description is what the code says.

    A picture that shows little else gets the description itself, unless it has one.
    """
    blocks = list(page.blocks)
    for code in codes:
        place = next((index for index, block in enumerate(blocks) if _is_picture_of(block, code)), None)
        if place is None:
            blocks.insert(place_below(blocks, code.box), picture_of(code))
        else:
            blocks[place] = described(blocks[place], code)
    return msgspec.structs.replace(page, blocks=tuple(blocks), barcodes=(*page.barcodes, *codes))


def picture_of(code: Barcode) -> Block:
    return described(Block(BlockType.PICTURE, code.box, source=Source.OCR), code)


def described(picture: Block, code: Barcode) -> Block:
    return msgspec.structs.replace(picture, description=f"{code.format}: {code.value}", barcode=code.format)


def _is_picture_of(block: Block, code: Barcode) -> bool:
    if block.type is not BlockType.PICTURE or block.description or block.barcode:
        return False
    shown = block.box.intersection(code.box)
    area = block.box.width * block.box.height
    return shown is not None and shown.width * shown.height >= MIN_PICTURE_SHARE * area


def place_below(blocks: Sequence[Block], box: Box) -> int:
    """Return the place in reading order after the nearest block above, in the same column if there is one."""
    above = [index for index, block in enumerate(blocks) if block.box.bottom <= box.top + 0.1 * box.height]
    if not above:
        return 0
    in_column = [index for index in above if blocks[index].box.x0 < box.x1 and box.x0 < blocks[index].box.x1]
    return 1 + max(in_column or above, key=lambda index: blocks[index].box.bottom)
