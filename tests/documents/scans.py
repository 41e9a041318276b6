"""Scanned pages: pictures of text, and PDFs that contain only such pictures."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

DPI = 150
LINES = (
    "The mill stands where two rivers meet",
    "and has ground paper into leaves since 1742.",
    "Every page is weighed before it is dried,",
    "then counted twice and bound by hand.",
    "Invoice 4711 was paid on 12 March 1899.",
)


def picture(lines: Sequence[str] = LINES, *, size: int = 30, width: int = 1000, height: int = 700) -> Image.Image:
    """Return a white page with these lines in black."""
    page = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((80, 80 + number * round(size * 1.6)), line, fill=0, font=ImageFont.load_default(size))
    return page


def png(page: Image.Image) -> bytes:
    out = io.BytesIO()
    page.save(out, "PNG", dpi=(DPI, DPI))
    return out.getvalue()


def scanned_pdf(pages: int = 1, *, lines: Sequence[str] = LINES) -> bytes:
    """Return a PDF without a text layer. The last line of each page is its number."""
    sheets = [picture([*lines, f"Sheet number {number}"]) for number in range(1, pages + 1)]
    out = io.BytesIO()
    sheets[0].save(out, "PDF", resolution=DPI, save_all=True, append_images=sheets[1:])
    return out.getvalue()


def ruled_table(rows: Sequence[Sequence[str]], *, margin: int = 0) -> Image.Image:
    """Return a picture, 900 by 560 pixels, of a table with lines around its cells, this far from the edges."""
    sheet = Image.new("L", (900, 560), 255)
    draw = ImageDraw.Draw(sheet)
    width, height = (899 - 2 * margin) / len(rows[0]), (559 - 2 * margin) / len(rows)
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            x, y = margin + column * width, margin + number * height
            draw.rectangle((x, y, x + width, y + height), outline=0, width=3)
            draw.text((x + 16, y + height / 2 - 14), text, fill=0, font=ImageFont.load_default(26))
    return sheet


def text_beside_a_picture(text: str, sheet: Image.Image | None = None) -> bytes:
    """Return a page with a line of real text and, below it, a picture: that of ``LINES`` if none is given."""
    sheet = sheet or picture(width=900, height=560, size=26)
    size, samples = b"/Width %d/Height %d" % sheet.size, zlib.compress(sheet.tobytes())
    content = b"BT /F 12 Tf 60 740 Td (%s) Tj ET q 480 0 0 299 60 380 cm /P Do Q" % text.encode("ascii")
    image = b"<</Type/XObject/Subtype/Image%s/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode/Length %d>>"
    resources = b"/Resources<</Font<</F 5 0 R>>/XObject<</P 6 0 R>>>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R%s>>" % resources
    return _pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        page,
        _stream(b"<</Length %d>>" % len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        _stream(image % (size, len(samples)), samples),
    )


def typeset(line: str) -> Image.Image:
    """Return a page with one line in Helvetica, which has punctuation that Pillow's own font lacks."""
    import pypdfium2

    escaped = line.translate({ord(sign): f"\\{sign}" for sign in "\\()"}).encode("cp1252")
    content = b"BT /F 20 Tf 40 100 Td (" + escaped + b") Tj ET"
    body = _pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        _stream(b"<</Length %d>>" % len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    )
    with pypdfium2.PdfDocument(body) as pdf:
        return pdf[0].render(scale=DPI / 72, grayscale=True).to_pil().convert("L")


def _stream(head: bytes, content: bytes) -> bytes:
    return head + b"stream\n" + content + b"\nendstream"


def _pdf(*objects: bytes) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + each + b" endobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + head + table + trailer
