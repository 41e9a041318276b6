"""Rows 52 to 73: PDFs of a few kilobytes that need gigabytes, minutes or a stack without end."""

from __future__ import annotations

import binascii
import io
import itertools
import struct
import zlib
from base64 import a85encode
from collections.abc import Callable, Sequence
from functools import partial

from apps.pages.sandbox.preload import assembled_pdf, small_pdf
from tests.documents import hostile
from tests.documents.hostile import Hostile, deflated, one_page, outcomes, stream
from tests.documents.long import long_document

_CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
_PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
_HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
_FONT = b"/Font<</F 5 0 R>>"
_FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]"
_BOUNDED = outcomes("result page_memory_exceeded page_timeout page_crashed page_failed")
_DRAWN = _BOUNDED | outcomes("page_too_large")


def spaces(*, twice: bool) -> bytes:
    """Return 400 MB of spaces, or 1 GB compressed twice."""
    if not twice:
        return one_page(deflated(b" ", 400 << 20), entries=b"/Filter/FlateDecode")
    return one_page(zlib.compress(deflated(b" ", 1 << 30), 9), entries=b"/Filter[/FlateDecode/FlateDecode]")


def run_lengths(data: bytes) -> bytes:
    """Encode with RunLengthDecode's code: runs of equal bytes, everything else as single bytes."""
    out, at = bytearray(), 0
    while at < len(data):
        count = 1
        while count < 128 and data[at : at + 1] == data[at + count : at + count + 1]:
            count += 1
        out += bytes((257 - count if count > 1 else 0, data[at]))
        at += count
    return bytes(out + b"\x80")


def lzw(data: bytes) -> bytes:
    """Encode with codes of nine bits only: clear the table before it needs ten."""
    codes = [code for at in range(0, len(data), 200) for code in (256, *data[at : at + 200])]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def chain(encode: Callable[[bytes], bytes], name: bytes, data: bytes) -> bytes:
    """Return a page whose content is encoded eight times."""
    for _ in range(8):
        data = encode(data)
    return one_page(data, entries=b"/Filter[%s]" % ((b"/" + name) * 8))


def many_forms() -> bytes:
    """Return 40,000 small forms, each drawn once."""
    names = b"".join(b"/X%d %d 0 R" % (n, n) for n in range(5, 40_005))
    content = b" ".join(b"/X%d Do" % n for n in range(5, 40_005))
    forms = [stream(b"0 0 1 1 re f", _FORM)] * 40_000
    return one_page(zlib.compress(content), *forms, resources=b"/XObject<<%s>>" % names, entries=b"/Filter/FlateDecode")


def packed_page(content: bytes, count: int, start: bytes = b"", end: bytes = b"") -> bytes:
    """Return a page that repeats its content; Helvetica is font F."""
    whole = zlib.compress(start + content * count + end, 9)
    return one_page(whole, _HELVETICA, resources=_FONT, entries=b"/Filter/FlateDecode")


