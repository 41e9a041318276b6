"""Blocks of an answer before their boxes are known."""

from __future__ import annotations

import msgspec

from apps.pages.model.blocks import BlockType, Cell


class Draft(msgspec.Struct, frozen=True):
    """A block without a box; the fields are those of ``apps.pages.model.blocks.Block``."""

    type: BlockType
    text: str = ""
    level: int = 0
    marker: str = ""
    cells: tuple[Cell, ...] = ()
