"""Pages as a scanner gives them: pictures of text, and PDFs that hold nothing but such pictures."""

from __future__ import annotations

import io
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
    """A white page with these lines in black."""
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
    """A PDF without any text layer; each page says its number in its last line."""
    sheets = [picture([*lines, f"Sheet number {number}"]) for number in range(1, pages + 1)]
    out = io.BytesIO()
    sheets[0].save(out, "PDF", resolution=DPI, save_all=True, append_images=sheets[1:])
    return out.getvalue()


def typeset(line: str) -> Image.Image:
    """A page with one line in Helvetica, which has the marks that Pillow's own font lacks."""
    import pypdfium2

    escaped = line.translate({ord(sign): f"\\{sign}" for sign in "\\()"}).encode("cp1252")
    content = b"BT /F 20 Tf 40 100 Td (" + escaped + b") Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj%s endobj\n" % (n, each) for n, each in enumerate(objects, 1))
    with pypdfium2.PdfDocument(body + b"trailer<</Root 1 0 R>>") as pdf:
        return pdf[0].render(scale=DPI / 72, grayscale=True).to_pil().convert("L")
