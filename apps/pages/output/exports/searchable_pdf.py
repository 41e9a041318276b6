"""Write a PDF of pictures of the pages with their text under them: invisible, to be found and copied.

The file is written from start to end, so memory does not grow with the number of pages. Its one font
has the same glyph for every character; character codes are UTF-16, as the ToUnicode map says.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont

from apps.pages.layout.text.bidirectional import in_display_order
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.output.exports.pictures import PictureOf
from apps.pages.output.exports.text_lines import PlacedLine, placed_lines
from apps.pages.output.exports.xml_text import xml_text

_CATALOG, _PAGES, _INFO, _FONT, _LETTERS, _MAP, _GLYPHS, _DESCRIPTOR, _FONT_FILE = range(1, 10)
_EM = 1000
_PRODUCER = "Leafmill"
# The parts of the height of a word's box that are above and below the line on which it is written.
_ASCENT, _DESCENT = 0.8, 0.2
_UNICODE_MAP = b"""\
/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def /CMapType 2 def
1 begincodespacerange <0000> <ffff> endcodespacerange
1 beginbfrange <0000> <ffff> <0000> endbfrange
endcmap CMapName currentdict /CMap defineresource pop end end
"""


def write_searchable_pdf(
    pages: Iterable[Page | PageFailure],
    out: BinaryIO,
    *,
    title: str,
    language: str = "",
    picture_of: PictureOf | None = None,
    is_archive: bool = False,
) -> None:
    """Write the pages, whose blocks are finished. ``is_archive``: as PDF/A-2b (ISO 19005-2).

    A page that failed or cannot be rendered says so, and without ``picture_of`` all pages have only their text.
    """
    writer = _PdfWriter(out, is_archive=is_archive)
    for page in pages:
        if isinstance(page, PageFailure):
            writer.add_failure(page.number, page.code)
            continue
        try:
            jpeg = picture_of(page, Box(0, 0, page.width, page.height)) if picture_of else None
        except PageError as error:
            writer.add_failure(page.number, error.code)
        else:
            writer.add(page, jpeg)
    writer.finish(title, language)


class _PdfWriter:
    """Writes the objects of one PDF. Those that need all pages are written last."""

    def __init__(self, out: BinaryIO, *, is_archive: bool) -> None:
        self._out = out
        self._is_archive = is_archive
        self._digest = hashlib.sha256()
        self._offsets: dict[int, int] = {}
        self._last = _FONT_FILE
        self._pages: list[int] = []
        self._size = 595.0, 842.0
        self._helvetica = 0
        out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def add(self, page: Page, jpeg: bytes | None) -> None:
        """Add a page with its picture, if it has one, and the text of its blocks."""
        self._size = page.width, page.height
        operators, image = [], ""
        if jpeg is not None:
            image = f" /XObject << /Im {self._image(jpeg)} 0 R >>"
            operators.append(self._whole_page())
        lines = [self._line(line, page.height) for block in page.blocks for line in placed_lines(block)]
        if lines:
            operators += ["BT 3 Tr", *lines, "ET"]
        self._page("\n".join(operators), f"/Font << /F {_FONT} 0 R >>{image}")

    def add_failure(self, number: int, code: str) -> None:
        """Add an empty page, of the size of the one before, that names the error."""
        text = f"Page {number} could not be read: {code}"
        if self._is_archive:  # whose fonts have to be embedded: a picture of the text needs none
            self._page(self._whole_page(), f"/XObject << /Im {self._image(_picture_of_text(text, self._size))} 0 R >>")
            return
        self._helvetica = self._helvetica or self._object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        content = f"BT /Visible 12 Tf 36 {self._size[1] - 48:.2f} Td ({text}) Tj ET"
        self._page(content, f"/Font << /Visible {self._helvetica} 0 R >>")

    def finish(self, title: str, language: str) -> None:
        """Write the font, the page tree, the catalog and the table of objects."""
        self._write_font()
        kids = " ".join(f"{number} 0 R" for number in self._pages)
        self._object(f"<< /Type /Pages /Count {len(self._pages)} /Kids [{kids}] >>", _PAGES)
        lang = f" /Lang ({language})" if language.replace("-", "").isalnum() else ""
        archive = self._archive_entries(title) if self._is_archive else ""
        self._object(
            f"<< /Type /Catalog /Pages {_PAGES} 0 R{lang} /ViewerPreferences << /DisplayDocTitle true >>{archive} >>",
            _CATALOG,
        )
        named = title.encode("utf-16-be", "replace").hex()
        self._object(f"<< /Title <feff{named}> /Producer ({_PRODUCER}) >>", _INFO)
        start = self._out.tell()
        rows = "".join(f"{self._offsets[number]:010} 00000 n \n" for number in range(1, self._last + 1))
        self._out.write(f"xref\n0 {self._last + 1}\n0000000000 65535 f \n{rows}".encode("ascii"))
        name = self._digest.hexdigest()[:32]
        trailer = f"<< /Size {self._last + 1} /Root {_CATALOG} 0 R /Info {_INFO} 0 R /ID [<{name}> <{name}>] >>"
        self._out.write(f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode("ascii"))

    def _archive_entries(self, title: str) -> str:
        """Write what the catalog of PDF/A has beside the pages, and return its entries."""
        profile = srgb_profile()
        colours = self._stream(" /N 3 /Filter /FlateDecode", zlib.compress(profile))
        metadata = self._stream(" /Type /Metadata /Subtype /XML", archive_metadata(title))
        intent = f"/Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /DestOutputProfile {colours} 0 R"
        return f" /Metadata {metadata} 0 R /OutputIntents [<< {intent} /Info (sRGB) >>]"

    def _whole_page(self) -> str:
        """Return the operators that draw the page's picture."""
        return f"q {self._size[0]:.2f} 0 0 {self._size[1]:.2f} 0 0 cm /Im Do Q"

    def _page(self, content: str, resources: str) -> None:
        stream = self._stream(" /Filter /FlateDecode", zlib.compress(content.encode("ascii")))
        box = f"/MediaBox [0 0 {self._size[0]:.2f} {self._size[1]:.2f}]"
        entries = f"{box} /Resources << {resources} >> /Contents {stream} 0 R"
        self._pages.append(self._object(f"<< /Type /Page /Parent {_PAGES} 0 R {entries} >>"))

    def _line(self, line: PlacedLine, height: float) -> str:
        """Return the operators of a line: each word fills its box, and a blank the way to the next.

        They go to the right, also those of text that runs to the left: programs that read PDFs turn it again.
        """
        operators = []
        is_turned = line.box.height > 2 * line.box.width and sum(len(word.text) for word in line.words) > 1
        displayed = {word: in_display_order(word.text) for word in line.words}
        runs_left = any(displayed[word] != word.text for word in line.words)
        words = sorted(line.words, key=lambda word: word.box.x0) if runs_left and not is_turned else line.words
        for word, following in zip(words, [*words[1:], None], strict=True):
            box = word.box
            size, width = (box.width, box.height) if is_turned else (box.height, box.width)
            if not word.text or size <= 0 or width <= 0:
                continue
            if is_turned:
                place = f"0 1 -1 0 {box.x1 - _DESCENT * size:.2f} {height - box.bottom:.2f} Tm"
            else:
                place = f"1 0 0 1 {box.x0:.2f} {height - box.bottom + _DESCENT * size:.2f} Tm"
            operators.append(f"{place} {_shown(displayed[word], size, width)}")
            gap = 0.0 if following is None or is_turned else following.box.x0 - box.x1
            if gap > 0:
                operators.append(_shown(" ", size, gap))
        return "\n".join(operators)

    def _write_font(self) -> None:
        """Write the font and what belongs to it: all codes are shown with its only glyph."""
        self._object(
            f"<< /Type /Font /Subtype /Type0 /BaseFont /OneGlyph /Encoding /Identity-H"
            f" /DescendantFonts [{_LETTERS} 0 R] /ToUnicode {_MAP} 0 R >>",
            _FONT,
        )
        self._object(
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /OneGlyph /DW {_EM} /CIDToGIDMap {_GLYPHS} 0 R"
            f" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
            f" /FontDescriptor {_DESCRIPTOR} 0 R >>",
            _LETTERS,
        )
        self._stream("", _UNICODE_MAP, _MAP)
        self._stream(" /Filter /FlateDecode", zlib.compress(b"\x00\x01" * 0x10000), _GLYPHS)
        self._object(
            f"<< /Type /FontDescriptor /FontName /OneGlyph /Flags 5 /ItalicAngle 0 /StemV 80 /CapHeight {_EM}"
            f" /Ascent {_EM * _ASCENT:.0f} /Descent {-_EM * _DESCENT:.0f}"
            f" /FontBBox [0 {-_EM * _DESCENT:.0f} {_EM} {_EM * _ASCENT:.0f}] /FontFile2 {_FONT_FILE} 0 R >>",
            _DESCRIPTOR,
        )
        font = font_of_one_glyph()
        self._stream(f" /Length1 {len(font)}", font, _FONT_FILE)

    def _image(self, jpeg: bytes) -> int:
        with Image.open(io.BytesIO(jpeg)) as picture:
            width, height = picture.size
            colours = {"L": "DeviceGray", "RGB": "DeviceRGB"}[picture.mode]
        return self._stream(
            f" /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /{colours}"
            " /BitsPerComponent 8 /Filter /DCTDecode",
            jpeg,
        )

    def _stream(self, entries: str, content: bytes, number: int = 0) -> int:
        head = f"<< /Length {len(content)}{entries} >>\nstream\n".encode("ascii")
        return self._object(head + content + b"\nendstream", number)

    def _object(self, content: str | bytes, number: int = 0) -> int:
        """Write an object, and return its number."""
        if not number:
            self._last += 1
            number = self._last
        self._offsets[number] = self._out.tell()
        body = content.encode("ascii") if isinstance(content, str) else content
        self._out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
        self._digest.update(body)
        return number


