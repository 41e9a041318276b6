"""Blocks of an answer before their boxes are known."""

from __future__ import annotations

import msgspec

from apps.pages.model.blocks import BlockType, Cell, TextSpan
from apps.pages.model.geometry import Box


class Draft(msgspec.Struct, frozen=True):
    """A block; the fields are those of ``apps.pages.model.blocks.Block``.

    ``text`` of a picture: its description. ``box``: where the model says it is; None if it does not say.
    """

    type: BlockType
    text: str = ""
    level: int = 0
    marker: str = ""
    cells: tuple[Cell, ...] = ()
    spans: tuple[TextSpan, ...] = ()
    latex: str = ""
    box: Box | None = None
