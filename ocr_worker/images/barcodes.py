"""Find bar codes and matrix codes, such as QR codes, on a page image with zxing-cpp."""

from __future__ import annotations

import logging

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.pages.model.blocks import Barcode
from apps.pages.model.geometry import Box
from apps.pages.model.text.safe_text import clean
from ocr_worker.engines.base import Gray

logger = logging.getLogger(__name__)

MAX_BARCODES = 100
MAX_VALUE_CHARACTERS = 8_000
GUARD_BAR_SHARE = 0.15
"""The first, middle and last bars of retail codes are longer than the others, by less than this share."""
_WITH_GUARD_BARS = frozenset({"EAN13", "EAN8", "UPCA", "UPCE", "ISBN"})
_NAMES = {
    "QRCode": "QR code",
    "QRCodeModel1": "QR code",
    "QRCodeModel2": "QR code",
    "MicroQRCode": "Micro QR code",
    "RMQRCode": "rMQR code",
    "DataMatrix": "Data Matrix",
    "AztecCode": "Aztec",
    "AztecRune": "Aztec",
    "Code39Std": "Code 39",
    "Code39Ext": "Code 39",
    "Code39": "Code 39",
    "Code32": "Code 32",
    "Code93": "Code 93",
    "Code128": "Code 128",
    "EAN13": "EAN-13",
    "EAN8": "EAN-8",
    "UPCA": "UPC-A",
    "UPCE": "UPC-E",
    "ITF14": "ITF-14",
}


def find_barcodes(image: Gray, dpi: float) -> tuple[tuple[Barcode, ...] | None, Gray]:
    """Return the codes on an image, from the top, and the image without them.

    Their boxes are in points of the image as it is. Their places are painted white, because a text engine would take
    them for letters. Without the library they are None, and the log says so.
    """
    try:
        import zxingcpp
    except ImportError:
        logger.warning("Bar codes are not read: zxing-cpp is not installed (ocr_worker/requirements.txt)")
        return None, image
    found = []
    rest = image
    for code in zxingcpp.read_barcodes(image)[:MAX_BARCODES]:
        value = clean(code.text)[:MAX_VALUE_CHARACTERS]
        if not value.strip():
            continue
        place = code.position
        corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        quad = np.array([(corner.x, corner.y) for corner in corners], np.int32)
        box = Box(*(round(float(edge) * 72.0 / dpi, 2) for edge in (*quad.min(axis=0), *quad.max(axis=0))))
        found.append(Barcode(value, _NAMES.get(code.format.name, code.format.name), box))
        rest = image.copy() if rest is image else rest
        cv2.fillConvexPoly(rest, _with_guard_bars(quad) if code.format.name in _WITH_GUARD_BARS else quad, 255)
    return tuple(sorted(found, key=lambda code: (code.box.top, code.box.x0))), rest


def _with_guard_bars(quad: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the corners of a code from its top left clockwise, longer at both ends of its bars."""
    along = (quad[3] + quad[2] - quad[0] - quad[1]) / 2 * GUARD_BAR_SHARE
    return np.array([quad[0] - along, quad[1] - along, quad[2] + along, quad[3] + along], np.int32)
