"""Headings of a document and their levels, by style, numbering and outline, consistent over all pages.

A style is a heading style when it is larger or heavier than the text of the body, or differs from it in another way and
is used for nothing but short lines above text. Levels follow the order of the styles; the depth of numbers (1.2.3) and
the outline of the document correct them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from apps.pages.layout.document.captions_notes import has_caption_label
from apps.pages.layout.document.page_margins import block_text, is_turned
from apps.pages.layout.text.watermarks import is_watermark
from apps.pages.model.blocks import Block, BlockType, Bookmark, Page, Source
from apps.pages.model.text import list_markers

MAX_HEADING_CHARACTERS = 200
MAX_HEADING_LINES = 4
MAX_LEVEL = 6
# Headings are this much larger than the body, or bold and at least this large, relative to it.
MIN_LARGER = 1.12
MIN_BOLD_SIZE = 0.95
# Headings found by slant, colour, capitals or family alone are short, ...
MAX_PLAIN_CHARACTERS = 90
# ... occur more than once, and their style holds few of the letters and little else.
MIN_PLAIN_HEADINGS = 2
MAX_PLAIN_SHARE = 0.06
MIN_STYLE_PURITY = 0.75
# An outline is trusted when this share of its entries are lines of the document.
MIN_OUTLINE_MATCHES = 0.5
# A page on which more of the blocks are entries of the outline is a list of contents.
MAX_OUTLINE_SHARE = 0.6
MAX_REMEMBERED_STYLES = 2_000
# Labels of a picture reach out of it by so much. A picture of a larger share of the page is no illustration.
PICTURE_SLACK_POINTS, MAX_PICTURE_SHARE = 3.0, 0.6
# Tags of headings are trusted when there are some, and no more of the letters are in headings.
MIN_TAGGED, MAX_TAGGED_SHARE = 2, 0.25

_DECIMAL = re.compile(r"(\d{1,3}(?:\.\d{1,3})*)\.?(?=[\s)])|([A-Z](?:\.\d{1,3})+)\.?(?=\s)")
_ROMAN_HEADING = re.compile(r"[IVXLC]{1,6}\.(?=\s)")
_FAMILY_END = re.compile(r"[-,]|(?:MT|PS|PSMT)$")
_FIXED_PITCH = re.compile(r"mono|courier|consol|typewriter|menlo|code", re.IGNORECASE)
_NOT_WORDS = re.compile(r"[\W_]+")


class Style(msgspec.Struct, frozen=True, order=True):
    """The style that sets a line apart; the order is that of the levels, the lowest first."""

    size: float = 0.0
    bold: bool = False
    capitals: bool = False
    italic: bool = False
    colour: str = ""
    font: str = ""


def style_of(block: Block) -> Style:
    first = block.lines[0]
    text = block.text
    return Style(
        size=round(first.size * 2) / 2,
        bold=all(line.bold for line in block.lines),
        capitals=text.isupper() and sum(map(str.isalpha, text)) > 3,
        italic=all(line.italic for line in block.lines),
        colour=block.colour,
        font=_FAMILY_END.split(block.font, maxsplit=1)[0],
    )


def may_be_heading(block: Block) -> bool:
    """Return True if the text alone allows the block to be a heading."""
    if block.type is BlockType.LIST_ITEM:
        if not list_markers.is_ordered(block.marker) or block.marker.startswith(("(", "[")):
            return False
    elif block.type is not BlockType.PARAGRAPH and block.type is not BlockType.HEADING:
        return False
    text = block.text
    if not block.lines or len(block.lines) > MAX_HEADING_LINES or not 1 < len(text) <= MAX_HEADING_CHARACTERS:
        return False
    if (text[-1] in ".,;。，；" and not text.endswith("...")) or has_caption_label(text):
        return False
    letters = sum(map(str.isalpha, text))
    return (
        letters > 0
        and 2 * letters >= len(text) - text.count(" ") - sum(map(str.isdigit, text))
        and not is_turned(block)
    )


def may_be_tagged(block: Block) -> bool:
    """Return True if a block that is tagged as a heading may be one."""
    is_text = block.type in (BlockType.PARAGRAPH, BlockType.LIST_ITEM, BlockType.HEADING)
    return is_text and 0 < len(block.lines) <= MAX_HEADING_LINES and 1 < len(block.text) <= MAX_HEADING_CHARACTERS


def depth_of(block: Block) -> int:
    """Return the depth of the number before a heading: 1 for "3" and "IV.", 3 for "1.2.3"; 0 without a number."""
    text = block_text(block)
    found = _DECIMAL.match(text)
    if found:
        return found.group().rstrip(".").count(".") + 1
    return 1 if _ROMAN_HEADING.match(text) else 0


def title_key(text: str) -> str:
    """Return a title without spaces, signs and case, for comparison."""
    return _NOT_WORDS.sub("", text).casefold()[:120]


class HeadingSurvey:
    """Heading styles of a document. First ``add`` every page, then ``finish``, then ask ``level_of``."""

    def __init__(self) -> None:
        self._letters: Counter[Style] = Counter()
        self._short_letters: Counter[Style] = Counter()
        self._found: Counter[Style] = Counter()
        self._plain: Counter[Style] = Counter()
        self._numbered: Counter[Style] = Counter()
        self._depths: dict[int, Counter[Style]] = {}
        self._outline: dict[str, int] = {}
        self._tagged: dict[Style, Counter[int]] = {}
        self._tagged_letters = 0
        self._matched: dict[str, Style] = {}
        self._levels: dict[Style, int] = {}
        self._depth_levels: dict[int, int] = {}
        self.body = Style()

    def read_outline(self, bookmarks: Iterable[Bookmark]) -> None:
        for bookmark in bookmarks:
            self._outline.setdefault(title_key(bookmark.title), bookmark.level)
        self._outline.pop("", None)

    def add(self, page: Page, counted: list[bool]) -> None:
        """Count the styles of a page. ``counted``: whether each block may count as a heading, False in margins."""
        matches = [self._title_of(block) if self._outline else "" for block in page.blocks]
        is_contents = sum(map(bool, matches)) > max(6, MAX_OUTLINE_SHARE * len(matches))
        for index, block in enumerate(page.blocks):
            if not block.lines or block.type is BlockType.CODE or is_turned(block):
                continue
            if is_watermark(page, block) or is_label(page, block):
                continue
            style = style_of(block)
            letters = msgspec.structs.replace(style, capitals=False) if style.capitals else style
            self._letters[letters] += len(block.text)
            if block.tagged_level and len(self._letters) <= MAX_REMEMBERED_STYLES:
                self._tagged.setdefault(style, Counter())[block.tagged_level] += 1
                self._tagged_letters += len(block.text)
            if not counted[index] or len(self._letters) > MAX_REMEMBERED_STYLES or not may_be_heading(block):
                continue
            self._found[style] += 1
            if matches[index] and not is_contents:
                self._matched[matches[index]] = style
            if len(block.text) <= MAX_PLAIN_CHARACTERS:
                self._short_letters[style] += len(block.text)
                self._plain[style] += is_lead(page, index)
            depth = depth_of(block)
            self._numbered[style] += depth > 1 and is_numbered_lead(page, index)
            if depth:
                self._depths.setdefault(depth, Counter())[style] += 1

    def _title_of(self, block: Block) -> str:
        """Return the key of the entry of the outline that is the text of the block, "" when there is none."""
        if not block.lines or len(block.text) > MAX_HEADING_CHARACTERS:
            return ""
        for text in (block_text(block), block.text):
            key = title_key(text)
            if key in self._outline:
                return key
        found = _DECIMAL.match(block.text)
        key = title_key(block.text[found.end() :]) if found else ""
        return key if key in self._outline else ""

    def finish(self) -> None:
        """Find the heading styles and their levels."""
        self.body = max(self._letters, key=lambda style: (self._letters[style], style), default=Style())
        if len(self._matched) < max(1.0, MIN_OUTLINE_MATCHES * len(self._outline)):
            self._outline.clear()
            self._matched.clear()
        styles = sorted(
            (style for style in self._found if self._stands_out(style) or self._is_plain_heading_style(style)),
            reverse=True,
        )
        self._levels = dict(zip(styles, self._ranks(styles), strict=True))
        self._follow_outline(styles)
        self._follow_numbers()
        self._follow_tags()

    def _stands_out(self, style: Style) -> bool:
        """Return True for letters larger or heavier than those of the body."""
        body = self.body
        if style.size >= MIN_LARGER * body.size:
            return True
        return style.bold and not body.bold and style.size >= MIN_BOLD_SIZE * body.size

    def _is_plain_heading_style(self, style: Style) -> bool:
        """Return True for a style in the size of the body whose slant, colour, capitals or family make headings."""
        body = self.body
        differs = (
            style.capitals or style.italic != body.italic or style.colour != body.colour or style.font != body.font
        )
        if (
            not differs
            or _FIXED_PITCH.search(style.font)
            or style.size < MIN_BOLD_SIZE * body.size
            or self._plain[style] < MIN_PLAIN_HEADINGS
        ):
            return False
        if style.capitals:
            return self._plain[style] >= MIN_STYLE_PURITY * self._found[style]
        of_style, total = self._letters[style], self._letters.total()
        is_pure = self._short_letters[style] >= MIN_STYLE_PURITY * of_style
        return (
            is_pure
            and of_style <= MAX_PLAIN_SHARE * total
            and self._plain[style] >= MIN_STYLE_PURITY * self._found[style]
        )

    def _ranks(self, styles: list[Style]) -> Iterator[int]:
        """Yield the level of each style; styles that differ in colour, slant or family alone share one."""
        level = 0
        last: tuple[object, ...] = ()
        for style in styles:
            key = (style.size, style.bold, style.capitals and style.size < MIN_LARGER * self.body.size)
            if key != last:
                level, last = level + 1, key
            yield min(MAX_LEVEL, level)

    def _follow_outline(self, styles: list[Style]) -> None:
        """Give styles the levels that the outline has for their headings; styles between keep their order."""
        if not self._matched:
            return
        known: dict[Style, int] = {}
        for style in set(self._matched.values()):
            levels = Counter(self._outline[key] for key, of_key in self._matched.items() if of_key == style)
            known[style] = max(levels, key=lambda level: (levels[level], -level))
        previous, previous_rank = 0, 0
        for style in styles:
            rank = self._levels[style]
            level = known.get(style) or previous + (rank > previous_rank or not previous)
            if style not in known and not previous:
                level = 1  # a title above all that the outline names
                self._levels[style] = level
                continue
            self._levels[style] = min(MAX_LEVEL, level)
            previous, previous_rank = level, rank
        for style, level in known.items():
            self._levels.setdefault(style, min(MAX_LEVEL, level))

    def _follow_numbers(self) -> None:
        """Find the level of each depth of numbers: deeper numbers have lower headings."""
        if len(self._depths) < 2:
            return
        last = 0
        for depth in sorted(self._depths):
            styles = self._depths[depth]
            levels = Counter[int]()
            for style, count in styles.items():
                if style in self._levels:
                    levels[self._levels[style]] += count
            if levels:
                usual = max(levels, key=lambda level: (levels[level], -level))
                last = max(usual, last + 1)
                self._depth_levels[depth] = min(MAX_LEVEL, last)

    def _follow_tags(self) -> None:
        """Forget the tags if they are not those of headings; give the style of tagged headings their level."""
        headings = sum(levels.total() for levels in self._tagged.values())
        if headings < MIN_TAGGED or self._tagged_letters > MAX_TAGGED_SHARE * self._letters.total():
            self._tagged.clear()
        for style, levels in self._tagged.items():
            if style in self._levels:
                self._levels[style] = max(levels, key=lambda level: (levels[level], -level))

    def looks(self) -> Iterator[tuple[float, bool, int]]:
        """Yield size, weight and level of each heading style, the highest level first."""
        for style, level in sorted(self._levels.items(), key=lambda item: item[1]):
            yield style.size, style.bold, level

    def level_in_outline(self, block: Block) -> int:
        """Return the level that the outline has for a block, 0 if it has none or is not that of the document."""
        title = self._title_of(block) if self._matched else ""
        return min(MAX_LEVEL, self._outline[title]) if title else 0

    def level_of(self, page: Page, index: int) -> int:
        """Return the heading level of a block of a page, 0 when it is no heading."""
        block = page.blocks[index]
        if block.tagged_level and self._tagged and may_be_tagged(block):
            return block.tagged_level
        if not may_be_heading(block) or is_watermark(page, block) or is_label(page, block):
            return 0
        style = style_of(block)
        level = self._levels.get(style, 0)
        if (
            level
            and not self._stands_out(style)
            and not (is_lead(page, index) and len(block.text) <= MAX_PLAIN_CHARACTERS)
        ):
            return 0
        if not level and self._numbered[style] >= MIN_PLAIN_HEADINGS and is_numbered_lead(page, index):
            level = min(MAX_LEVEL, depth_of(block))
        if not level:
            return 0
        title = self._title_of(block) if self._matched else ""
        depth = depth_of(block)
        if not title and not depth and style.size < MIN_LARGER * self.body.size and block.text.count(",") >= 3:
            return 0  # names, not a title
        if title:
            return min(MAX_LEVEL, self._outline[title])
        return self._depth_levels.get(depth, level)


def is_label(page: Page, block: Block) -> bool:
    """Return True for text that OCR read in a picture; a picture of most of the page is a page itself."""
    return block.source is Source.OCR and any(
        other.type is BlockType.PICTURE
        and other.box.contains(block.box, slack=PICTURE_SLACK_POINTS)
        and other.box.width * other.box.height < MAX_PICTURE_SHARE * page.width * page.height
        for other in page.blocks
    )


def is_lead(page: Page, index: int) -> bool:
    """Return True if a block is followed by text, a list, a table or a picture just below it, as headings are."""
    block = page.blocks[index]
    for other in page.blocks[index + 1 : index + 3]:
        if other.box.x0 < block.box.x1 + 4 and other.box.x1 > block.box.x0 - 4 and other.box.top > block.box.middle:
            return other.box.top - block.box.bottom < 3 * block.lines[0].box.height
    return False


def is_numbered_lead(page: Page, index: int) -> bool:
    """Return True if a line with a number is alone above a longer text without one: no item of a list."""
    block = page.blocks[index]
    if not depth_of(block) or len(block.lines) > 1 or not is_lead(page, index):
        return False
    below = page.blocks[index + 1]
    title = _DECIMAL.sub("", block_text(block), count=1).strip(" .)")
    return (
        below.type is BlockType.PARAGRAPH
        and not depth_of(below)
        and len(below.text) > 1.2 * len(block.text)
        and not title[:1].islower()
        and len(title) <= MAX_PLAIN_CHARACTERS
    )
