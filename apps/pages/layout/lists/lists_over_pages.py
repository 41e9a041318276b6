"""Lists that go on over page breaks: only the markers show that a page begins inside an inner list."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from apps.pages.layout.lists.list_items import MAX_LEVEL_SHIFT_EMS
from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.text import list_markers

_PASSED_OVER = frozenset({BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER})


class ListsOverPages:
    """Takes the blocks of page after page and finds how much deeper the list at the top of each page is."""

    def __init__(self) -> None:
        self._open: list[Block] = []  # the last item of each level of the list that ended the page before

    def add(self, body: Sequence[Block]) -> int:
        """Return the levels to add to the list with which a page begins. ``body``: its blocks without running lines."""
        shift = 0
        body = [block for block in body if block.type not in _PASSED_OVER]
        if not body:
            return 0
        if body[0].type is BlockType.LIST_ITEM:
            shift = max(0, self._level_of(body[0]) - body[0].level)
        items = shifted(body, shift)
        for block in items:
            if block.type is not BlockType.LIST_ITEM:
                self._open = []
            elif block.level > 0:
                self._open = [*(item for item in self._open if item.level < block.level), block]
        return shift

    def _level_of(self, block: Block) -> int:
        """Return the level on which an item goes on with the open list; 0 when it does not.

        Of several it is the one that begins where the item does, else the deepest: the margins of pages may differ.
        """
        if list_markers.is_ordered(block.marker):
            items = [item for item in self._open if list_markers.follows(item.marker, block.marker)]
        else:
            items = [item for item in self._open if item.marker == block.marker]
        slack = MAX_LEVEL_SHIFT_EMS * (block.lines[0].size if block.lines else 10.0)
        level = [item for item in items if abs(item.box.x0 - block.box.x0) <= slack]
        return next((item.level for item in reversed(level or items)), 0)


def shifted(blocks: Sequence[Block], levels: int) -> list[Block]:
    """Return the blocks; the items of the list with which they begin are deeper by ``levels``."""
    result = list(blocks)
    if not levels:
        return result
    begun = False
    for index, block in enumerate(blocks):
        if block.type is BlockType.LIST_ITEM:
            begun = True
            result[index] = msgspec.structs.replace(block, level=block.level + levels)
        elif begun and block.type not in _PASSED_OVER:
            break
    return result
