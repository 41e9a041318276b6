"""Write pages as hOCR 1.2: an HTML file with the boxes of areas, lines and words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import BinaryIO

from apps.pages.model.blocks import BlockType, Page, PageFailure
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.output.exports.text_lines import placed_lines

# hOCR has whole pixels; those of a scan at 300 dpi keep a quarter of a point.
DPI = 300
_SCALE = DPI / 72
_HEAD = """\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="ocr-system" content="Leafmill">
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_photo ocr_line ocrx_word ocrp_wconf">
</head>
<body>
"""


def write_hocr(pages: Iterable[Page | PageFailure], out: BinaryIO, *, title: str) -> None:
    """Write the pages, whose blocks are finished. Failed pages are left out."""
    out.write(_HEAD.format(title=escape(title)).encode())
    for page in pages:
        if isinstance(page, Page):
            for part in _page(page):
                out.write(part.encode() + b"\n")
    out.write(b"</body>\n</html>\n")


def _page(page: Page) -> Iterator[str]:
    facts = f"{_bbox(Box(0, 0, page.width, page.height))}; ppageno {page.number - 1}; scan_res {DPI} {DPI}"
    yield f'<div class="ocr_page" id="page_{page.number}" title="{facts}">'
    for count, block in enumerate(page.blocks, 1):
        name = f"{page.number}_{count}"
        if block.type is BlockType.PICTURE and block.box != NO_BOX:
            yield f'<div class="ocr_photo" id="photo_{name}" title="{_bbox(block.box)}"></div>'
        lines = list(placed_lines(block))
        if not lines:
            continue
        yield f'<div class="ocr_carea" id="area_{name}" title="{_bbox(block.box)}">'
        for number, line in enumerate(lines, 1):
            words = " ".join(
                f'<span class="ocrx_word" title="{_bbox(word.box)}{_confidence(word.confidence)}">'
                f"{escape(word.text, quote=False)}</span>"
                for word in line.words
            )
            yield f'<span class="ocr_line" id="line_{name}_{number}" title="{_bbox(line.box)}">{words}</span>'
        yield "</div>"
    yield "</div>"


def _bbox(box: Box) -> str:
    return "bbox " + " ".join(str(round(max(0.0, side) * _SCALE)) for side in (box.x0, box.top, box.x1, box.bottom))


def _confidence(confidence: float | None) -> str:
    return "" if confidence is None else f"; x_wconf {round(confidence * 100)}"
