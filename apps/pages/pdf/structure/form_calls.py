"""Count how often a page draws its form XObjects, without loading the page.

PDFium keeps every drawn copy of a form in memory. Ten forms that draw each other ten times are ten thousand million
copies in a file of 3 kB.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from apps.pages.pdf.page_objects import MAX_FORM_DEPTH

MAX_FORM_CALLS = 200_000
_CALL = re.compile(rb"/([^\s/<>\[\](){}%]+)\s+Do(?![^\s/<>\[\](){}%])")


def form_calls(document: Any, number: int) -> int:
    """Return how many forms a page of a pikepdf document draws, those inside of forms included.

    The result is at most one more than ``MAX_FORM_CALLS``, and 0 for a document (None) or page that cannot be read.
    """
    import pikepdf

    try:
        page = document.pages[number - 1]
        contents = page.obj.Contents
        streams = list(contents) if isinstance(contents, pikepdf.Array) else [contents]
        return _Count().of(page.obj.objgen, streams, page.resources, MAX_FORM_DEPTH)
    except (pikepdf.PdfError, IndexError, KeyError, AttributeError, TypeError, ValueError, RuntimeError):
        return 0


class _Count:
    """The counts of the forms of one page."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, int], Counter[bytes]] = {}
        self._found: dict[tuple[tuple[int, int], int], int] = {}

    def of(self, key: tuple[int, int], streams: list[Any], resources: Any, levels: int) -> int:
        """Return the count for a content, which has this ``key``. ``levels``: how many levels of forms to follow."""
        if (key, levels) in self._found or not levels:
            return self._found.get((key, levels), 0)
        if key not in self._names:
            self._names[key] = Counter(_CALL.findall(b"\n".join([stream.read_bytes() for stream in streams])))
        drawn = resources.get("/XObject", {})
        total = 0
        for name, times in self._names[key].items():
            form = drawn.get("/" + name.decode("latin-1"))
            if form is not None and form.get("/Subtype") == "/Form":
                total += times * (1 + self.of(form.objgen, [form], form.get("/Resources", resources), levels - 1))
        return self._found.setdefault((key, levels), min(total, MAX_FORM_CALLS + 1))
