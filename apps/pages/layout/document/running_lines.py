"""Running headers and footers: lines of the margins that repeat over the pages of a document, or are plainly apart.

Two lines are the same running line when their text is equal at the same height in the same size. Only a page counter
may differ: a number that rises by one with the page. Any other difference, in digits too, makes them two texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from apps.pages.layout.document.lone_lines import is_large, is_small, stands_alone
from apps.pages.layout.document.page_counters import (
    ClosingNumber,
    closing_number,
    is_lone_counter,
    readings,
)
from apps.pages.layout.document.page_margins import (
    compared_text,
    edge_distance,
    has_inner_margins,
    has_separator,
    inner_margin_of,
    is_in_margin,
    is_turned,
    margin_of,
    size_of,
    space_to,
)
from apps.pages.layout.document.turned_lines import SideLines, lines_beside
from apps.pages.model.blocks import Block, BlockType, Page

# Running lines are at the same height on every page, within this distance.
MAX_HEIGHT_DIFFERENCE_POINTS = 4.0
# A line inside the margins of the paper repeats on at least this many pages.
MIN_INNER_PAGES = 3
# So near to the edge, as a share of the height, a line is apart from the text without other signs.
EDGE_SHARE = 0.065
# Running lines are this far from the text, in heights of the line; without a rule or small type.
MIN_SPACE_HEIGHTS = 0.6
# Below this share of the page, nothing: the page is a letter, a form, a slide.
SHORT_PAGE_SHARE = 0.62
# Lines of the text up to this length are compared with those of the other pages.
MAX_SHORT_CHARACTERS = 80
# In a series of documents of one kind, this share of the pages repeats such a line at its place.
MIN_SERIES_SHARE = 0.9
# Memory: at most this many different lines are remembered.
MAX_REMEMBERED = 100_000

# A place of running lines with changing titles has at least this many lines.
MIN_PLACE_LINES = 4
_SECTION_NUMBER = re.compile(r"^[^\W\d_]*\s?\d{1,2}(?:\.\d{1,2})*[.:]?\s")
Place = tuple[str, int, float]
"""Zone, distance from the edge of the page, size of the letters."""
_MARKED = {BlockType.PAGE_HEADER: "header", BlockType.PAGE_FOOTER: "footer"}


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
        self._side_lines = SideLines()
        self._closing: Counter[int] = Counter()

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
        self._side_lines.add(lines_beside(page))
        number = closing_number(page)
        if number is not None:
            self._closing[number.offset] += 1

    def _count(self, page: Page, block: Block, zone: str) -> None:
        text = compared_text(block)
        size = size_of(block)
        self._first_pages.setdefault(text, page.number)
        self._places[(zone, round(edge_distance(zone, page, block)), size)] += 1
        for reading in readings(text, page.number):
            key = (zone, reading.signature, size)
            heights = self._heights.get(key)
            if heights is None:
                if len(self._heights) >= MAX_REMEMBERED:
                    continue
                heights = self._heights[key] = Counter()
            heights[round(edge_distance(zone, page, block))] += 1
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
                if not zone
                and (block.text or block.cells or (block.type is BlockType.PICTURE and not is_in_margin(page, block)))
            ]
            zones = [
                zone if zone and self._is_running(page, block, zone, body) else ""
                for block, zone in zip(page.blocks, zones, strict=True)
            ]
            zones = [
                "" if zone and self._touches_text(page, block, zone, zones) else zone
                for block, zone in zip(page.blocks, zones, strict=True)
            ]
        aside = [block for block in lines_beside(page) if self._side_lines.is_stamp(block)]
        number = closing_number(page)
        if number is not None and self._counts_pages(number):
            aside.append(number.block)
        zones = ["footer" if block in aside else zone for block, zone in zip(page.blocks, zones, strict=True)]
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
        sign, few = self._has_sign(page, block, zone), self._lone[zone] <= 2
        return stands_alone(page, block, zone, body, body_size=self._body_size, has_sign=sign, few_numbers=few)

    def _counts_pages(self, number: ClosingNumber) -> bool:
        """Return True if the number below the text counts on other pages too, or the document has no others."""
        counted = self._closing[number.offset] + self._offsets[number.offset]
        return not is_large(number.block, self._body_size) and (self._pages == 1 or counted > 1)

    def begins(self, page: Page, block: Block) -> bool:
        """Return True if no earlier page has the line in its margins."""
        return self._first_pages.get(compared_text(block)) == page.number

    def _repeats(self, page: Page, block: Block, zone: str, min_pages: int = 0) -> bool:
        wanted = min_pages or self._wanted
        place, size = edge_distance(zone, page, block), size_of(block)
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
        place = (zone, round(edge_distance(zone, page, block)), size_of(block))
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
        return edge_distance(zone, page, block) <= EDGE_SHARE * page.height or (
            space_to(body, block) >= MIN_SPACE_HEIGHTS * block.lines[0].box.height
            and self._short_pages <= 0.5 * self._pages
        )

    def _has_sign(self, page: Page, block: Block, zone: str) -> bool:
        """Return True if small type, a rule or a page counter sets a line apart."""
        return is_small(block, self._body_size) or has_separator(page, block, zone) or self._has_counter(page, block)

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
