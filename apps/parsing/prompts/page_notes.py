"""Write a page for a language model: the Markdown of fast mode, with notes about its layout.

Headings have no level yet when a page is sent to a model, because levels depend on the font sizes of the whole
document. So a block that differs in size or weight has a note on the line before it: ``{~ 16pt bold}``. Boxes cost
about ten tokens a block and help where order and tables are uncertain: an easy page (``cost_optimizer.is_easy``) has
none, any other page has one before each block, and one for each picture, which the Markdown omits:
``{~ picture 72 90 300 240}``. A page of the corpus has 800 tokens on average, 12 % of them notes; the instructions have
520.
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
    """Return the page's blocks in reading order, with notes, separated by empty lines."""
    with_boxes = not is_easy(page)[0]
    letters: Counter[tuple[float, bool]] = Counter()
    for block in page.blocks:
        letters[_style(block)] += len(block.text) if block.lines else 0
    body = max(letters, key=letters.__getitem__, default=(0.0, False))
    parts = []
    for block in page.blocks:
        note = note_of(block, body, with_boxes=with_boxes)
        if block.type in _RUNNING:
            text = render.paragraph(block.text)
        elif block.type is BlockType.HEADING and not block.level:
            text = render.block_markdown(msgspec.structs.replace(block, type=BlockType.PARAGRAPH), _OPTIONS)
        else:
            text = render.block_markdown(block, _OPTIONS)
        text = _LOOKS_LIKE_A_NOTE.sub(r"\1\\", text)
        if text or (note and block.type is BlockType.PICTURE):
            parts.append("\n".join(filter(None, (note, text))))
    return "\n\n".join(parts)


def without_notes(text: str) -> str:
    """Return the text of a page without its notes."""
    return "\n".join(line for line in text.split("\n") if not line.startswith("{~ "))


def note_of(block: Block, body: tuple[float, bool], *, with_boxes: bool) -> str:
    """Return the note before a block, or "". ``body``: the style of most of the page's text, which needs no note."""
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
    """Return the block's font size to half a point, 0 if unknown, and whether all of it is bold."""
    if not block.lines or block.type is BlockType.TABLE:
        return 0.0, False
    size = max(line.size for line in block.lines)
    return round(size * 2) / 2, all(line.bold for line in block.lines)
