"""Draw a loaded page, or a part of it, into an array. Runs only inside the sandboxed child."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from apps.pages.model.errors import RegionOutsidePage
from apps.pages.model.geometry import Box
from apps.pages.pdf.pdfium import Pdfium

# PDFium's numbers: four bytes a pixel (blue, green, red, unused), and drawing with annotations.
_BITMAP, _WITH_ANNOTATIONS = 3, 0x01
_WHITE = 0xFF


class DrawnPage(msgspec.Struct, gc=False):
    """A loaded page of a library. ``form``: the handle that draws the values of its form fields, 0 for none."""

    library: Pdfium
    handle: int
    form: int = 0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the page as displayed, in points."""
        return self.library.FPDF_GetPageWidthF(self.handle), self.library.FPDF_GetPageHeightF(self.handle)

    def drawn(self, *, dpi: float, part: Box) -> Any:
        """Return a part of the page: rows of pixels of blue, green, red and an unused byte.

        Raise RegionOutsidePage if it is thinner than a pixel.
        """
        library, scale = self.library, dpi / 72
        width, height = self.size
        whole = math.ceil(width * scale), math.ceil(height * scale)
        left, top = math.ceil(part.x0 * scale), math.ceil(part.top * scale)
        columns = whole[0] - left - math.ceil(max(0.0, width - part.x1) * scale)
        rows = whole[1] - top - math.ceil(max(0.0, height - part.bottom) * scale)
        if columns < 1 or rows < 1:
            raise RegionOutsidePage
        pixels = np.full((rows, columns, 4), _WHITE, "u1")
        bitmap = library.FPDFBitmap_CreateEx(columns, rows, _BITMAP, pixels.ctypes.data, 4 * columns)
        if not bitmap:
            raise RegionOutsidePage
        place = (-left, -top, *whole, 0, _WITH_ANNOTATIONS)
        library.FPDF_RenderPageBitmap(bitmap, self.handle, *place)
        if self.form:
            library.FPDF_FFLDraw(self.form, bitmap, self.handle, *place)
        library.FPDFBitmap_Destroy(bitmap)
        return pixels
