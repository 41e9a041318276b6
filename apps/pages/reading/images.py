"""Read images sent as documents, one page per frame. Pillow decodes the bytes, only inside the sandboxed child."""

from __future__ import annotations

import io
import math
import warnings
from contextlib import suppress
from typing import Any

from apps.pages.model.blocks import Block, BlockType, Page, PageFailure
from apps.pages.model.errors import DamagedDocument, ImageTooLarge, PageError, RegionOutsidePage
from apps.pages.model.geometry import Box, Margins
from apps.pages.model.page_images.ocr_image import MAX_OCR_PIXELS, OcrImage
from apps.pages.model.page_images.vision_image import paint_outside
from apps.pages.reading.svg import svg_file, svg_page

FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/tiff": "TIFF",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/heic": "HEIF",
    "image/avif": "AVIF",
}
MAX_PIXELS = 64_000_000
MAX_SIDE_PIXELS = 20_000
# Cameras write 72 or nothing, scanners between 75 and 1200. Other values are mistakes.
DEFAULT_DPI = 150.0
MIN_DPI, MAX_DPI = 72.0, 1200.0
MAX_SIDE_POINTS = 14_400.0
_ORIENTATION_TAG = 274


def count_frames(path: str, media_type: str) -> int:
    """Return the number of frames of an image. Raise ImageTooLarge, DamagedDocument."""
    with _open(path, media_type) as image:
        return int(getattr(image, "n_frames", 1))


def read_frame(path: str, page_number: int, media_type: str, margins: Margins | None = None) -> Page | PageFailure:
    """Return a frame as a page that contains one picture and needs OCR. ``margins``: the picture ends at them."""
    try:
        with _open(path, media_type) as image:
            _show_frame(image, page_number)
            width, height = _points(image.width, image.height, _dpi(image))
            with suppress(Exception):  # a broken EXIF block must not fail the page
                # EXIF orientations 5 to 8 swap the sides of the displayed image.
                if image.getexif().get(_ORIENTATION_TAG, 1) in (5, 6, 7, 8):
                    width, height = height, width
    except (EOFError, OSError, ValueError, ImageTooLarge, DamagedDocument) as error:
        problem = PageError()
        return PageFailure(number=page_number, code=problem.code, detail=f"{problem.detail} ({type(error).__name__})")
    box = (margins or Margins()).area(width, height)
    picture = Block(type=BlockType.PICTURE, box=box)
    return Page(number=page_number, width=width, height=height, blocks=(picture,), needs_ocr="no_text_layer")


def render_frame(path: str, page_number: int, media_type: str, *, max_dpi: float = math.inf) -> OcrImage:
    """Return a frame in grey, upright by its EXIF data, on white. Raise PageError, ImageTooLarge."""
    grey, dpi = _upright_frame(path, page_number, media_type, "L")
    max_scale = (MAX_OCR_PIXELS / max(1, grey.width * grey.height)) ** 0.5
    shrink = min(1.0, max_scale, MAX_SIDE_PIXELS / max(grey.size), max_dpi / dpi)
    if shrink < 1.0:
        grey = grey.resize((max(1, int(grey.width * shrink)), max(1, int(grey.height * shrink))))
    # The resolution follows from the page size of read_frame, so that boxes fit the page even if its own is wrong.
    width, _height = _points(grey.width / shrink, grey.height / shrink, dpi)
    return OcrImage(grey.width, grey.height, round(72.0 * grey.width / width, 3), grey.tobytes())