def grid() -> bytes:
    lines = [b"0 %d m 600 %d l %d 0 m %d 700 l S" % (n // 5, n // 5, n // 5, n // 5) for n in range(3000)]
    return one_page(zlib.compress(b"\n".join(lines)), entries=b"/Filter/FlateDecode")


def blended_groups() -> bytes:
    group = stream(b"0 0 612 792 re f", _FORM + b"/Group<</S/Transparency/I true>>")
    return one_page(
        zlib.compress(b"/G gs " + b"/X Do " * 3000), group, b"<</Type/ExtGState/BM/Multiply/ca .5>>",
        resources=b"/XObject<</X 5 0 R>>/ExtGState<</G 6 0 R>>", entries=b"/Filter/FlateDecode",
    )  # fmt: skip


def endless_shading() -> bytes:
    """Return a shading whose colour takes 60,000 operators at each pixel."""
    program = zlib.compress(b"{" + b"dup mul sqrt " * 20_000 + b"pop dup dup}")
    function = stream(program, b"/FunctionType 4/Domain[0 1 0 1]/Range[0 1 0 1 0 1]/Filter/FlateDecode")
    shading = b"<</ShadingType 1/ColorSpace/DeviceRGB/Domain[0 1 0 1]/Matrix[612 0 0 792 0 0]/Function 6 0 R>>"
    return one_page(b"/S sh", shading, function, resources=b"/Shading<</S 5 0 R>>")


def pictured(entries: bytes, data: bytes) -> bytes:
    """Return a page that is one picture with these entries and bytes."""
    picture = stream(data, b"/Type/XObject/Subtype/Image" + entries)
    return one_page(b"612 0 0 792 0 0 cm /I Do", picture, resources=b"/XObject<</I 5 0 R>>")


_GREY = b"/ColorSpace/DeviceGray/BitsPerComponent %d/Width %d/Height %d"


def vast_bitmap() -> bytes:
    return pictured(_GREY % (1, 60_000, 60_000) + b"/Filter/FlateDecode", deflated(bytes(7500), 60_000))


def vast_jpeg() -> bytes:
    frame = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, 65_500, 65_500, 1) + b"\x01\x11\x00"
    return pictured(_GREY % (8, 65_500, 65_500) + b"/Filter/DCTDecode", frame + b"\xff\xd9")


def vast_jpeg_2000() -> bytes:
    size = struct.pack(">HHIIIIIIIIH", 41, 0, *[1 << 31, 1 << 31, 0, 0] * 2, 1) + b"\x07\x01\x01"
    return pictured(_GREY % (8, 65_500, 65_500) + b"/Filter/JPXDecode", b"\xff\x4f\xff\x51" + size + b"\xff\xd9")


def vast_jbig2() -> bytes:
    segment = struct.pack(">IBBI", 0, 48, 1, 19) + struct.pack(">IIIIBH", 1 << 31, 1 << 31, 0, 0, 0, 0)
    return pictured(_GREY % (1, 65_500, 65_500) + b"/Filter/JBIG2Decode", segment)


def boxed(entries: bytes) -> bytes:
    """Return the small PDF with another page box."""
    return small_pdf().replace(b"/MediaBox[0 0 612 792]", entries)


def endless_map() -> bytes:
    """Return a font whose map to Unicode has one range of two billion characters."""
    cmap = b"begincmap 1 begincodespacerange <00000000> <7FFFFFFF> endcodespacerange 1 beginbfrange "
    cmap += b"<00000000> <7FFFFFFF> <0000> endbfrange endcmap"
    font = _HELVETICA[:-2] + b"/ToUnicode 6 0 R>>"
    return one_page(b"BT /F 12 Tf 72 700 Td (Ready) Tj ET", font, stream(cmap), resources=_FONT)


def font_draws_itself() -> bytes:
    font = b"<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[1 0 0 1 0 0]/FirstChar 65/LastChar 65/Widths[9]"
    font += b"/Encoding<</Differences[65/a]>>/CharProcs<</a 6 0 R>>/Resources<</Font<</F 5 0 R>>>>>>"
    glyph = stream(b"9 0 d0 BT /F 1 Tf (AA) Tj ET")
    return one_page(b"BT /F 12 Tf 72 700 Td (A) Tj ET", font, glyph, resources=_FONT)


def mask_in_itself() -> bytes:
    resources = b"/ExtGState<</G 5 0 R>>"
    form = _FORM + b"/Group<</S/Transparency>>/Resources<<%s>>" % resources
    state = b"<</Type/ExtGState/SMask<</S/Luminosity/G 6 0 R>>>>"
    return one_page(b"/G gs 0 0 9 9 re f", state, stream(b"/G gs 0 0 9 9 re f", form), resources=resources)


def pattern_in_itself() -> bytes:
    pattern = stream(
        b"/Pattern cs /P scn 0 0 9 9 re f",
        b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 9 9]/XStep 9/YStep 9"
        b"/Resources<</Pattern<</P 5 0 R>>>>",
    )
    return one_page(b"/Pattern cs /P scn 0 0 612 792 re f", pattern, resources=b"/Pattern<</P 5 0 R>>")


def many_annotations() -> bytes:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Annots[%s]>>" % (b"4 0 R " * 100_000)
    link = b"<</Type/Annot/Subtype/Link/Rect[9 9 99 99]/A<</S/URI/URI(http://127.0.0.1:9/)>>>>"
    return assembled_pdf(_CATALOG, _PAGES, page, link)


def inline_images() -> bytes:
    return packed_page(b"q 9 0 0 9 9 9 cm BI /W 1 /H 1 /CS /G /BPC 8 ID x EI Q\n", 10_000)


def vast_colour_profile() -> bytes:
    profile = stream(zlib.compress(bytes(10 << 20)), b"/N 3/Filter/FlateDecode")
    return one_page(
        b"/C cs 1 0 0 sc 9 9 99 99 re f", b"[/ICCBased 6 0 R]", profile, resources=b"/ColorSpace<</C 5 0 R>>"
    )


