"""Find the pictures on a page and render pages, with pypdfium2. Runs only inside the sandboxed child."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from apps.pages.model.errors import PageError, PageTooLarge, RegionOutsidePage
from apps.pages.model.geometry import Box, Margins
from apps.pages.model.page_images.ocr_image import MAX_OCR_PIXELS, OcrImage
from apps.pages.model.page_images.vision_image import paint_outside
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS
from apps.pages.pdf.repair import repaired

MAX_SEARCHED_OBJECTS = 20_000
MIN_PICTURE_SIDE_POINTS = 8.0
# A picture that covers this share of a page is a scan of it, and is rendered at its own resolution within these bounds.
MIN_SCAN_SHARE = 0.6
MIN_SCAN_DPI, MAX_SCAN_DPI = 120.0, 300.0
MIN_OCR_DPI = 36.0
# A picture for a model is made smaller rather than refused; below the minimum a page is illegible.
MIN_VISION_DPI, MAX_VISION_DPI = 4.0, 1200.0
MAX_SIDE_PIXELS = 20_000


def open_document(document: str | bytes, password: str | None = None) -> Any:
    """Open the document at this path, or in these bytes, with pypdfium2. Return None if that fails.

    A file that PDFium cannot open is repaired first, as for its text.
    """
    import pikepdf
    import pypdfium2

    try:
        # A file object, not the path: the reader's path may be a descriptor of a file that no longer has a name.
        source = open(document, "rb") if isinstance(document, str) else document  # noqa: PTH123, SIM115
        return pypdfium2.PdfDocument(source, password=password, autoclose=True)
    except pypdfium2.PdfiumError:
        if not isinstance(document, str):
            return None
    try:
        return pypdfium2.PdfDocument(repaired(document, password, bare=False), autoclose=True)
    except (pypdfium2.PdfiumError, pikepdf.PdfError, pikepdf.PasswordError, OSError, ValueError, RuntimeError):
        return None


def picture_boxes(document: Any, page_number: int) -> list[Box]:
    """Return the boxes of a page's pictures, in points from the top left as displayed; [] if it cannot be loaded."""
    from pypdfium2 import raw

    # The raw calls, because a Python object for each of a page's thousands of marks costs more than loading the page.
    page = raw.FPDF_LoadPage(document.raw, page_number - 1) if document is not None else None
    if not page:
        return []
    try:
        frame, rotation = frame_of(raw, page), raw.FPDFPage_GetRotation(page) * 90
        bounds = (bounds_of(raw, item) for item in _images(raw, page))
        boxes = [box for found in bounds if found and (box := _clipped(found, frame, rotation))]
    finally:
        raw.FPDF_ClosePage(page)
    return [box for box in boxes if box.width >= MIN_PICTURE_SIDE_POINTS and box.height >= MIN_PICTURE_SIDE_POINTS]


def render(document: Any, page_number: int, *, dpi: float, max_dpi: float = math.inf) -> OcrImage:
    """Return the page in grey. Raise PageError if it cannot be loaded, PageTooLarge if no useful size fits."""
    with loaded_page(document, page_number) as page:
        width, height = page.get_size()
        if max_dpi > min(dpi, MIN_SCAN_DPI):  # otherwise the scan does not matter
            dpi = scan_dpi(document, page_number, width * height) or dpi
        dpi = bounded_dpi(min(dpi, max_dpi), width, height, max_pixels=MAX_OCR_PIXELS)
        if dpi < MIN_OCR_DPI:
            raise PageTooLarge
        bitmap = page.render(scale=dpi / 72, grayscale=True, may_draw_forms=False)
        try:
            rows, stride = memoryview(bitmap.buffer), bitmap.stride
            starts = range(0, stride * bitmap.height, stride)
            pixels = b"".join(rows[start : start + bitmap.width] for start in starts)
            return OcrImage(bitmap.width, bitmap.height, round(dpi, 3), pixels)
        finally:
            bitmap.close()


def picture(
    document: Any,
    page_number: int,
    *,
    dpi: float,
    region: Box | None,
    max_pixels: int,
    margins: Margins | None = None,
) -> Any:
    """Return the page, or the part of it in ``region``, as a Pillow image in colour, at ``dpi`` or less.

    ``margins`` are white. Raise PageError if the page cannot be loaded, RegionOutsidePage, or PageTooLarge if the
    image would be illegible.
    """
    with loaded_page(document, page_number, fields=True) as page:
        whole = Box(0.0, 0.0, *page.get_size())
        part = whole if region is None else region.intersection(whole)
        if part is None:
            raise RegionOutsidePage
        dpi = bounded_dpi(min(dpi, MAX_VISION_DPI), part.width, part.height, max_pixels=max_pixels)
        if dpi < MIN_VISION_DPI:
            raise PageTooLarge
        image = colours(page, dpi=dpi, part=part)
        if margins:
            paint_outside(image, part, margins.area(whole.width, whole.height))
        return image


