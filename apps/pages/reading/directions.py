"""Pages with two writing directions: columns from the right (Chinese, Japanese), and rows.

The layout knows rows only. Columns are laid out as if the sheet had been turned, and their blocks are mapped back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import Block, PageFailure
from apps.pages.model.geometry import Box, union
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.pdf.pdf_file import PdfFile

COLUMNS_ANGLE = 90
# Less text in the other direction is laid out with the rest of the page, as stamps are.
MIN_OTHER_CHARACTERS = 4


def rotation_of(raw: RawPage, angle: int) -> int:
    """Return by how much a page is rotated whose text is turned by ``angle``: columns are no rotated rows."""
    return (angle - COLUMNS_ANGLE) % 360 if raw.columns_share > 0.5 else angle


def other_view(pdf: PdfFile, raw: RawPage, angle: int) -> tuple[RawPage, int] | None:
    """Take the text of the other direction out of a page, and return it as a page of its own with its angle.

    ``raw``: the page turned back by ``angle``, the direction of most text. None when a page has no columns, or no rows
    beside them.
    """
    if not raw.columns_share:
        return None
    other = 0 if angle == COLUMNS_ANGLE else COLUMNS_ANGLE
    relative = (other - angle) % 360
    if sum(len(run.text) for run in raw.runs if run.angle == relative) < MIN_OTHER_CHARACTERS:
        return None
    view = pdf.upright(raw.page_number, other)
    if isinstance(view, PageFailure):
        return None
    runs = [run for run in view.runs if run.angle == 0]
    if not runs:
        return None
    raw.runs = [run for run in raw.runs if run.angle != relative]
    area = union(_box(run) for run in runs)
    others = [run for run in view.runs if run.angle != 0]
    alone = not any(area.overlaps(_box(run)) for run in others)
    return msgspec.structs.replace(
        view,
        runs=runs,
        pictures=[],
        links=[],
        dots=[],
        rulings=[box for box in view.rulings if area.contains(box, slack=20.0)] if alone else [],
        fills=[box for box in view.fills if area.contains(box, slack=20.0)] if alone else [],
    ), other


def merged(blocks: Sequence[Block], others: Sequence[Block]) -> list[Block]:
    """Return the blocks of both directions: those of the second above all of the first come before them."""
    top = min((block.box.top for block in blocks), default=0.0)
    above = [block for block in others if block.box.bottom <= top]
    return [*above, *blocks, *(block for block in others if block.box.bottom > top)]


def _box(run: TextRun) -> Box:
    return Box(run.x0, run.top, run.x1, run.bottom)