def many_full_pages() -> bytes:
    """Return 2,000 pages that share one content of 20,000 words."""
    kids = b" ".join(b"%d 0 R" % number for number in range(5, 2005))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 3 0 R>>>>>>"
    words = b"".join(b"1 0 0 1 %d %d Tm (word) Tj " % (n % 60 * 10, n // 60 * 2) for n in range(20_000))
    content = stream(zlib.compress(b"BT /F 4 Tf " + words + b"ET"), b"/Filter/FlateDecode")
    pages = b"<</Type/Pages/Count 2000/Kids[%s]>>" % kids
    return assembled_pdf(_CATALOG, pages, _HELVETICA, content, *[page] * 2000)


def long_with_killing_pages(pages: int, killing: Sequence[int]) -> bytes:
    """Return ``long_document`` with other pages at these numbers: by turns endless forms, and 1 GB of spaces."""
    import pikepdf

    bombs = [pikepdf.open(io.BytesIO(bomb)) for bomb in (hostile.self_calling_form(), spaces(twice=True))]
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(long_document(pages))) as pdf:
        for number, bomb in zip(killing, itertools.cycle(bombs), strict=False):
            pdf.pages[number - 1] = bomb.pages[0]
        pdf.save(out, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    return out.getvalue()


_BOXES = {
    "2e9": b"/MediaBox[0 0 2000000000 2000000000]",
    "zero": b"/MediaBox[0 0 0 0]",
    "negative": b"/MediaBox[612 792 0 0]",
    "1e39": b"/MediaBox[0 0 1e39 1e39]",
    "nan": b"/MediaBox[0 0 NaN NaN]",
    "unit-1000": b"/MediaBox[0 0 612 792]/UserUnit 1000",
    "rotated-45": b"/MediaBox[0 0 612 792]/Rotate 45",
}

ROWS = [
    Hostile(52, "400-mb-of-spaces", lambda: spaces(twice=False), _BOUNDED, is_slow=True),
    Hostile(53, "1-gb-compressed-twice", lambda: spaces(twice=True), _BOUNDED, is_slow=True),
    Hostile(54, "run-length-chain", lambda: chain(run_lengths, b"RunLengthDecode", b"q " + b" " * 9000), _BOUNDED),
    Hostile(54, "lzw-chain", lambda: chain(lzw, b"LZWDecode", b"q Q " * 500), _BOUNDED),
    Hostile(54, "hex-chain", lambda: chain(binascii.hexlify, b"ASCIIHexDecode", b"q Q " * 500), _BOUNDED),
    Hostile(54, "ascii85-chain", lambda: chain(lambda data: a85encode(data) + b"~>", b"ASCII85Decode", b"q Q " * 9000),
            _BOUNDED),
    Hostile(55, "form-draws-itself-twice", hostile.self_calling_form, _BOUNDED),
    Hostile(56, "ten-forms-in-each-of-ten", hostile.nested_forms, _BOUNDED, is_slow=True),
    Hostile(57, "40000-forms", many_forms, _BOUNDED, is_slow=True),
    Hostile(58, "500000-text-operators",
            lambda: packed_page(b"(a) Tj ", 500_000, b"BT /F 1 Tf 9 9 Td ", b"ET"), _BOUNDED, is_slow=True),
    Hostile(59, "string-of-5000000-letters",
            lambda: packed_page(b"a", 5_000_000, b"BT /F 1 Tf 9 9 Td (", b") Tj ET"), _BOUNDED, is_slow=True),
    Hostile(60, "1000000-saved-states", lambda: packed_page(b"q ", 1_000_000), _BOUNDED, is_slow=True),
    Hostile(61, "grid-of-3000-lines", grid, outcomes("result"), is_slow=True),
    Hostile(61, "30000-rectangles", lambda: packed_page(b"9 9 99 99 re S ", 30_000), outcomes("result"), is_slow=True),
    Hostile(62, "pattern-with-a-tiny-step", hostile.tiny_pattern, outcomes("result page_timeout"), is_slow=True),
    Hostile(63, "3000-blended-groups", blended_groups, outcomes("result page_timeout"), is_slow=True),
    Hostile(64, "endless-shading", endless_shading, outcomes("result page_timeout"), is_slow=True),
    Hostile(65, "bitmap-of-60000-lines", vast_bitmap, _DRAWN, is_slow=True),
    Hostile(66, "fax-from-four-bytes",
            lambda: pictured(_GREY % (1, 60_000, 60_000) + b"/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns 60000"
                             b"/Rows 60000>>", b"\x00\x10\x01\x00"), _DRAWN, is_slow=True),
    Hostile(67, "vast-jpeg", vast_jpeg, _DRAWN),
    Hostile(67, "vast-jpeg-2000", vast_jpeg_2000, _DRAWN),
    Hostile(67, "vast-jbig2", vast_jbig2, _DRAWN),
    Hostile(68, "page-of-14400-points", lambda: boxed(b"/MediaBox[0 0 14400 14400]"), _DRAWN, is_slow=True),
    *[Hostile(69, f"page-box-{name}", partial(boxed, box), _DRAWN) for name, box in _BOXES.items()],
    Hostile(70, "map-of-two-billion-letters", endless_map, outcomes("result"), is_slow=True),
    Hostile(71, "font-draws-itself", font_draws_itself, _BOUNDED),
    Hostile(71, "mask-in-itself", mask_in_itself, _BOUNDED),
    Hostile(71, "pattern-in-itself", pattern_in_itself, _BOUNDED, is_slow=True),
    Hostile(72, "100000-links", many_annotations, outcomes("result"), is_slow=True),
    Hostile(72, "10000-inline-images", inline_images, outcomes("result"), is_slow=True),
    Hostile(72, "colour-profile-of-10-mb", vast_colour_profile, outcomes("result")),
    Hostile(73, "2000-full-pages", many_full_pages, _BOUNDED, is_slow=True),
]  # fmt: skip