def colours(page: Any, *, dpi: float, part: Box) -> Any:
    """Return a part of a page as a Pillow image. Raise RegionOutsidePage if it is thinner than a pixel."""
    width, height = page.get_size()
    crop = (part.x0, max(0.0, height - part.bottom), max(0.0, width - part.x1), part.top)
    try:
        bitmap = page.render(scale=dpi / 72, crop=crop)
    except ValueError as error:
        raise RegionOutsidePage from error
    try:
        return bitmap.to_pil()  # a copy as RGB: the bitmap's order of channels is not Pillow's
    finally:
        bitmap.close()


def bounded_dpi(dpi: float, width: float, height: float, *, max_pixels: int) -> float:
    """Return ``dpi``, or less if ``width`` by ``height`` points would have more than ``max_pixels``."""
    finest = 0.99 * math.sqrt(max_pixels / max(width * height, 1e-6))  # a side is rounded up to a whole pixel
    return min(dpi, 72 * finest, 72 * MAX_SIDE_PIXELS / max(width, height, 1.0))


@contextmanager
def loaded_page(document: Any, page_number: int, *, fields: bool = False) -> Iterator[Any]:
    """Yield the loaded page; ``fields``: it is drawn with the values of its form fields. Raise PageError."""
    import pypdfium2

    try:
        if fields:
            with suppress(pypdfium2.PdfiumError):
                document.init_forms()
        page = document[page_number - 1]
    except (pypdfium2.PdfiumError, IndexError) as error:
        raise PageError from error
    try:
        yield page
    finally:
        page.close()


def scan_dpi(document: Any, page_number: int, page_area: float) -> float | None:
    """Return the resolution of the scan that covers most of a page; None if no picture does."""
    from pypdfium2 import raw

    page = raw.FPDF_LoadPage(document.raw, page_number - 1)
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
                # Slightly less than 72: a page is rendered on whole pixels, rounded up, and must match the scan's own.
                own = 71.99 * math.sqrt(columns.value * rows.value / area)
                return min(max(own, MIN_SCAN_DPI), MAX_SCAN_DPI)
    finally:
        raw.FPDF_ClosePage(page)
    return None


def chars_of(document: Any, page_number: int) -> list[tuple[str, float, float, float, float]]:
    """Return the characters of a page with their boxes (x0, top, x1, bottom), for scripts whose order is rebuilt."""
    from pypdfium2 import raw

    page = raw.FPDF_LoadPage(document.raw, page_number - 1) if document is not None else None
    if not page:
        return []
    text = raw.FPDFText_LoadPage(page)
    chars = []
    try:
        frame, rotation = frame_of(raw, page), raw.FPDFPage_GetRotation(page) * 90
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        for index in range(min(raw.FPDFText_CountChars(text), MAX_TEXT_CHARACTERS) if text else 0):
            if raw.FPDFText_IsGenerated(text, index) == 1:
                continue
            raw.FPDFText_GetCharBox(text, index, left, right, bottom, top)
            bounds = left.value, bottom.value, right.value, max(top.value, bottom.value + 0.01)
            box = _clipped(bounds, frame, rotation)
            if box is not None:
                chars.append((chr(raw.FPDFText_GetUnicode(text, index)), box.x0, box.top, box.x1, box.bottom))
    finally:
        raw.FPDFText_ClosePage(text)
        raw.FPDF_ClosePage(page)
    return chars


def _images(raw: Any, page: Any) -> Iterator[Any]:
    """Yield the pictures directly on the page; those inside forms have coordinates of their own and are left out."""
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
    """Return the page's visible box in its own coordinates: left, bottom, right, top."""
    box = raw.FS_RECTF()
    if raw.FPDF_GetPageBoundingBox(page, box):
        return box.left, min(box.bottom, box.top), box.right, max(box.bottom, box.top)
    return 0.0, 0.0, raw.FPDF_GetPageWidthF(page), raw.FPDF_GetPageHeightF(page)


def _clipped(
    bounds: tuple[float, float, float, float], page: tuple[float, float, float, float], rotation: int
) -> Box | None:
    """Return bounds (bottom-left origin) as a box of the page as displayed, clipped to the page; None if outside."""
    x0, y0, x1, y1 = bounds
    left, bottom, right, top = page
    x0, y0, x1, y1 = max(x0, left), max(y0, bottom), min(x1, right), min(y1, top)
    return displayed((x0, y0, x1, y1), page, rotation) if x1 > x0 and y1 > y0 else None


def displayed(bounds: tuple[float, float, float, float], page: tuple[float, float, float, float], rotation: int) -> Box:
    """Return bounds (bottom-left origin) as a box of the page as displayed; ``page``: its visible box, as bounds."""
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
