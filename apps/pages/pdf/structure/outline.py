"""The outline of a PDF (its bookmarks), read with bounds: outlines of hostile files loop or have no end."""

from __future__ import annotations

from typing import Any

from apps.pages.model.blocks import Bookmark
from apps.pages.model.text.safe_text import clean

MAX_BOOKMARKS = 3_000
MAX_BOOKMARK_LEVEL = 12
MAX_TITLE_CHARACTERS = 300


def read_outline(pdf: Any) -> tuple[Bookmark, ...]:
    """Return the bookmarks of a document that pikepdf opened, in their order; () when there is no sound outline.

    Each object counts once, so a circle of entries ends. Only titles are read: destinations are not resolved.
    """
    import pikepdf

    found: list[Bookmark] = []
    seen: set[tuple[int, int]] = set()
    try:
        waiting = [(pdf.Root.Outlines.First, 1)] if "/Outlines" in pdf.Root else []
        while waiting and len(seen) < MAX_BOOKMARKS:
            entry, level = waiting.pop()
            if not isinstance(entry, pikepdf.Dictionary) or not entry.is_indirect or entry.objgen in seen:
                continue
            seen.add(entry.objgen)
            title = " ".join(clean(str(entry.get("/Title", ""))).split())[:MAX_TITLE_CHARACTERS]
            if title:
                found.append(Bookmark(title, level))
            if "/Next" in entry:
                waiting.append((entry.Next, level))
            if "/First" in entry and level < MAX_BOOKMARK_LEVEL:
                waiting.append((entry.First, level + 1))
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, pikepdf.PdfError):
        return tuple(found)  # a broken outline takes nothing from the pages
    return tuple(found)
