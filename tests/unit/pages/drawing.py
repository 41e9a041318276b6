"""Small PDFs and pages made by hand for the tests of apps.pages.

Places are in points and count from the top left, as everywhere in apps.pages.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import msgspec

from apps.pages.model.blocks import Block, BlockType, Line, Page, PageFailure
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.output.assembly import Assembly, RenderOptions, assemble
from apps.pages.output.exports.pictures import PictureOf

WIDTH, HEIGHT = 595.0, 842.0
# Half an em a letter: near enough to Helvetica for boxes made by hand.
LETTER = 0.5


def run(text: str, x: float, top: float, *, size: float = 10.0, bold: bool = False, width: float = 0.0) -> TextRun:
    """A run of text as the library gives it; its width follows from its letters unless it is given."""
    wide = width or len(text) * size * LETTER
    return TextRun(text, x, top, x + wide, top + 1.2 * size, size, bold, False)


def prose(
    words: str, x: float, top: float, *, letters: int = 40, step: float = 13.0, size: float = 10.0
) -> list[TextRun]:
    """Lines of about ``letters`` letters, filled to the same width, from ``top`` down."""
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) + 1 > letters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    wide = letters * size * LETTER
    return [
        run(line, x, top + number * step, size=size, width=wide if number < len(lines) - 1 else 0.0)
        for number, line in enumerate(lines)
    ]


def raw_page(runs: Sequence[TextRun], *, rules: Sequence[Box] = (), number: int = 1) -> RawPage:
    return RawPage(number, WIDTH, HEIGHT, list(runs), list(rules), [], [])


def grid_rules(xs: Sequence[float], ys: Sequence[float]) -> list[Box]:
    """The lines of a table with these columns and rows."""
    down = [Box(x, ys[0], x, ys[-1]) for x in xs]
    return down + [Box(xs[0], y, xs[-1], y) for y in ys]


def text_block(
    text: str,
    top: float = 100.0,
    *,
    size: float = 10.0,
    bold: bool = False,
    kind: BlockType = BlockType.PARAGRAPH,
    marker: str = "",
    level: int = 0,
    x: float = 72.0,
) -> Block:
    """A block of one line."""
    box = Box(x, top, x + 200, top + 1.2 * size)
    return Block(kind, box, text, (Line(text, box, size, bold),), level, marker)


def page(*blocks: Block, number: int = 1, needs_ocr: str = "") -> Page:
    return Page(number=number, width=WIDTH, height=HEIGHT, blocks=blocks, needs_ocr=needs_ocr)


def assembled(
    pages: Sequence[Page | PageFailure], options: RenderOptions | None = None, picture_of: PictureOf | None = None
) -> tuple[Assembly, dict[str, bytes]]:
    """Return the result of ``assemble`` and the bytes of each output."""
    files: dict[str, BytesIO] = {}

    @contextmanager
    def open_output(name: str) -> Iterator[BytesIO]:
        yield files.setdefault(name, BytesIO())

    assembly = assemble(
        lambda: pages, options=options or RenderOptions(), open_output=open_output, picture_of=picture_of
    )
    return assembly, {name: file.getvalue() for name, file in files.items()}


class Sheet(msgspec.Struct):
    """One page of a PDF in the making."""

    operators: list[str] = []
    picture: bool = False
    rotate: int = 0

    def text(self, text: str, x: float, top: float, *, size: float = 11.0, bold: bool = False) -> Sheet:
        """Write a line with its baseline at ``top + size``."""
        font = "B" if bold else "R"
        safe = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        self.operators.append(f"BT /{font} {size} Tf {x} {HEIGHT - top - size} Td ({safe}) Tj ET")
        return self

    def line(self, x0: float, y0: float, x1: float, y1: float) -> Sheet:
        self.operators.append(f"0.5 w {x0} {HEIGHT - y0} m {x1} {HEIGHT - y1} l S")
        return self

    def image(self, x: float, top: float, width: float, height: float) -> Sheet:
        """A grey picture of one pixel, stretched to the box."""
        self.picture = True
        self.operators.append(f"q {width} 0 0 {height} {x} {HEIGHT - top - height} cm /Im Do Q")
        return self


def write_pdf(path: Path, sheets: Sequence[Sheet], *, title: str = "") -> Path:
    """A PDF of these sheets with the standard fonts, in Latin-1."""
    fonts = "/R 3 0 R /B 4 0 R"
    objects: list[bytes | str] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(sheets)} /Kids [{' '.join(f'{7 + 2 * i} 0 R' for i in range(len(sheets)))}] >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        _stream(
            "/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8", b"\x80"
        ),
        f"<< /Title ({title}) >>",
    ]
    for index, sheet in enumerate(sheets):
        resources = f"<< /Font << {fonts} >> {'/XObject << /Im 5 0 R >>' if sheet.picture else ''} >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Rotate {sheet.rotate} "
            f"/Resources {resources} /Contents {8 + 2 * index} 0 R >>"
        )
        objects.append(_stream("/Filter /FlateDecode", zlib.compress("\n".join(sheet.operators).encode("latin-1"))))
    path.write_bytes(_file(objects))
    return path


def _stream(entries: str, content: bytes) -> bytes:
    return f"<< {entries} /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"


def _file(objects: Sequence[bytes | str]) -> bytes:
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += (
            f"{number} 0 obj\n".encode() + (body if isinstance(body, bytes) else body.encode("latin-1")) + b"\nendobj\n"
        )
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 6 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
