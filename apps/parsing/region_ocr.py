"""OCR of a page, and of a part of one, while a model parses it. Each process starts one engine, at the first call."""

from __future__ import annotations

import threading

import msgspec

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import BlockType, Page
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.model.ocr_reasons import NO_TEXT_LAYER
from apps.pages.model.page_images.ocr_image import OcrImage, decode_ocr_image, encode_ocr_image
from apps.pages.model.recognition import decode_recognition
from apps.pages.per_process import PerProcess


class NoOcrHere(PageError):
    """Text cannot be recognised by this worker. Zoom and read it yourself."""

    code = "ocr_failed"


class RegionEngine:
    """The engine process for regions. It reads one region at a time, even if several threads ask."""

    def __init__(self) -> None:
        try:
            from ocr_worker.engine import EngineProcess, OcrRequest
            from ocr_worker.settings import settings
        except ImportError as error:
            raise NoOcrHere from error
        self._process = EngineProcess(settings())
        self._request = OcrRequest()
        self._lock = threading.Lock()

    def recognize(self, image: bytes) -> bytes:
        with self._lock:
            return self._process.recognize(image, self._request)


_engine = PerProcess(RegionEngine)


def recognized_text(image: bytes, box: Box) -> str:
    """Return the lines that an engine reads in a part (points) of an encoded page image, or "". Raise PageError."""
    part = encode_ocr_image(cut_out(decode_ocr_image(image), box))
    recognition = decode_recognition(_engine().recognize(part))
    return "\n".join(" ".join(word.text for word in line.words) for line in recognition.lines)


def recognized_page(page: Page, image: bytes) -> Page:
    """Return the page as an engine reads its encoded image, without its text layer. Raise PageError."""
    pictures = tuple(block for block in page.blocks if block.type is BlockType.PICTURE)
    blank = msgspec.structs.replace(page, blocks=pictures, needs_ocr=NO_TEXT_LAYER, warnings=(), rotation=0)
    return apply_recognition(blank, decode_recognition(_engine().recognize(image)))


def cut_out(image: OcrImage, box: Box) -> OcrImage:
    """Return the part of the image within the box (points)."""
    scale = image.dpi / 72
    left, right = _span(box.x0 * scale, box.x1 * scale, image.width)
    top, bottom = _span(box.top * scale, box.bottom * scale, image.height)
    rows = (image.pixels[row * image.width + left : row * image.width + right] for row in range(top, bottom))
    return OcrImage(right - left, bottom - top, image.dpi, b"".join(rows))


def _span(start: float, end: float, size: int) -> tuple[int, int]:
    """Return the first and the last pixel (exclusive), at least one pixel, within the image."""
    first = min(max(0, int(start)), size - 1)
    return first, min(max(first + 1, int(end) + 1), size)
