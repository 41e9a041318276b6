"""Find the pictures on a page and render pages, with pypdfium2. Runs only inside the sandboxed child."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from apps.pages.model.errors import PageError, PageTooLarge, RegionOutsidePage
from apps.pages.model.geometry import Box
from apps.pages.model.ocr_image import MAX_OCR_PIXELS, OcrImage
from apps.pages.model.safe_text import MAX_TEXT_CHARACTERS

MAX_SEARCHED_OBJECTS = 20_000
MIN_PICTURE_SIDE_POINTS = 8.0
# A picture that covers this share of a page is a scan of it, and is rendered at its own resolution within these bounds.
MIN_SCAN_SHARE = 0.6
MIN_SCAN_DPI, MAX_SCAN_DPI = 120.0, 300.0
MIN_OCR_DPI = 36.0
# A picture for a model is made smaller rather than refused, down to where a page is a grey smear.
MIN_VISION_DPI, MAX_VISION_DPI = 4.0, 1200.0
MAX_SIDE_PIXELS = 20_000


def open_document(document: str | bytes, password: str | None = None) -> Any:
    """The document at this path, or in these bytes, as pypdfium2 opens it; None when it cannot."""
    import pypdfium2

    try:
        # A file object, not the path: the reader's path may be a descriptor of a file that has no name any more.
        source = open(document, "rb") if isinstance(document, str) else document  # noqa: PTH123, SIM115
        return pypdfium2.PdfDocument(source, password=password, autoclose=True)
    except pypdfium2.PdfiumError:
        return None


def picture_boxes(document: Any, number: int) -> list[Box]:
    """Boxes of the pictures of a page, in points from the top left as displayed; [] when it cannot be loaded."""
    from pypdfium2 import raw

    # The raw calls, because a Python object for each of a page's thousands of marks costs more than loading the page.
    page = raw.FPDF_LoadPage(document.raw, number - 1) if document is not None else None
    if not page:
        return []
    try:
        frame, rotation = frame_of(raw, page), raw.FPDFPage_GetRotation(page) * 90
        bounds = (bounds_of(raw, item) for item in _images(raw, page))
        boxes = [box for found in bounds if found and (box := _turned(found, frame, rotation))]
    finally:
        raw.FPDF_ClosePage(page)
    return [box for box in boxes if box.width >= MIN_PICTURE_SIDE_POINTS and box.height >= MIN_PICTURE_SIDE_POINTS]


def render(document: Any, number: int, *, dpi: float, max_dpi: float = math.inf) -> OcrImage:
    """The page in grey. PageError when it cannot be loaded, PageTooLarge when even a coarse picture is too large."""
    with loaded_page(document, number) as page:
        width, height = page.get_size()
        dpi = _own_dpi(document, number, width * height) or dpi
        dpi = bounded_dpi(min(dpi, max_dpi), width, height, max_pixels=MAX_OCR_PIXELS)
        if dpi < MIN_OCR_DPI:
            raise PageTooLarge
        bitmap = page.render(scale=dpi / 72, grayscale=True, may_draw_forms=False)
        try:
            return OcrImage(bitmap.width, bitmap.height, round(dpi, 3), _pixels(bitmap))
        finally:
            bitmap.close()


def picture(document: Any, number: int, *, dpi: float, region: Box | None, max_pixels: int) -> Any:
    """The page, or the part of it in ``region``, as a Pillow image in colour; fewer dots an inch where it must be.

    PageError when the page cannot be loaded, RegionOutsidePage, PageTooLarge when hardly anything could be made out.
    """
    with loaded_page(document, number, fields=True) as page:
        whole = Box(0.0, 0.0, *page.get_size())
        part = whole if region is None else region.intersection(whole)
        if part is None:
            raise RegionOutsidePage
        dpi = bounded_dpi(min(dpi, MAX_VISION_DPI), part.width, part.height, max_pixels=max_pixels)
        if dpi < MIN_VISION_DPI:
            raise PageTooLarge
        return colours(page, dpi=dpi, part=part)


def colours(page: Any, *, dpi: float, part: Box) -> Any:
    """A part of a page as a Pillow image; RegionOutsidePage where it is thinner than a pixel."""
    width, height = page.get_size()
    crop = (part.x0, max(0.0, height - part.bottom), max(0.0, width - part.x1), part.top)
    try:
        bitmap = page.render(scale=dpi / 72, crop=crop)
    except ValueError as error:
        raise RegionOutsidePage from error
    try:
        return bitmap.to_pil()  # RGB, a copy: the bitmap's order of channels is not Pillow's
    finally:
        bitmap.close()


def bounded_dpi(dpi: float, width: float, height: float, *, max_pixels: int) -> float:
    """``dpi``, or less where ``width`` by ``height`` points would come to more than ``max_pixels``."""
    finest = 0.99 * math.sqrt(max_pixels / max(width * height, 1e-6))  # a side is rounded up to a whole pixel
    return min(dpi, 72 * finest, 72 * MAX_SIDE_PIXELS / max(width, height, 1.0))


@contextmanager
def loaded_page(document: Any, number: int, *, fields: bool = False) -> Iterator[Any]:
    """The page, as long as the block lasts; ``fields``: it can be drawn with what its form fields say. PageError."""
    import pypdfium2

    try:
        if fields:
            with suppress(pypdfium2.PdfiumError):
                document.init_forms()
        page = document[number - 1]
    except (pypdfium2.PdfiumError, IndexError) as error:
        raise PageError from error
    try:
        yield page
    finally:
        page.close()


def _pixels(bitmap: Any) -> bytes:
    if bitmap.stride == bitmap.width:
        return bytes(bitmap.buffer)
    rows = memoryview(bitmap.buffer)
    return b"".join(
        rows[start : start + bitmap.width] for start in range(0, bitmap.stride * bitmap.height, bitmap.stride)
    )


def _own_dpi(document: Any, number: int, page_area: float) -> float | None:
    """The resolution of the scan that a page is made of; None where no picture covers most of it."""
    from pypdfium2 import raw

    page = raw.FPDF_LoadPage(document.raw, number - 1)
    if not page:
        return None
    try:
        for item in _images(raw, page):
            bounds = bounds_of(raw, item)
            columns, rows = ctypes.c_uint(), ctypes.c_uint()
            if bounds is None or not raw.FPDFImageObj_GetImagePixelSize(item, columns, rows):
                continue
            area = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
            if area > MIN_SCAN_SHARE * page_area:
                # A shade less: a page is rendered on whole pixels, rounded up, and the scan's own are to be met.
                own = 71.99 * math.sqrt(columns.value * rows.value / area)
                return min(max(own, MIN_SCAN_DPI), MAX_SCAN_DPI)
    finally:
        raw.FPDF_ClosePage(page)
    return None


def chars_of(document: Any, number: int) -> list[tuple[str, float, float, float, float]]:
    """Every character of a page with its box (x0, top, x1, bottom), for scripts whose order has to be rebuilt."""
    from pypdfium2 import raw

    page = raw.FPDF_LoadPage(document.raw, number - 1) if document is not None else None
    if not page:
        return []
    text = raw.FPDFText_LoadPage(page)
    try:
        frame, rotation = frame_of(raw, page), raw.FPDFPage_GetRotation(page) * 90
        return list(_characters(raw, text, frame, rotation)) if text else []
    finally:
        raw.FPDFText_ClosePage(text)
        raw.FPDF_ClosePage(page)


def _characters(
    raw: Any, text: Any, frame: tuple[float, float, float, float], rotation: int
) -> Iterator[tuple[str, float, float, float, float]]:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    for index in range(min(raw.FPDFText_CountChars(text), MAX_TEXT_CHARACTERS)):
        if raw.FPDFText_IsGenerated(text, index) == 1:
            continue
        raw.FPDFText_GetCharBox(text, index, left, right, bottom, top)
        bounds = left.value, bottom.value, right.value, max(top.value, bottom.value + 0.01)
        box = _turned(bounds, frame, rotation)
        if box is not None:
            yield chr(raw.FPDFText_GetUnicode(text, index)), box.x0, box.top, box.x1, box.bottom


def _images(raw: Any, page: Any) -> Iterator[Any]:
    """The pictures that lie directly on the page; those inside forms have coordinates of their own and are left."""
    for index in range(min(raw.FPDFPage_CountObjects(page), MAX_SEARCHED_OBJECTS)):
        item = raw.FPDFPage_GetObject(page, index)
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            yield item


def bounds_of(raw: Any, item: Any) -> tuple[float, float, float, float] | None:
    edges = [ctypes.c_float() for _ in range(4)]
    if not raw.FPDFPageObj_GetBounds(item, *edges):
        return None
    left, bottom, right, top = (edge.value for edge in edges)
    return left, bottom, right, top


def frame_of(raw: Any, page: Any) -> tuple[float, float, float, float]:
    """The page's visible box in its own coordinates: left, bottom, right, top."""
    box = raw.FS_RECTF()
    if raw.FPDF_GetPageBoundingBox(page, box):
        return box.left, min(box.bottom, box.top), box.right, max(box.bottom, box.top)
    return 0.0, 0.0, raw.FPDF_GetPageWidthF(page), raw.FPDF_GetPageHeightF(page)


def _turned(
    bounds: tuple[float, float, float, float], page: tuple[float, float, float, float], rotation: int
) -> Box | None:
    """Bottom-left bounds of an object -> a box of the page as displayed, intersection to the page."""
    x0, y0, x1, y1 = bounds
    left, bottom, right, top = page
    x0, y0, x1, y1 = max(x0, left), max(y0, bottom), min(x1, right), min(y1, top)
    return displayed((x0, y0, x1, y1), page, rotation) if x1 > x0 and y1 > y0 else None


def displayed(bounds: tuple[float, float, float, float], page: tuple[float, float, float, float], rotation: int) -> Box:
    """Bottom-left bounds of an object -> a box of the page as displayed; ``page``: its visible box, spelt alike."""
    x0, y0, x1, y1 = bounds
    left, bottom, right, top = page
    x0, y0, x1, y1 = x0 - left, y0 - bottom, x1 - left, y1 - bottom
    width, height = right - left, top - bottom
    if rotation == 90:
        return Box(y0, x0, y1, x1)
    if rotation == 180:
        return Box(width - x1, y0, width - x0, y1)
    if rotation == 270:
        return Box(height - y1, width - x1, height - y0, width - x0)
    return Box(x0, height - y1, x1, height - y0)
