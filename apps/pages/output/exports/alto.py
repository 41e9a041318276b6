"""Write pages as ALTO 4.4, the XML of libraries and archives. Places are in 1/1200 inch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

from apps.pages.model.blocks import BlockType, Page, PageFailure
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.output.exports.text_lines import placed_lines
from apps.pages.output.exports.xml_text import xml_text

_SCALE = 1200 / 72
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" SCHEMAVERSION="4.4">
<Description>
<MeasurementUnit>inch1200</MeasurementUnit>
<sourceImageInformation><fileName>{title}</fileName></sourceImageInformation>
</Description>
<Layout>
"""


def write_alto(pages: Iterable[Page | PageFailure], out: BinaryIO, *, title: str) -> None:
    """Write the pages, whose blocks are finished. Failed pages are left out."""
    out.write(_HEAD.format(title=escape(xml_text(title))).encode())
    for page in pages:
        if isinstance(page, Page):
            for part in _page(page):
                out.write(part.encode() + b"\n")
    out.write(b"</Layout>\n</alto>\n")


def _page(page: Page) -> Iterator[str]:
    size = f'WIDTH="{round(page.width * _SCALE)}" HEIGHT="{round(page.height * _SCALE)}"'
    yield f'<Page ID="page_{page.number}" PHYSICAL_IMG_NR="{page.number}" {size}>'
    yield f'<PrintSpace HPOS="0" VPOS="0" {size}>'
    for count, block in enumerate(page.blocks, 1):
        name = f"{page.number}_{count}"
        lines = list(placed_lines(block))
        if lines:
            yield f'<TextBlock ID="block_{name}" {_place(block.box)}>'
            for number, line in enumerate(lines, 1):
                yield f'<TextLine ID="line_{name}_{number}" {_place(line.box)}>'
                yield "<SP/>".join(
                    f"<String CONTENT={quoteattr(xml_text(word.text))} {_place(word.box)}"
                    + ("/>" if word.confidence is None else f' WC="{word.confidence:.3f}"/>')
                    for word in line.words
                )
                yield "</TextLine>"
            yield "</TextBlock>"
        elif block.type is BlockType.PICTURE and block.box != NO_BOX:
            yield f'<Illustration ID="block_{name}" {_place(block.box)}/>'
    yield "</PrintSpace>"
    yield "</Page>"


def _place(box: Box) -> str:
    left, top = round(box.x0 * _SCALE), round(box.top * _SCALE)
    width, height = round(box.x1 * _SCALE) - left, round(box.bottom * _SCALE) - top
    return f'HPOS="{left}" VPOS="{top}" WIDTH="{width}" HEIGHT="{height}"'