def picture_of_frame(
    path: str,
    page_number: int,
    media_type: str,
    *,
    dpi: float,
    region: Box | None,
    max_pixels: int,
    margins: Margins | None = None,
) -> Any:
    """Return a frame or a part of it as a colour Pillow image, at most at its own resolution.

    ``region`` in points of the page of ``read_frame``. ``margins`` are white. Raise PageError, ImageTooLarge,
    RegionOutsidePage.
    """
    image, own_dpi = _upright_frame(path, page_number, media_type, "RGB")
    width, height = _points(image.width, image.height, own_dpi)
    across, down = image.width / width, image.height / height
    whole = Box(0.0, 0.0, width, height)
    part = whole if region is None else region.intersection(whole)
    if part is None:
        raise RegionOutsidePage
    x0, top = int(part.x0 * across), int(part.top * down)
    x1 = min(image.width, math.ceil(part.x1 * across))
    bottom = min(image.height, math.ceil(part.bottom * down))
    shrink = min(1.0, dpi / (72 * across), (max_pixels / ((x1 - x0) * (bottom - top))) ** 0.5)
    size = max(1, int((x1 - x0) * shrink)), max(1, int((bottom - top) * shrink))
    picture = image.resize(size, box=(x0, top, x1, bottom))
    if margins:
        paint_outside(picture, part, margins.area(width, height))
    return picture


def _upright_frame(path: str, page_number: int, media_type: str, mode: str) -> tuple[Any, float]:
    """Return a frame in ``mode`` ("L" or "RGB"), as ``upright`` does, and its resolution.

    Values of 16 or 32 bits are scaled from the range that the image uses, not cut off.
    """
    try:
        with _open(path, media_type) as image:
            _show_frame(image, page_number)
            return upright(image, mode), _dpi(image)
    except (EOFError, OSError, ValueError, SyntaxError) as error:
        raise PageError from error


def upright(image: Any, mode: str) -> Any:
    """Return a Pillow image in ``mode`` ("L" or "RGB"), upright by its EXIF data and on white.

    Raise what Pillow raises for damaged pixels.
    """
    from PIL import Image, ImageOps

    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = image.convert("F")
        low, high = values.getextrema()
        scale = 255.0 / (high - low) if high > low else 0.0
        flat = values.point(lambda value: value * scale - low * scale).convert("L").convert(mode)
        flat.info["exif"] = image.info.get("exif", b"")
    elif image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        paper = Image.new("RGBA", image.size, "white")
        flat = Image.alpha_composite(paper, image.convert("RGBA")).convert(mode)
        flat.info["exif"] = image.info.get("exif", b"")
    else:
        flat = image.convert(mode)
    return ImageOps.exif_transpose(flat)


def _open(path: str, media_type: str) -> Any:
    from PIL import Image, UnidentifiedImageError

    if media_type == svg_file.MEDIA_TYPE:
        return _drawn(path)
    if FORMATS[media_type] == "HEIF":
        import pi_heif

        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    # Our own limit is lower than Pillow's and is checked before any pixel is decoded.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=[FORMATS[media_type]])
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError) as error:
        raise DamagedDocument from error
    _check_pixels(image)
    return image


def _drawn(path: str) -> Any:
    """Return an SVG picture as a Pillow image. Raise PageError, DamagedDocument."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(svg_file.rendered(svg_page.opened(path))), formats=["PNG"])
    except ValueError as error:
        raise PageError("The picture cannot be drawn: it is damaged or has too many parts. Save it again.") from error
    image.info["dpi"] = (svg_file.DPI, svg_file.DPI)
    _check_pixels(image)
    return image


def _show_frame(image: Any, page_number: int) -> None:
    """Move to a frame. A HEIC file is opened at its main picture, which need not be the first."""
    if image.tell() != page_number - 1:
        image.seek(page_number - 1)
        _check_pixels(image)


def _check_pixels(image: Any) -> None:
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise ImageTooLarge


def _points(columns: float, rows: float, dpi: float) -> tuple[float, float]:
    width, height = columns * 72.0 / dpi, rows * 72.0 / dpi
    shrink = min(1.0, MAX_SIDE_POINTS / max(width, height, 1.0))
    return round(max(width * shrink, 0.01), 2), round(max(height * shrink, 0.01), 2)


def _dpi(image: Any) -> float:
    try:
        dpi = float(image.info.get("dpi", (0, 0))[0])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return DEFAULT_DPI
    return dpi if MIN_DPI < dpi <= MAX_DPI else DEFAULT_DPI
