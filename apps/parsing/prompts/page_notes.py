"""A page as a language model is given it: the Markdown of fast mode, with notes where layout says more than words.

Headings have no rank yet when a model gets a page: that comes from the type sizes of the whole document. So a block
that stands out by size or weight has a note on the line before it: ``{~ 16pt bold}``. Boxes cost some ten tokens a
block and help where order and tables are in doubt: a page that the cost optimizer calls easy goes without them, any
other has one before each block, and its pictures, which the Markdown leaves out: ``{~ picture 72 90 300 240}``. A page
of the corpus has 800 tokens on average, 12 % of them notes; the instructions have 520.
"""

from __future__ import annotations

import re
from collections import Counter

import msgspec

from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.output import render
from apps.pages.output.render import RenderOptions
from apps.parsing.routing.cost_optimizer import is_easy

_OPTIONS = RenderOptions()
_RUNNING = (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER)
_NAMED = (BlockType.PICTURE, BlockType.CAPTION, BlockType.FOOTNOTE, *_RUNNING)
# Sizes of one style differ by less than this, in points.
_SAME_SIZE = 0.6
_LOOKS_LIKE_A_NOTE = re.compile(r"^(\s*)(?=\{~)", re.MULTILINE)


def page_text(page: Page) -> str:
    """The page's blocks in reading order, notes before those that need one, an empty line between them."""
    with_boxes = not is_easy(page)[0]
    body = _body_style(page)
    parts = []
    for block in page.blocks:
        note = _note(block, body, with_boxes=with_boxes)
        text = _LOOKS_LIKE_A_NOTE.sub(r"\1\\", _markdown(block))
        if text or (note and block.type is BlockType.PICTURE):
            parts.append("\n".join(filter(None, (note, text))))
    return "\n\n".join(parts)


def without_notes(text: str) -> str:
    """A page's text as a good answer has it: the notes left out."""
    return "\n".join(line for line in text.split("\n") if not line.startswith("{~ "))


def _markdown(block: Block) -> str:
    if block.type in _RUNNING:
        return render.paragraph(block.text)
    if block.type is BlockType.HEADING and not block.level:
        block = msgspec.structs.replace(block, type=BlockType.PARAGRAPH)
    return render.block_markdown(block, _OPTIONS)


def _note(block: Block, body: tuple[float, bool], *, with_boxes: bool) -> str:
    words = [block.type.value.replace("_", " ")] if block.type in _NAMED else []
    size, bold = _style(block)
    if size and abs(size - body[0]) >= _SAME_SIZE:
        words.append(f"{size:g}pt")
    if bold and not body[1]:
        words.append("bold")
    if block.source != "text_layer":
        words.append("recognised")
    if with_boxes:
        box = block.box
        words += [f"{place:.0f}" for place in (box.x0, box.top, box.x1, box.bottom)]
    elif block.type is BlockType.PICTURE:
        return ""
    return "{~ " + " ".join(words) + "}" if words else ""


def _style(block: Block) -> tuple[float, bool]:
    """The size of the block's type to half a point, 0 where it is not known, and whether all of it is bold."""
    if not block.lines or block.type is BlockType.TABLE:
        return 0.0, False
    size = max(line.size for line in block.lines)
    return round(size * 2) / 2, all(line.bold for line in block.lines)


def _body_style(page: Page) -> tuple[float, bool]:
    """The style that most letters of the page have."""
    letters: Counter[tuple[float, bool]] = Counter()
    for block in page.blocks:
        letters[_style(block)] += len(block.text) if block.lines else 0
    return max(letters, key=letters.__getitem__, default=(0.0, False))