def _shown(text: str, size: float, width: float) -> str:
    """Return the operators that show a text so that it is as wide as its box."""
    codes = text.encode("utf-16-be", "replace")
    return f"{200 * width / (len(codes) * size):.3f} Tz /F {size:.2f} Tf <{codes.hex()}> Tj"


def srgb_profile() -> bytes:
    """Return an ICC profile of the colours of the pictures."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def archive_metadata(title: str) -> bytes:
    """Return the XMP packet that declares PDF/A-2b and repeats the document's title and producer."""
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">
<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance><pdf:Producer>{_PRODUCER}</pdf:Producer>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(xml_text(title))}</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>""".encode("utf-8", "replace")


def _picture_of_text(text: str, size: tuple[float, float]) -> bytes:
    """Return a JPEG of a page of this size in points with one line of text."""
    picture = Image.new("L", (max(1, round(size[0])), max(1, round(size[1]))), 255)
    ImageDraw.Draw(picture).text((36, 36), text, fill=0, font=ImageFont.load_default(12))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def font_of_one_glyph() -> bytes:
    """Return a TrueType font whose glyph 1 is a box of one em. OpenType 1.9, "Font file" and "glyf".

    The glyph is never painted, but PDFium passes over text whose glyphs have no size.
    """
    ascent, descent = round(_EM * _ASCENT), -round(_EM * _DESCENT)
    glyph = struct.pack(">5hHH4B", 1, 0, descent, _EM, ascent, 3, 0, 1, 1, 1, 1)
    glyph += struct.pack(">8h", 0, _EM, 0, -_EM, descent, 0, _EM, 0)
    tables = {
        b"glyf": glyph,
        b"head": struct.pack(
            ">IIIIHHqqhhhhHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, _EM, 0, 0, 0, descent, _EM, ascent, 0, 8, 2, 0, 0
        ),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, ascent, descent, 0, _EM, 0, 0, _EM, 1, *[0] * 7, 1),
        b"hmtx": struct.pack(">Hhh", _EM, 0, 0),
        b"loca": struct.pack(">3H", 0, 0, len(glyph) // 2),
        b"maxp": struct.pack(">IH13H", 0x10000, 2, 4, 1, 0, 0, 1, *[0] * 8),
    }
    head = struct.pack(">IHHHH", 0x10000, len(tables), 64, 2, 16 * len(tables) - 64)
    at, body = len(head) + 16 * len(tables), b""
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        head += struct.pack(">4sIII", tag, checksum, at + len(body), len(table))
        body += padded
    return head + body
