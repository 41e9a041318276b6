"""Captions of figures and tables, and footnotes, found by position and style after the document is surveyed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from apps.pages.layout.document.lone_lines import starts_like_note
from apps.pages.layout.document.page_margins import block_text, is_turned
from apps.pages.model.blocks import Block, BlockType, Page, Source

# A caption is this near to its figure or table, in heights of its lines, and has at most this number of lines.
MAX_CAPTION_SPACE_HEIGHTS = 2.5
MAX_CAPTION_LINES = 8
# Small type, relative to the body: of captions, of footnotes.
CAPTION_TYPE, NOTE_TYPE = 0.97, 0.93
# Footnotes begin below this share of the page.
MIN_NOTE_SHARE = 0.35
# A rule above footnotes is this near, and spans this share of the page at most.
MAX_RULE_SPACE_POINTS = 18.0
MAX_RULE_SHARE = 0.6
MIN_NOTE_SPACE_HEIGHTS = 0.7

# A letter or a Roman numeral is a number only behind a blank: "Table B", but not "Tables".
_NUMBER = r"(?:\s?\d{1,3}|\s(?:[IVXLC]{1,6}|[A-Z]))(?:[.\-–]\d{1,3})*[a-z]?"
_ANY_LABEL = re.compile(rf"[^\W\d_]{{1,14}}\.?{_NUMBER}\s*(?:[.:|–—)]|$)")
# The words that most languages have for figures and tables.
_FIGURE_WORDS = (
    r"fig(?:s|\.|ure|ura|uur|ur)?|abb|abbildung|bild|kuva|obr|obrázek|rys|rysunek|εικόνα|σχήμα|рис|рисунок|"
    r"شكل|شکل|איור|图|圖|図|그림|รูป|รูปที่|चित्र|hình"
)
_TABLE_WORDS = (
    r"table|tab|tabelle|tabela|tabla|tabella|tableau|tabel|tabell|taulukko|tablica|tabulka|πίνακας|табл|таблица|таблиця|"
    r"جدول|טבלה|表|표|ตาราง|ตารางที่|तालिका|bảng"
)
_LABEL_END = rf"\.?(?:{_NUMBER}|\s?[٠-٩۰-۹๐-๙०-९]+)\s*(?:[.:|–—)。：　]|$|\s)"
_KNOWN_LABEL = re.compile(rf"(?i:{_FIGURE_WORDS}|{_TABLE_WORDS}){_LABEL_END}")
_FIGURE_LABEL = re.compile(rf"(?i:{_FIGURE_WORDS}|chart|graph|diagram\w{{0,2}}|gráfico|grafik){_LABEL_END}")
_FIGURES = (BlockType.PICTURE, BlockType.TABLE)


def has_caption_label(text: str) -> bool:
    """Return True if a text begins as the caption of a figure or table does: a word for it and a number."""
    return _KNOWN_LABEL.match(text) is not None


def is_figure_label(text: str) -> bool:
    """Return True if a text begins as the caption of a figure does."""
    return _FIGURE_LABEL.match(text) is not None


def is_label_alone(text: str) -> bool:
    """Return True if a line is a word and a number, as the first line of a caption may be."""
    return _ANY_LABEL.fullmatch(text) is not None


def with_captions_and_notes(page: Page, blocks: Sequence[Block], body_size: float) -> list[Block]:
    """Return the finished blocks of a page with captions and footnotes marked; pictures get the text of theirs."""
    result = list(blocks)
    _mark_captions(result, body_size)
    _mark_footnotes(page, result, body_size)
    return result


def with_captions_tied(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks of a page with a structure of its own: pictures get the text of the caption beside them.

    A caption belongs to the picture before it, or else to the one after it.
    """
    result = list(blocks)
    for index, block in enumerate(blocks):
        if block.type is not BlockType.CAPTION:
            continue
        is_below = index > 0 and blocks[index - 1].type in _FIGURES
        place = index - 1 if is_below else min(index + 1, len(blocks) - 1)
        if result[place].type is BlockType.PICTURE and not result[place].text:
            result[place] = msgspec.structs.replace(result[place], text=block.text)
    return result


