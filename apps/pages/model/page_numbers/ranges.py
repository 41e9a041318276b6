"""Parse lists of pages such as "1,3-5", counted from 1."""

from __future__ import annotations

import re

from apps.pages.model.errors import PageOutOfRange

DEFAULT_RANGE_PAGES = 16
"""Pages that one child process reads at once. A longer document is read in several ranges."""
MAX_PAGE_RANGES_CHARACTERS = 4096
_PART = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", re.ASCII)
_HOW = 'Write page numbers from 1 and ranges of them, for example "1,3-5".'


def check_page_ranges(text: str) -> None:
    """Raise ``PageOutOfRange`` when ``text`` is not a list of pages."""
    _parts(text)


def parse_page_ranges(text: str, *, page_count: int) -> tuple[int, ...]:
    """Return the requested pages that exist, in ascending order, without duplicates; all pages for an empty text.

    Raise ``PageOutOfRange`` for a text that is not a list of pages, and if none of the pages exists. A range is cut
    before it is expanded, so a huge one costs nothing.
    """
    if not text.strip():
        return tuple(range(1, page_count + 1))
    wanted: set[int] = set()
    for first, last in _parts(text):
        wanted.update(range(first, min(last, page_count) + 1))
    if not wanted:
        have = f"{page_count} page{'' if page_count == 1 else 's'}"
        raise PageOutOfRange(
            f"Page {last_page(text)} was requested, but the document has {have}. Send pages that exist."
        )
    return tuple(sorted(wanted))


def last_page(text: str) -> int:
    """Return the highest page of the list, 0 for an empty one; the document may not have it."""
    return max((last for _, last in _parts(text)), default=0) if text.strip() else 0


def _parts(text: str) -> list[tuple[int, int]]:
    if len(text) > MAX_PAGE_RANGES_CHARACTERS:
        raise PageOutOfRange(
            f"The list of pages is longer than {MAX_PAGE_RANGES_CHARACTERS} characters. Use ranges: 1-500."
        )
    parts = []
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise PageOutOfRange(f"{part.strip()[:40]!r} is not a page or a range of pages. {_HOW}")
        first = int(found[1])
        last = int(found[2] or first)
        if first == 0:
            raise PageOutOfRange(f"There is no page 0; the first page is 1. {_HOW}")
        if last < first:
            raise PageOutOfRange(f"The range {first}-{last} goes backwards. {_HOW}")
        parts.append((first, last))
    return parts
