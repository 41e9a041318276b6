"""Draw the boxes of a page's blocks, lines and table cells over its picture, to see how it was read.

python -m bench.overlays FILE PAGE OUT.png
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from PIL import Image, ImageDraw

from apps.pages.model.blocks import Block, BlockType, PageFailure
from apps.pages.model.geometry import Box
from apps.pages.output.assembly import finished_pages
from apps.pages.reading.page_reading import inspect_document, read_pages, render_for_vision

DPI = 80.0
MAX_PAGES = 2000
COLOURS = {
    BlockType.HEADING: "#d62728",
    BlockType.PARAGRAPH: "#1f77b4",
    BlockType.LIST_ITEM: "#2ca02c",
    BlockType.TABLE: "#ff7f0e",
    BlockType.PICTURE: "#8c564b",
    BlockType.CAPTION: "#9467bd",
    BlockType.CODE: "#17becf",
    BlockType.FOOTNOTE: "#7f7f7f",
    BlockType.PAGE_HEADER: "#e377c2",
    BlockType.PAGE_FOOTER: "#e377c2",
}
LINE_COLOUR, CELL_COLOUR = "#b0b0b0", "#ffbb78"


def draw_block(draw: ImageDraw.ImageDraw, block: Block, number: int, scale: float) -> None:
    """Draw a block with its place in the reading order and its type; its lines and cells in paler colours."""

    def pixels(box: Box) -> tuple[float, float, float, float]:
        x0, x1 = sorted((box.x0 * scale, box.x1 * scale))
        top, bottom = sorted((box.top * scale, box.bottom * scale))
        return x0, top, x1, bottom

    for line in block.lines:
        draw.rectangle(pixels(line.box), outline=LINE_COLOUR)
    for cell in block.cells:
        if cell.box is not None:
            draw.rectangle(pixels(cell.box), outline=CELL_COLOUR)
    box = pixels(block.box)
    draw.rectangle(box, outline=COLOURS[block.type], width=2)
    level = f" {block.level}" if block.level else ""
    draw.text((box[0] + 2, max(0.0, box[1] - 11)), f"{number} {block.type}{level}", fill=COLOURS[block.type])


def overlay(path: str, page_number: int) -> Image.Image:
    """Return the picture of a page with its boxes. All pages are read: headings and running lines need the others."""
    count = inspect_document(path, max_pages=MAX_PAGES).page_count
    if not 1 <= page_number <= count:
        sys.exit(f"The document has {count} pages.")
    pages = list(read_pages(path, range(1, count + 1)))
    page = list(finished_pages(lambda: iter(pages)))[page_number - 1]
    if isinstance(page, PageFailure):
        sys.exit(f"Page {page_number} cannot be read: {page.code} {page.detail}")
    image = Image.open(io.BytesIO(render_for_vision(path, page_number, dpi=DPI))).convert("RGB")
    draw = ImageDraw.Draw(image)
    for number, block in enumerate(page.blocks, 1):
        draw_block(draw, block, number, image.width / page.width)
    return image


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 3 or not arguments[1].isdigit():
        sys.exit("Usage: python -m bench.overlays FILE PAGE OUT.png")
    # Few colours make the file small; this method keeps those of rare boxes.
    overlay(arguments[0], int(arguments[1])).quantize(32, Image.Quantize.FASTOCTREE).save(arguments[2], optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
