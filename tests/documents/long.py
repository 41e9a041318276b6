"""A long document with a different text on every page; the same arguments give the same bytes."""

from __future__ import annotations

import random

from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.hostile import stream

_SENTENCE = (
    "water mill grain stone wheel river field harvest flour bread oven village road market letter ledger account"
    " weight measure copper silver window table garden morning winter summer bridge forest county harbour"
)
WORDS = _SENTENCE.split()
LINES_PER_PAGE = 52


def long_document(pages: int, *, columns: int = 1, lines: int = LINES_PER_PAGE) -> bytes:
    """Return a PDF with headings and numbered lines. More ``columns`` make a page take longer to read."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number in range(1, pages + 1):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F 3 0 R>>>>>>"
            % (3 + 2 * number)
        )
        objects.append(stream(page_content(number, columns, lines)))
    return assembled_pdf(*objects)


def heading_of(number: int) -> str:
    """Return the heading of a page. Neighbouring pages have different ones, so none is removed as a running header."""
    return " ".join(random.Random(-number).sample(WORDS, 3)).capitalize()


def page_content(number: int, columns: int, lines: int) -> bytes:
    """Return the content stream of a page: its heading, then lines of random words in columns."""
    chance = random.Random(number)
    parts = [f"BT /F 16 Tf 60 740 Td ({heading_of(number)}) Tj ET"]
    width = 500 // columns
    for line in range(lines):
        for column in range(columns):
            words = " ".join(chance.choices(WORDS, k=max(2, 12 // columns)))
            x, y = 60 + column * width, 710 - 12 * line
            parts.append(f"BT /F {9 if columns == 1 else 5} Tf {x} {y} Td ({line + 1}. {words} {number}) Tj ET")
    return "\n".join(parts).encode("ascii")
