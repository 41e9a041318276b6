"""Read pictures of pages as a good vision model would: columns in order, headings, tables, no running lines.

It uses the OCR engines and the layout of this project, so it needs an installed engine. OCR does not report bold print,
so headings are found here by their ink.
"""

from __future__ import annotations

import io
import threading
from functools import cache
from statistics import median

import msgspec
from PIL import Image, ImageStat

from apps.pages.layout.recognized_page import lay_out
from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.page_images.ocr_image import OcrImage, encode_ocr_image
from apps.pages.model.recognition import decode_recognition
from apps.pages.output.render import RenderOptions, page_markdown
from ocr_worker.engine import EngineProcess, OcrRequest
from ocr_worker.settings import settings

DPI = 144.0
SCALE = DPI / 72
MARGIN_POINTS = 50
MAX_HEADING_CHARACTERS = 60
# Bold print has this many times the ink of the page's other lines.
BOLD_INK = 1.4
TITLE_SIZE = 1.4
_one_at_a_time = threading.Lock()


@cache
def _engine() -> EngineProcess:
    return EngineProcess(settings())


def read_picture(picture: bytes) -> str:
    """Return the Markdown of a page from its picture (JPEG), which is taken to have 144 dpi."""
    with Image.open(io.BytesIO(picture)) as opened:
        grey = opened.convert("L")
    image = OcrImage(grey.width, grey.height, DPI, grey.tobytes())
    with _one_at_a_time:
        recognition = decode_recognition(_engine().recognize(encode_ocr_image(image), OcrRequest()))
    bottom = recognition.height - MARGIN_POINTS
    blocks = [block for block in lay_out(recognition) if block.box.bottom > MARGIN_POINTS and block.box.top < bottom]
    blocks = _with_headings(blocks, grey)
    for heading in [block for block in blocks if block.type is BlockType.HEADING]:
        # Layout puts a heading across the page into the column above it; it belongs below all columns.
        above = [place for place, other in enumerate(blocks) if other.box.bottom <= heading.box.top]
        place = blocks.index(heading)
        if above and above[-1] > place:
            blocks.insert(above[-1], blocks.pop(place))
    return page_markdown(blocks, RenderOptions())


def _with_headings(blocks: list[Block], grey: Image.Image) -> list[Block]:
    """Make headings of the short bold lines."""
    ink = {}
    for number, block in enumerate(blocks):
        for line in block.lines:
            sides = (line.box.x0, line.box.top, line.box.x1, line.box.bottom)
            left, top, right, bottom = (int(side * SCALE) for side in sides)
            part = grey.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
            ink[number] = 255 - ImageStat.Stat(part).mean[0]
    usual, size = median(ink.values()), median(line.size for block in blocks for line in block.lines)
    return [
        msgspec.structs.replace(
            block, type=BlockType.HEADING, level=1 if block.lines[0].size > TITLE_SIZE * size else 2
        )
        if len(block.lines) == 1 and len(block.text) < MAX_HEADING_CHARACTERS and ink[number] > BOLD_INK * usual
        else block
        for number, block in enumerate(blocks)
    ]
