"""Charts that a page draws with lines and areas are pictures of their part of the page."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.blocks import Block, BlockType, Page, Source
from apps.pages.model.geometry import Box


def with_charts_as_pictures(page: Page, blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with a picture for each chart, before the labels inside of it.

    There is none where the page has a picture already, and on pages whose blocks a model wrote.
    """
    result = list(blocks)
    if not page.figures or any(block.source is Source.MODEL for block in blocks):
        return result
    pictures = [block.box for block in blocks if block.type is BlockType.PICTURE]
    for figure in page.figures:
        if not any(figure.overlaps(picture) for picture in pictures):
            result.insert(_place_of(result, figure), Block(BlockType.PICTURE, figure))
            pictures.append(figure)
    return result


def _place_of(blocks: Sequence[Block], figure: Box) -> int:
    """Return the place of the first label of a chart, or the one after the nearest block above."""
    inside = next((index for index, block in enumerate(blocks) if figure.overlaps(block.box)), None)
    if inside is not None:
        return inside
    above = [index for index, block in enumerate(blocks) if block.box.bottom <= figure.top]
    return 1 + max(above, key=lambda index: blocks[index].box.bottom) if above else 0
