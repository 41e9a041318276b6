"""Generated hostile documents: a few hundred bytes each that exhaust or mislead a careless reader."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import NamedTuple

from apps.pages.sandbox.preload import assembled_pdf, small_pdf

Make = Callable[[], bytes]
SINK = "http://127.0.0.1:9"
"""An address that no document may make us open."""


class Hostile(NamedTuple):
    """A hostile document and the outcomes that the reader may have for it: error codes, or "result" for good pages.

    ``row`` is its number in the table of hostile inputs (docs/reliability.md); several documents may share one.
    ``ending``: of the file's name. ``is_slow``: takes more than a second or two to make or to read.
    """

    row: int
    name: str
    make: Make
    codes: frozenset[str]
    ending: str = "pdf"
    password: str | None = None
    is_slow: bool = False


def outcomes(codes: str) -> frozenset[str]:
    """Return the outcomes of a string such as "result page_timeout"."""
    return frozenset(codes.split())


_CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
_PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"


def deflated(unit: bytes, count: int, level: int = 9) -> bytes:
    """Return ``count`` times ``unit`` compressed, without having all of it in memory."""
    compressor, chunk = zlib.compressobj(level), max(1, (1 << 20) // len(unit))
    whole, rest = divmod(count, chunk)
    parts = [compressor.compress(unit * chunk) for _ in range(whole)]
    return b"".join([*parts, compressor.compress(unit * rest), compressor.flush()])


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), entries, data)


def one_page(content: bytes, *others: bytes, resources: bytes = b"", entries: bytes = b"") -> bytes:
    """Return a PDF of one page whose content is object 4; ``others`` are numbered from 5."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<<%s>>>>" % resources
    return assembled_pdf(_CATALOG, _PAGES, page, stream(content, entries), *others)


def self_calling_form() -> bytes:
    """Return a form that draws itself twice: opening the page alone uses memory until PDFium aborts."""
    form = stream(b"/X Do /X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>")
    return one_page(b"/X Do", form, resources=b"/XObject<</X 5 0 R>>")


def nested_forms() -> bytes:
    """Return thirty forms, each of which draws the next one ten times."""
    head = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>"
    forms = [stream(b"/X Do " * 10, head % (number + 1)) for number in range(5, 34)]
    return one_page(b"/X Do", *forms, stream(b"0 0 1 1 re f"), resources=b"/XObject<</X 5 0 R>>")


def deep_page_tree() -> bytes:
    """Return a page that is 3,000 nodes deep in the page tree."""
    nodes = [b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % (number + 1) for number in range(2, 3002)]
    return assembled_pdf(_CATALOG, *nodes, b"<</Type/Page/MediaBox[0 0 9 9]>>")


def looping_page_tree() -> bytes:
    return assembled_pdf(_CATALOG, b"<</Type/Pages/Kids[2 0 R]/Count 1>>")


def stream_bomb() -> bytes:
    """Return content of 300 MB in 300 kB, compressed twice."""
    packed = zlib.compress(zlib.compress(b"0 0 m\n" * 50_000_000, 9), 9)
    return one_page(packed, entries=b"/Filter[/FlateDecode/FlateDecode]")


def tiny_pattern() -> bytes:
    """Return a tiling pattern with a step of a thousandth: PDFium does not return while it renders it."""
    pattern = stream(b"0 0 1 1 re f", b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]"
                     b"/XStep 0.001/YStep 0.001/Resources<<>>")  # fmt: skip
    return one_page(b"/Pattern cs /P scn 0 0 600 700 re f", pattern, resources=b"/Pattern<</P 5 0 R>>")


def unspeakable_text() -> bytes:
    """Return letters that a map turns into NUL, a lone surrogate, ESC and a right-to-left override."""
    pairs = b"<41> <0000> <42> <D800> <43> <001B> <44> <202E>"
    cmap = b"/CIDInit/ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <FF> "
    cmap += b"endcodespacerange 4 beginbfchar %s endbfchar endcmap" % pairs
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
    content = b"BT /F 20 Tf 72 600 Td (ABCD) Tj 0 -40 Td (plain) Tj ET"
    return one_page(content, font, stream(cmap), resources=b"/Font<</F 5 0 R>>")


def encrypted(password: str) -> bytes:
    import pikepdf

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(small_pdf())) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(owner=password, user=password))
    return out.getvalue()


def names_another_file() -> bytes:
    """Return content that refers to a file of the machine."""
    return one_page(b"", entries=b"/F(/etc/passwd)")


# Documents beside those of the table. Name, bytes, and the accepted outcomes: error codes, or "result" for pages.
DOCUMENTS: dict[str, tuple[Make, set[str]]] = {
    "empty": (lambda: b"", {"file_empty"}),
    "not-a-document": (lambda: b"Dear reader,\0nothing here is a document.\0", {"unsupported_file_type"}),
    "truncated": (lambda: small_pdf()[:200], {"document_corrupt", "document_empty", "result"}),
    "count-lies": (lambda: small_pdf().replace(b"/Count 1", b"/Count 9"), {"result"}),
    "deep-page-tree": (deep_page_tree, {"document_corrupt", "document_empty", "page_failed", "result"}),
    "stream-bomb": (stream_bomb, {"page_memory_exceeded", "page_timeout", "page_failed", "page_crashed", "result"}),
    "names-another-file": (names_another_file, {"result", "document_corrupt"}),
}
