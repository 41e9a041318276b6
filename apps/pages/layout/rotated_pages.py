"""Pages with rotated text: laid out upright, then mapped back to the page as displayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from apps.pages.model.blocks import Block, Page, Word
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import Char, TextRun

# Slanted fonts report the slant of their letters as an angle; up to here text counts as upright.
MAX_SLANT_DEGREES = 25.0


def is_upright(run: TextRun | Char) -> bool:
    return run.angle < MAX_SLANT_DEGREES or run.angle > 360 - MAX_SLANT_DEGREES


def parted(runs: Sequence[TextRun]) -> tuple[list[TextRun], list[TextRun]]:
    """Return the upright runs and the others."""
    if {run.angle for run in runs} <= {0.0}:
        return list(runs), []
    return [run for run in runs if is_upright(run)], [run for run in runs if not is_upright(run)]


def angle_of(runs: Sequence[TextRun]) -> int:
    """Return the clockwise rotation of most of the text: 0, 90, 180 or 270 degrees."""
    if {run.angle for run in runs} <= {0.0}:
        return 0
    letters: Counter[int] = Counter()
    for run in runs:
        letters[0 if is_upright(run) else round(run.angle / 90) * 90 % 360] += len(run.text)
    return max(letters, key=lambda angle: (letters[angle], -angle), default=0)


def upright_page(page: Page) -> Page:
    """Return a page of rotated text as if the sheet had been turned back, so that lines run from left to right."""
    if not page.rotation:
        return page
    sideways = page.rotation in (90, 270)
    width, height = (page.height, page.width) if sideways else (page.width, page.height)
    back = 360 - page.rotation
    return msgspec.structs.replace(
        page,
        width=width,
        height=height,
        blocks=tuple(laid_back(block, back, width, height) for block in page.blocks),
        separators=tuple(box_laid_back(box, back, width, height) for box in page.separators),
        figures=tuple(box_laid_back(box, back, width, height) for box in page.figures),
        charts=tuple(box_laid_back(box, back, width, height) for box in page.charts),
    )


def as_displayed(blocks: list[Block], page: Page) -> list[Block]:
    """Map the blocks of the upright page to the page as displayed."""
    if not page.rotation:
        return blocks
    return [laid_back(block, page.rotation, page.width, page.height) for block in blocks]


def laid_back(block: Block, angle: int, width: float, height: float) -> Block:
    """Map a block of the upright page to the page as displayed, whose size is given."""

    def back(box: Box) -> Box:
        return box_laid_back(box, angle, width, height)

    return moved(block, back)


def moved(block: Block, place: Callable[[Box], Box]) -> Block:
    """Return a block with ``place`` applied to each of its boxes."""

    def placed(words: tuple[Word, ...]) -> tuple[Word, ...]:
        return tuple(Word(word.text, place(word.box), word.confidence) for word in words)

    return msgspec.structs.replace(
        block,
        box=place(block.box),
        lines=tuple(
            msgspec.structs.replace(line, box=place(line.box), words=placed(line.words)) for line in block.lines
        ),
        cells=tuple(
            msgspec.structs.replace(cell, box=cell.box and place(cell.box), words=placed(cell.words))
            for cell in block.cells
        ),
    )


def box_laid_back(box: Box, angle: int, width: float, height: float) -> Box:
    """Map a box of the upright page to the page as displayed, whose size is given."""
    upright = (height, width) if angle in (90, 270) else (width, height)
    return box.turned(-angle % 360, *upright)
