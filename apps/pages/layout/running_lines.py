"""Running headers and footers: lines of the margins that repeat over the pages of a document, or are plainly apart.

Two lines are the same running line when their text is equal at the same height in the same size. Only a page counter
may differ: a number that rises by one with the page. Any other difference, in digits too, makes them two texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import Block, BlockType, Page

# Running headers and footers are in this share of the page height, at the top and the bottom, ...
MARGIN_SHARE = 0.12
# ... and at the same height on every page, within this distance.
MAX_HEIGHT_DIFFERENCE_POINTS = 4.0
MAX_RUNNING_LINES = 3
MAX_COMPARED_CHARACTERS = 400
# So near to the edge, as a share of the height, a line is apart from the text without other signs.
EDGE_SHARE = 0.065
# Letters below this share of the size of the body are small type.
SMALL_TYPE = 0.93
# Running lines are this far from the text, in heights of the line; without a rule or small type.
MIN_SPACE_HEIGHTS = 0.6
# Without repetition, they are this far away.
MIN_LONE_SPACE_HEIGHTS = 1.4
# Below this share of the page, nothing: the page is a letter, a form, a slide.
SHORT_PAGE_SHARE = 0.62
# Lines of the text up to this length are compared with those of the other pages.
MAX_SHORT_CHARACTERS = 80
# So many numbers of a line are tried as page counter.
MAX_COUNTERS = 5
# Memory: so many different lines are remembered.
MAX_REMEMBERED = 100_000

_TOKEN = re.compile(r"\d+|(?<![^\W_])(?:[ivxlcdm]{1,7}|[IVXLCDM]{1,7})(?![^\W_])")
_ROMAN = re.compile(r"m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})", re.IGNORECASE)
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
# Words for a page before its number, and between the number and the count of pages.
_PAGE_WORD = re.compile(
    r"(?:page|seite|blatt|стр|страница|página|pagina|pág|pag|p|pg|σελίδα|صفحة|صفحه|หน้า|第)\W*$", re.IGNORECASE
)
_OF_COUNT = re.compile(r"\s*(?:/|of|von|de|из|di|sur|van|av|af|z|od)?\W{0,3}\d{1,5}\W*", re.IGNORECASE)
_SEPARATORS = frozenset("|·•–—/‖¦")
_LONE = re.compile(r"\W*(?:\d{1,5}|[ivxlcdm]{1,7}|[IVXLCDM]{1,7}|\d{1,3}\s?[-–.]\s?\d{1,4}|[A-Z][-–.]\d{1,4})\W*")
_ADDRESS = re.compile(
    r"https?://|www\.|\bdoi\b|\b10\.\d{4,}/|©|\(c\) ?\d{4}|\S+@\S+\.\w|\w\.(?:org|com|net|edu|gov)\b", re.I
)

_MARKED = {BlockType.PAGE_HEADER: "header", BlockType.PAGE_FOOTER: "footer"}


class Reading(msgspec.Struct, gc=False):
    """A line with one of its numbers read as page counter. ``offset``: number minus page. ``is_sure``: set apart."""

    signature: str
    offset: int = 0
    is_sure: bool = True
    counts: bool = False


def margin_of(page: Page, block: Block) -> str:
    """Return "header" or "footer" if the block is in that margin, "" elsewhere."""
    if not block.lines or len(block.lines) > MAX_RUNNING_LINES or is_turned(block):
        return ""
    if block.box.bottom <= MARGIN_SHARE * page.height:
        return "header"
    if block.box.top >= (1 - MARGIN_SHARE) * page.height:
        return "footer"
    return ""


def is_turned(block: Block) -> bool:
    """Return True for turned text, such as stamps and watermarks: its lines are much higher than its letters."""
    return any(line.size and line.box.height > 2.5 * line.size for line in block.lines[:1])


def block_text(block: Block) -> str:
    return f"{block.marker} {block.text}" if block.marker else block.text


def compared_text(block: Block) -> str:
    """Return the lines of a block, one below the other, as far as they are compared."""
    text = block.lines[0].text if len(block.lines) == 1 else "\n".join([line.text for line in block.lines])
    return text[:MAX_COMPARED_CHARACTERS]


def readings(text: str, page_number: int) -> list[Reading]:
    """Return the ways to read lines: as they are, and with one of the numbers at their ends as page counter."""
    found = [Reading(text)]
    for token in _TOKEN.finditer(text):
        before, after = text[: token.start()].rpartition("\n")[2], text[token.end() :].partition("\n")[0]
        at_end = not any(c.isalnum() for c in after) or _OF_COUNT.fullmatch(after) is not None
        at_start = not any(c.isalnum() for c in before)
        paged = _PAGE_WORD.search(before) is not None
        if not (at_end or at_start or paged):
            continue
        value = _value(token.group())
        if value is None or len(found) > MAX_COUNTERS:
            continue
        last, following = before.rstrip()[-1:], after.lstrip()[:1]
        is_sure = paged or (at_start and at_end) or (at_end and last in _SEPARATORS) or following in _SEPARATORS
        sign = "#" if token.group().isdigit() else "r"
        signature = f"{text[: token.start()]}\0{sign}{value - page_number}\0{text[token.end() :]}"
        found.append(Reading(signature, value - page_number, is_sure, True))
    return found


def _value(token: str) -> int | None:
    if token[0].isdigit():
        return int(token) if len(token) <= 6 else None
    if not _ROMAN.fullmatch(token):
        return None
    values = [_ROMAN_VALUES[c] for c in token.lower()]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


class RunningLines:
    """What the margins of all pages have in common. First ``add`` every page, then ask ``zone_of``."""

    def __init__(self) -> None:
        self._heights: dict[tuple[str, str, float], Counter[int]] = {}
        self._offsets: Counter[int] = Counter()
        self._lone: Counter[str] = Counter()
        self._body_lines: dict[int, int] = {}
        self._first_pages: dict[str, int] = {}
        self._pages = 0
        self._short_pages = 0
        self._has_body = False
        self._is_series = False
        self._body_size = 0.0

    def add(self, page: Page) -> None:
        """Count the lines in the margins of a page."""
        self._pages += 1
        bottom = 0.0
        for block in page.blocks:
            zone = margin_of(page, block)
            if zone:
                self._count(page, block, zone)
            elif block.text or block.cells:
                self._has_body = True
                bottom = max(bottom, block.box.bottom)
                is_short = len(block.lines) == 1 and len(block.text) <= MAX_SHORT_CHARACTERS
                if is_short and not is_turned(block) and len(self._body_lines) < MAX_REMEMBERED:
                    key = hash((block.text, round(block.box.top)))
                    self._body_lines[key] = self._body_lines.get(key, 0) + 1
        self._short_pages += bottom < SHORT_PAGE_SHARE * page.height

    def _count(self, page: Page, block: Block, zone: str) -> None:
        text = compared_text(block)
        size = _size(block)
        self._first_pages.setdefault(text, page.number)
        for reading in readings(text, page.number):
            key = (zone, reading.signature, size)
            heights = self._heights.get(key)
            if heights is None:
                if len(self._heights) >= MAX_REMEMBERED:
                    continue
                heights = self._heights[key] = Counter()
            heights[round(_from_edge(zone, page, block))] += 1
            if reading.counts and _LONE.fullmatch(text):
                self._offsets[reading.offset] += 1
        self._lone[zone] += _LONE.fullmatch(text) is not None

    def finish(self, body_size: float) -> None:
        """End the survey. ``body_size``: the size of most letters of the document."""
        self._body_size = body_size
        repeated = [count for count in self._body_lines.values() if count > 1]
        # Pages whose texts repeat at the same place are documents of one kind, such as letters: repetition says little.
        self._is_series = len(repeated) >= 2 and sum(repeated) >= self._pages
        self._body_lines.clear()

    def zones_of(self, page: Page) -> list[str]:
        """Return "header" or "footer" for each block of a page that is a running line, "" for the others."""
        zones = [margin_of(page, block) for block in page.blocks]
        if any(zones):
            body = [
                block
                for block, zone in zip(page.blocks, zones, strict=True)
                if not zone and (block.text or block.cells or block.type is BlockType.PICTURE)
            ]
            zones = [
                zone if zone and self._is_running(page, block, zone, body) else ""
                for block, zone in zip(page.blocks, zones, strict=True)
            ]
        return [_MARKED.get(block.type, zone) for block, zone in zip(page.blocks, zones, strict=True)]

    def _is_running(self, page: Page, block: Block, zone: str, body: list[Block]) -> bool:
        if not self._has_body:
            return False
        if not body:
            # A page whose text is all in the margins: only what many other pages repeat is no text of its own.
            return self._pages > 3 and self._repeats(page, block, zone, min_pages=4)
        if self._repeats(page, block, zone) and self._is_apart(page, block, zone, body):
            return True
        return self._stands_alone(page, block, zone, body)

    def begins(self, page: Page, block: Block) -> bool:
        """Return True if no earlier page has the line in its margins."""
        return self._first_pages.get(compared_text(block)) == page.number

    def _repeats(self, page: Page, block: Block, zone: str, min_pages: int = 0) -> bool:
        wanted = min_pages or (2 if self._pages <= 6 else 3)
        place, size = _from_edge(zone, page, block), _size(block)
        for reading in readings(compared_text(block), page.number):
            if reading.counts and not reading.is_sure and not self._is_page_offset(reading.offset):
                continue
            heights = self._heights.get((zone, reading.signature, size))
            if heights is not None and wanted <= sum(
                count for height, count in heights.items() if abs(height - place) <= MAX_HEIGHT_DIFFERENCE_POINTS
            ):
                return True
        return False

    def _is_page_offset(self, offset: int) -> bool:
        """Return True if other lines of the document count the pages with this offset."""
        return offset == 0 or self._offsets[offset] >= 2

    def _is_apart(self, page: Page, block: Block, zone: str, body: list[Block]) -> bool:
        """Return True if a line that repeats is set apart from the text of the page."""
        if self._is_small(block) or _has_separator(page, block, zone) or self._has_counter(page, block):
            return True
        if self._is_series:
            return False
        return _from_edge(zone, page, block) <= EDGE_SHARE * page.height or (
            _space_to(body, block) >= MIN_SPACE_HEIGHTS * block.lines[0].box.height
            and self._short_pages <= 0.5 * self._pages
        )

    def _has_counter(self, page: Page, block: Block) -> bool:
        """Return True if a page counter is in the line or beside it."""
        return any(
            reading.counts and (self._offsets[reading.offset] >= 2 or (reading.is_sure and reading.offset == 0))
            for other in page.blocks
            if other is block or (abs(other.box.middle - block.box.middle) <= 3.0 and margin_of(page, other))
            for reading in readings(compared_text(other), page.number)
        )

    def _is_small(self, block: Block) -> bool:
        return 0 < block.lines[0].size <= SMALL_TYPE * self._body_size

    def _stands_alone(self, page: Page, block: Block, zone: str, body: list[Block]) -> bool:
        """Return True for a running line by its place and look alone, as on the only page of a document."""
        text = compared_text(block)
        if any(b.box.bottom <= block.box.top if zone == "header" else b.box.top >= block.box.bottom for b in body):
            return False
        if _LONE.fullmatch(text):
            # More numbers at this place that do not count the pages are values.
            return self._lone[zone] <= 2 and block.lines[0].size <= 1.3 * max(self._body_size, 1.0)
        if _is_page_phrase(text):
            return True
        if len(block.lines) > 2 or _space_to(body, block) < MIN_LONE_SPACE_HEIGHTS * block.lines[0].box.height:
            return False
        is_sentence = len(text) > 120 or (text.endswith(".") and text.count(" ") > 7)
        if is_sentence or (zone == "footer" and starts_like_note(text)):
            return False
        is_near = _from_edge(zone, page, block) <= EDGE_SHARE * page.height
        is_marked = self._is_small(block) or _has_separator(page, block, zone)
        return is_marked and (is_near or _ADDRESS.search(text) is not None)


def _is_page_phrase(text: str) -> bool:
    """Return True for "Page 3", "Seite 3 von 9", "- 3 -"."""
    found = _TOKEN.search(text)
    if found is None or len(text) > 30:
        return False
    after = text[found.end() :]
    is_over = not any(c.isalnum() for c in after) or _OF_COUNT.fullmatch(after) is not None
    return is_over and _PAGE_WORD.fullmatch(text[: found.start()].strip(" -–—|·[(") or "?") is not None


def starts_like_note(text: str) -> bool:
    """Return True if a text begins as footnotes do, with a number or sign."""
    return re.match(r"(?:\d{1,3}\)?\.?|[*†‡§¶‖#a-z]\)?)\s*(?=\S)", text) is not None and not re.match(r"[a-z]{2}", text)


def _size(block: Block) -> float:
    return round(block.lines[0].size * 2) / 2


def _from_edge(zone: str, page: Page, block: Block) -> float:
    return block.box.top if zone == "header" else page.height - block.box.bottom


def _space_to(body: Sequence[Block], block: Block) -> float:
    """Return the white space between a line of a margin and the nearest block of the text."""
    box = block.box
    return min((max(other.box.top - box.bottom, box.top - other.box.bottom) for other in body), default=1000.0)


def _has_separator(page: Page, block: Block, zone: str) -> bool:
    """Return True if a rule lies between a line of the margin and the text."""
    box = block.box
    return any(
        (box.bottom - 2 <= rule.top <= box.bottom + 14 if zone == "header" else box.top - 14 <= rule.top <= box.top + 2)
        and rule.x0 < box.x1
        and rule.x1 > box.x0
        for rule in page.separators
    )
