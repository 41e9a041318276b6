"""The page labels of a PDF: the numbers that viewers show for pages, such as "iv" or "A-3" (PDF 32000-1, 12.4.2).

The number tree is untrusted: it may loop, have no end or name pages that do not exist, so it is read within limits.
"""

from __future__ import annotations

from typing import Any

from apps.pages.model.page_numbers.labels import LabelRange
from apps.pages.model.text.safe_text import clean

MAX_RANGES, MAX_NODES = 1_000, 2_000
MAX_PREFIX_CHARACTERS, MAX_NUMBER = 40, 1_000_000
_STYLES = frozenset("DRrAa")


def read_page_labels(pdf: Any) -> tuple[LabelRange, ...]:
    """Return the ranges of labels of a document that pikepdf opened, the first page first; () when there are none."""
    import pikepdf

    found: dict[int, LabelRange] = {}
    try:
        waiting = [pdf.Root.get("/PageLabels")]
        seen: set[tuple[int, int]] = set()
        while waiting and len(seen) < MAX_NODES and len(found) < MAX_RANGES:
            node = waiting.pop()
            if not isinstance(node, pikepdf.Dictionary) or (node.is_indirect and node.objgen in seen):
                continue
            if node.is_indirect:
                seen.add(node.objgen)
            pairs, kids = node.get("/Nums"), node.get("/Kids")
            if isinstance(pairs, pikepdf.Array):
                for at in range(0, min(len(pairs), 2 * MAX_RANGES) - 1, 2):
                    label = _range(pairs[at], pairs[at + 1])
                    if label is not None:
                        found.setdefault(label.first_page, label)
            if isinstance(kids, pikepdf.Array):
                waiting += [kids[at] for at in reversed(range(min(len(kids), MAX_NODES)))]
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, pikepdf.PdfError):
        return ()  # broken labels take nothing from the pages
    return tuple(found[page] for page in sorted(found))


def _range(index: Any, entry: Any) -> LabelRange | None:
    import pikepdf

    if not isinstance(index, int) or not 0 <= index < MAX_NUMBER or not isinstance(entry, pikepdf.Dictionary):
        return None
    style, start = str(entry.get("/S", "")).removeprefix("/"), entry.get("/St", 1)
    prefix = clean(str(entry.get("/P", ""))).replace("\n", " ")[:MAX_PREFIX_CHARACTERS]
    if not isinstance(start, int) or not 1 <= start < MAX_NUMBER:
        start = 1
    return LabelRange(index + 1, style if style in _STYLES else "", prefix, start)
