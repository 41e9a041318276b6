"""Running headers and footers: lines of the margins that repeat over the pages of a document, or are plainly apart.

Two lines are the same running line when their text is equal at the same height in the same size. Only a page counter
may differ: a number that rises by one with the page. Any other difference, in digits too, makes them two texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from apps.pages.layout.document.page_counters import is_lone_counter, is_page_phrase, readings
from apps.pages.layout.document.page_margins import has_inner_margins, inner_margin_of, is_turned, margin_of
from apps.pages.model.blocks import Block, BlockType, Page

# Running lines are at the same height on every page, within this distance.
MAX_HEIGHT_DIFFERENCE_POINTS = 4.0
# A line inside the margins of the paper repeats on at least this many pages.
MIN_INNER_PAGES = 3
MAX_COMPARED_CHARACTERS = 400
# So near to the edge, as a share of the height, a line is apart from the text without other signs.
EDGE_SHARE = 0.065
# Letters below this share of the size of the body are small type.
SMALL_TYPE = 0.93
# Running lines are this far from the text, in heights of the line; without a rule or small type.
MIN_SPACE_HEIGHTS = 0.6
# Without repetition, they are this far away.
MIN_LONE_SPACE_HEIGHTS = 1.4
# A short line so near to the lower edge, and so far from the text, is a running foot in letters of any size.
FOOT_SHARE, MIN_FOOT_SPACE_HEIGHTS = 0.04, 3.0
# Below this share of the page, nothing: the page is a letter, a form, a slide.
SHORT_PAGE_SHARE = 0.62
# Lines of the text up to this length are compared with those of the other pages.
MAX_SHORT_CHARACTERS = 80
# In a series of documents of one kind, this share of the pages repeats such a line at its place.
MIN_SERIES_SHARE = 0.9
# Memory: at most this many different lines are remembered.
MAX_REMEMBERED = 100_000

_ADDRESS = re.compile(
    r"https?://|www\.|\bdoi\b|\b10\.\d{4,}/|©|\(c\) ?\d{4}|\S+@\S+\.\w|\w\.(?:org|com|net|edu|gov)\b", re.I
)

# A place of running lines with changing titles has at least this many lines.
MIN_PLACE_LINES = 4
_SECTION_NUMBER = re.compile(r"^[^\W\d_]*\s?\d{1,2}(?:\.\d{1,2})*[.:]?\s")
Place = tuple[str, int, float]
"""Zone, distance from the edge of the page, size of the letters."""
_MARKED = {BlockType.PAGE_HEADER: "header", BlockType.PAGE_FOOTER: "footer"}


def block_text(block: Block) -> str:
    return f"{block.marker} {block.text}" if block.marker else block.text


def compared_text(block: Block) -> str:
    """Return the lines of a block, one below the other, as far as they are compared."""
    text = block.lines[0].text if len(block.lines) == 1 else "\n".join([line.text for line in block.lines])
    return text[:MAX_COMPARED_CHARACTERS]


class RunningLines:
    """The lines that the margins of all pages have in common. First ``add`` every page, then ask ``zone_of``."""

    def __init__(self) -> None:
        self._heights: dict[tuple[str, str, float], Counter[int]] = {}
        self._places: Counter[Place] = Counter()
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
        has_inner = has_inner_margins(page)
        for block in page.blocks:
            zone = margin_of(page, block)
            inner = inner_margin_of(page, block) if has_inner else ""
            if zone or inner:
                self._count(page, block, zone or inner)
                self._has_body |= not zone
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
        self._places[(zone, round(_from_edge(zone, page, block)), size)] += 1
        for reading in readings(text, page.number):
            key = (zone, reading.signature, size)
            heights = self._heights.get(key)
            if heights is None:
                if len(self._heights) >= MAX_REMEMBERED:
                    continue
                heights = self._heights[key] = Counter()
            heights[round(_from_edge(zone, page, block))] += 1
            if reading.counts and is_lone_counter(text):
                self._offsets[reading.offset] += 1
        self._lone[zone] += is_lone_counter(text)

    def finish(self, body_size: float) -> None:
        """End the survey. ``body_size``: the size of most letters of the document."""
        self._body_size = body_size
        repeated = [count for count in self._body_lines.values() if count > 1]
        # Pages whose texts repeat at one place are documents of one kind, such as letters: repetition shows little.
        self._is_series = sum(repeated) >= MIN_SERIES_SHARE * self._pages and self._pages > 1
        self._body_lines.clear()

    def zones_of(self, page: Page) -> list[str]:
        """Return "header" or "footer" for each block of a page that is a running line, "" for the others."""
        zones = [margin_of(page, block) for block in page.blocks]
        if not any(zones) and has_inner_margins(page):
            zones = [inner_margin_of(page, block) for block in page.blocks]
            zones = [
                zone
                if zone and self._repeats(page, block, zone, MIN_INNER_PAGES) and self._has_sign(page, block, zone)
                else ""
                for block, zone in zip(page.blocks, zones, strict=True)
            ]
        elif any(zones):
            body = [
                block
                for block, zone in zip(page.blocks, zones, strict=True)
                if not zone and (block.text or block.cells or block.type is BlockType.PICTURE)
            ]
            zones = [
                zone if zone and self._is_running(page, block, zone, body) else ""
                for block, zone in zip(page.blocks, zones, strict=True)
            ]
            zones = [
                "" if zone and self._touches_text(page, block, zone, zones) else zone
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
        if self._is_in_place(page, block, zone):
            return True
        return self._stands_alone(page, block, zone, body)

    def begins(self, page: Page, block: Block) -> bool:
        """Return True if no earlier page has the line in its margins."""
        return self._first_pages.get(compared_text(block)) == page.number

    def _repeats(self, page: Page, block: Block, zone: str, min_pages: int = 0) -> bool:
        wanted = min_pages or self._wanted
        place, size = _from_edge(zone, page, block), _size(block)
        for reading in readings(compared_text(block), page.number):
            if reading.counts and not reading.is_sure and not self._is_page_offset(reading.offset, block, zone):
                continue
            heights = self._heights.get((zone, reading.signature, size))
            if heights is not None and wanted <= sum(
                count for height, count in heights.items() if abs(height - place) <= MAX_HEIGHT_DIFFERENCE_POINTS
            ):
                return True
        return False

    def _is_page_offset(self, offset: int, block: Block, zone: str) -> bool:
        """Return True if page numbers have this offset; "Mill Report 3" counts pages at the foot of page 3 alone."""
        return self._offsets[offset] >= 2 or (offset == 0 and zone == "footer" and not block.lines[0].bold)

    @property
    def _wanted(self) -> int:
        """The number of pages on which a line repeats to be a running line."""
        return 2 if self._pages <= 6 else 3

    def _is_in_place(self, page: Page, block: Block, zone: str) -> bool:
        """Return True for a title of a section in the place of running lines, beside a page counter.

        Titles change with the section. A text with other digits than those of a section is no title.
        """
        place = (zone, round(_from_edge(zone, page, block)), _size(block))
        text = _SECTION_NUMBER.sub("", compared_text(block))
        if len(block.lines) > 1 or len(text) > MAX_SHORT_CHARACTERS or any(map(str.isdigit, text)):
            return False
        if self._places[place] < MIN_PLACE_LINES or not self._has_counter(page, block):
            return False
        return block.lines[0].size <= 1.05 * self._body_size

    def _is_apart(self, page: Page, block: Block, zone: str, body: list[Block]) -> bool:
        """Return True if a line that repeats is set apart from the text of the page."""
        if self._has_sign(page, block, zone):
            return True
        if self._is_series:
            return False
        return _from_edge(zone, page, block) <= EDGE_SHARE * page.height or (
            _space_to(body, block) >= MIN_SPACE_HEIGHTS * block.lines[0].box.height
            and self._short_pages <= 0.5 * self._pages
        )

    def _has_sign(self, page: Page, block: Block, zone: str) -> bool:
        """Return True if small type, a rule or a page counter sets a line apart."""
        return self._is_small(block) or _has_separator(page, block, zone) or self._has_counter(page, block)

    def _touches_text(self, page: Page, block: Block, zone: str, zones: Sequence[str]) -> bool:
        """Return True if a line of the margin that is text is just below or above, towards the middle of the page."""
        if self._has_sign(page, block, zone):
            return False
        box, height = block.box, block.lines[0].box.height
        return any(
            not other_zone
            and other.lines
            and margin_of(page, other) == zone
            and other.box.x0 < box.x1
            and other.box.x1 > box.x0
            and -0.5 * height
            <= (other.box.top - box.bottom if zone == "header" else box.top - other.box.bottom)
            <= MIN_SPACE_HEIGHTS * height
            for other, other_zone in zip(page.blocks, zones, strict=True)
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

    def _is_large(self, block: Block) -> bool:
        return block.lines[0].size > 1.15 * self._body_size

    def _stands_alone(self, page: Page, block: Block, zone: str, body: list[Block]) -> bool:
        """Return True for a running line by its place and look alone, as on the only page of a document."""
        text = compared_text(block)
        if any(b.box.bottom <= block.box.top if zone == "header" else b.box.top >= block.box.bottom for b in body):
            return False
        if is_lone_counter(text):
            # More numbers at this place that do not count the pages are values.
            return self._lone[zone] <= 2 and block.lines[0].size <= 1.3 * max(self._body_size, 1.0)
        if is_page_phrase(text):
            return True
        if len(block.lines) > 2 or _space_to(body, block) < MIN_LONE_SPACE_HEIGHTS * block.lines[0].box.height:
            return False
        is_sentence = len(text) > 120 or (text.endswith(".") and text.count(" ") > 7)
        if is_sentence or self._is_large(block) or (zone == "footer" and starts_like_note(text)):
            return False
        from_edge, height = _from_edge(zone, page, block) / page.height, block.lines[0].box.height
        is_foot = zone == "footer" and from_edge <= FOOT_SHARE and len(text) <= MAX_SHORT_CHARACTERS
        if is_foot and _space_to(body, block) >= MIN_FOOT_SPACE_HEIGHTS * height:
            return True
        return self._has_sign(page, block, zone) and (from_edge <= EDGE_SHARE or _ADDRESS.search(text) is not None)


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
    """Return True if a ruling is between a line of the margin and the text."""
    box = block.box
    return any(
        (box.bottom - 2 <= rule.top <= box.bottom + 14 if zone == "header" else box.top - 14 <= rule.top <= box.top + 2)
        and rule.x0 < box.x1
        and rule.x1 > box.x0
        for rule in page.separators
    )
