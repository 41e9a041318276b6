"""Pictures on a page, found with pypdfium2. Part of ``pdf.py``'s duty; runs only inside the isolated child."""

from __future__ import annotations

from typing import Any

from apps.pages.geometry import Box

# Forms may hold forms; three levels reach what real producers nest.
FORM_DEPTH = 3
MOST_OBJECTS = 20_000
SMALLEST_SIDE = 8.0


def open_document(path: str, password: str | None = None) -> Any:
    """The document as pypdfium2 opens it; None when it cannot."""
    import pypdfium2

    try:
        # A file object, not the path: the reader's path may be a descriptor of a file that has no name any more.
        return pypdfium2.PdfDocument(open(path, "rb"), password=password, autoclose=True)  # noqa: PTH123, SIM115
    except pypdfium2.PdfiumError:
        return None


def picture_boxes(document: Any, number: int) -> list[Box]:
    """Boxes of the pictures of a page, in points from the top left as displayed; [] when it cannot be loaded."""
    import pypdfium2
    from pypdfium2 import raw

    if document is None:
        return []
    try:
        page = document[number - 1]
    except (pypdfium2.PdfiumError, IndexError):
        return []
    boxes: list[Box] = []
    try:
        left, bottom, right, top = page.get_mediabox() if page.get_cropbox() is None else page.get_cropbox()
        rotation = page.get_rotation()
        for index, item in enumerate(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=FORM_DEPTH)):
            if index >= MOST_OBJECTS:
                break
            box = _turned(item.get_bounds(), (left, bottom, right, top), rotation)
            if box is not None and box.width >= SMALLEST_SIDE and box.height >= SMALLEST_SIDE:
                boxes.append(box)
    except pypdfium2.PdfiumError:
        return boxes
    finally:
        page.close()
    return boxes


def _turned(
    bounds: tuple[float, float, float, float], page: tuple[float, float, float, float], rotation: int
) -> Box | None:
    """Bottom-left bounds of an object -> a box of the page as displayed, clipped to the page."""
    x0, y0, x1, y1 = bounds
    left, bottom, right, top = page
    x0, x1 = max(x0, left) - left, min(x1, right) - left
    y0, y1 = max(y0, bottom) - bottom, min(y1, top) - bottom
    width, height = right - left, top - bottom
    if x1 <= x0 or y1 <= y0:
        return None
    if rotation == 90:
        return Box(y0, x0, y1, x1)
    if rotation == 180:
        return Box(width - x1, y0, width - x0, y1)
    if rotation == 270:
        return Box(height - y1, width - x1, height - y0, width - x0)
    return Box(x0, height - y1, x1, height - y0)