def _mark_captions(blocks: list[Block], body_size: float) -> None:
    figures = [index for index, block in enumerate(blocks) if block.type in _FIGURES]
    for index, block in enumerate(blocks):
        if block.type is not BlockType.PARAGRAPH or block.source is Source.MODEL:
            continue
        if not block.lines or len(block.lines) > MAX_CAPTION_LINES:
            continue
        known = has_caption_label(block.text)
        if not known and not (figures and _ANY_LABEL.match(block.text)):
            continue
        near = [at for at in figures if _is_beside(block, blocks[at])]
        small = block.lines[0].size <= CAPTION_TYPE * body_size or block.lines[0].italic or block.lines[0].bold
        if not (small if known else near and small) and not (known and near):
            continue
        blocks[index] = msgspec.structs.replace(block, type=BlockType.CAPTION)
        figure = min(near, key=lambda at: _space(block, blocks[at]), default=None)
        if figure is not None and blocks[figure].type is BlockType.PICTURE and not blocks[figure].text:
            blocks[figure] = msgspec.structs.replace(blocks[figure], text=block.text)


def _is_beside(block: Block, figure: Block) -> bool:
    """Return True if a figure or table is just above or below a block."""
    shared = min(block.box.x1, figure.box.x1) - max(block.box.x0, figure.box.x0)
    height = block.lines[0].box.height
    return shared > 0.3 * min(block.box.width, figure.box.width) and (
        -0.5 * height <= _space(block, figure) <= MAX_CAPTION_SPACE_HEIGHTS * height
    )


def _space(block: Block, other: Block) -> float:
    return max(other.box.top - block.box.bottom, block.box.top - other.box.bottom)


def _mark_footnotes(page: Page, blocks: list[Block], body_size: float) -> None:
    for index, block in enumerate(blocks):
        if block.type not in (BlockType.PARAGRAPH, BlockType.LIST_ITEM) or not block.lines or is_turned(block):
            continue
        if block.source is Source.MODEL:
            continue
        size = block.lines[0].size
        if not 0 < size <= NOTE_TYPE * body_size or block.box.top < MIN_NOTE_SHARE * page.height:
            continue
        has_text_below = any(
            other.box.top >= block.box.bottom - 1
            and (other.type in _FIGURES or bool(other.lines and other.lines[0].size > NOTE_TYPE * body_size))
            for other in _in_column(block, blocks)
        )
        if has_text_below:
            continue
        if _begins_notes(page, block, blocks, body_size) or _follows_note(block, blocks[:index]):
            blocks[index] = msgspec.structs.replace(
                block, type=BlockType.FOOTNOTE, text=block_text(block), level=0, marker=""
            )


def _begins_notes(page: Page, block: Block, blocks: Sequence[Block], body_size: float) -> bool:
    """Return True for the first footnote of a column: under a rule, or with a mark and apart from the text above."""
    box = block.box
    if any(
        box.top - MAX_RULE_SPACE_POINTS <= rule.top <= box.top + 3
        and rule.x0 < box.x1
        and rule.x1 > box.x0
        and rule.width <= MAX_RULE_SHARE * page.width
        for rule in page.separators
    ):
        return True
    if not starts_like_note(block_text(block)):
        return False
    above = [other for other in _in_column(block, blocks) if other.box.bottom <= box.top + 1]
    nearest = max(above, key=lambda other: other.box.bottom, default=None)
    if nearest is None or not nearest.lines or nearest.lines[0].size < 0.97 * body_size:
        return False
    return box.top - nearest.box.bottom >= MIN_NOTE_SPACE_HEIGHTS * block.lines[0].box.height


def _follows_note(block: Block, before: Sequence[Block]) -> bool:
    """Return True if the block above, in the same small type, is a footnote."""
    last = next((other for other in reversed(before) if other.lines), None)
    return (
        last is not None
        and last.type is BlockType.FOOTNOTE
        and abs(last.lines[0].size - block.lines[0].size) < 0.6
        and block.box.top >= last.box.bottom - 2
    )


def _in_column(block: Block, blocks: Sequence[Block]) -> list[Block]:
    """Return the other blocks of the text that a vertical line crosses together with a block."""
    return [
        other
        for other in blocks
        if other is not block
        and other.type not in (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER)
        and other.box.x0 < block.box.x1
        and other.box.x1 > block.box.x0
        and not is_turned(other)
    ]
