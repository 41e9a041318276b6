"""Turned lines. In the side margins, as stamps of archives and downloads, they are no text of the page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from apps.pages.layout.document.page_margins import is_turned
from apps.pages.model.blocks import Block, Page

# The margin is this share of the page width.
SIDE_MARGIN_SHARE = 0.08
# A stamp is at least this long; shorter lines name the photographer of a picture or the axis of a chart.
MIN_LENGTH_POINTS = 100.0
MAX_COMPARED_CHARACTERS = 400
# A stamp on a single page has a date, a number or an address.
_SIGN = re.compile(r"\d|\w\.\w{2}")


class SideLines:
    """The turned lines in the side margins of all pages. First ``add`` those of every page, then ask ``is_stamp``."""

    def __init__(self) -> None:
        self._pages: Counter[tuple[str, int]] = Counter()

    def add(self, lines: Sequence[Block]) -> None:
        """Count the lines that ``lines_beside`` returns for a page."""
        self._pages.update({_key(line) for line in lines})

    def is_stamp(self, line: Block) -> bool:
        """Return True if a line of ``lines_beside`` repeats on another page, or is no text by its look alone."""
        is_long = line.box.height >= MIN_LENGTH_POINTS and _SIGN.search(line.text) is not None
        return is_long or self._pages[_key(line)] > 1


def lines_beside(page: Page) -> list[Block]:
    """Return the turned lines near the left and right edge of a page that are beyond all other text."""
    turned = [block for block in page.blocks if block.text and is_turned(block)]
    body = [block.box for block in page.blocks if (block.text or block.cells) and block not in turned] if turned else ()
    if not body:
        return []
    left = min(SIDE_MARGIN_SHARE * page.width, *(box.x0 for box in body))
    right = max((1 - SIDE_MARGIN_SHARE) * page.width, *(box.x1 for box in body))
    return [block for block in turned if block.box.x1 <= left or block.box.x0 >= right]


def _key(line: Block) -> tuple[str, int]:
    return line.text[:MAX_COMPARED_CHARACTERS], round(line.box.x0)
