"""Read the image files inside office documents: their sizes, their pixels. Only the sandboxed child decodes them."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from apps.pages.layout.picture_sheet import is_legible, sheet_size
from apps.pages.model.blocks import Block, BlockType, EmbeddedImage, Page
from apps.pages.model.errors import ArchiveTooLarge, ImageTooLarge, NoPictureOfPage, PageError, ParseError
from apps.pages.model.media_types import printed_type_of
from apps.pages.model.ocr_reasons import TEXT_IN_PICTURE
from apps.pages.model.page_images.ocr_image import OcrImage
from apps.pages.model.page_images.vision_image import encode_vision_image
from apps.pages.office.image_files import ImageFiles
from apps.pages.reading.images import FORMATS, MAX_PIXELS, MAX_SIDE_PIXELS, upright
from apps.pages.reading.metafiles import metafile

PICTURES_NOT_READ, CUT = "pictures_not_read", "text_truncated"
FORMAT_NOT_READ, MISSING = "picture_format_not_read", "picture_missing"
DAMAGED, TOO_LARGE = "picture_damaged", "picture_too_large"
SHEET_DPI = 200.0
# Pillow knows HEIF only after a plug-in is loaded, and office programs do not write it.
_FORMATS = [name for name in FORMATS.values() if name != "HEIF"]
_HEAD_BYTES = 1 << 16
_ORIENTATION_TAG = 274
_FAULTS = (EOFError, OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError, ParseError)


def image_files(path: str, media_type: str, password: str | None) -> ImageFiles:
    """Return the image files of a document; those of the last one stay open."""
    facts = os.stat(path)  # noqa: PTH116 (the path may be a descriptor)
    identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return _image_files(path, media_type, password, identity)


@lru_cache(maxsize=1)
def _image_files(path: str, media_type: str, password: str | None, _identity: tuple[int, ...]) -> ImageFiles:
    return ImageFiles(path, media_type, password)


def with_sizes(page: Page, files: ImageFiles) -> Page:
    """Return a page whose pictures have the sizes of their files. Files that cannot be shown are left out, with a
    warning; the text of metafiles follows them. If others are large enough for text in them, the page needs OCR.
    """
    if not any(block.image for block in page.blocks):
        return page
    sizes: dict[str, EmbeddedImage | str] = {}
    texts: dict[str, tuple[list[str], bool]] = {}
    blocks: list[Block] = []
    is_read = True
    for block in page.blocks:
        lines: list[str] = []
        if block.image is not None:
            name = block.image.name
            if name not in sizes:
                sizes[name] = _measured(files, name)
            found = sizes[name]
            if found == FORMAT_NOT_READ and name not in texts:
                texts[name] = metafile.text_of(files.read(name))
            lines = texts.get(name, ([], False))[0]
            block = msgspec.structs.replace(block, image=None if isinstance(found, str) else found)
        is_read = is_read and (block.type is not BlockType.PICTURE or block.image is not None or bool(lines))
        blocks += [block, *(Block(BlockType.PARAGRAPH, block.box, text=line) for line in lines)]
    codes = list(dict.fromkeys([*page.warnings, *(code for code in sizes.values() if isinstance(code, str))]))
    pictures = [block.image for block in blocks if block.type is BlockType.PICTURE]
    has_text = any(image is not None and is_legible(image) for image in pictures)
    if any(is_cut for _lines, is_cut in texts.values()):
        codes.append(CUT)
    if not has_text and is_read and PICTURES_NOT_READ in codes:  # they are too small for text, or it was read
        codes.remove(PICTURES_NOT_READ)
    needs_ocr = page.needs_ocr or (TEXT_IN_PICTURE if has_text else "")
    return msgspec.structs.replace(page, blocks=tuple(blocks), warnings=tuple(codes), needs_ocr=needs_ocr)


def sheet_for_ocr(files: ImageFiles, images: Sequence[EmbeddedImage]) -> OcrImage:
    """Return the images in grey, at the sizes asked for, below each other at the left edge of one white image.

    The place of an image that cannot be decoded stays white.
    """
    from PIL import Image

    if not images:
        raise NoPictureOfPage
    sheet = Image.new("L", sheet_size(images), "white")
    top = 0
    for image in images:
        with suppress(*_FAULTS):
            sheet.paste(_decoded(files, image.name, "L").resize((image.width, image.height)), (0, top))
        top += image.height
    return OcrImage(sheet.width, sheet.height, SHEET_DPI, sheet.tobytes())


def jpeg_of(files: ImageFiles, name: str, *, max_pixels: int) -> bytes:
    """Return an image file as a JPEG on white. Raise PageError if it cannot be decoded."""
    try:
        image = _decoded(files, name, "RGB")
    except _FAULTS as error:
        raise PageError("The picture cannot be decoded. Open the document to see it.") from error
    return encode_vision_image(image, max_pixels=max_pixels)


def _measured(files: ImageFiles, name: str) -> EmbeddedImage | str:
    """Return an image with its size as it is displayed, or the code of the warning that says why it has none."""
    content = b""
    for max_bytes in (_HEAD_BYTES, 0):
        try:
            content = files.read(name, max_bytes)
            if not content:
                return MISSING
            if max_bytes and metafile.is_metafile(content):
                continue  # its commands may go on
            with _open(content) as image:
                width, height = image.size
                with suppress(Exception):  # a broken EXIF block must not hide the picture
                    # EXIF orientations 5 to 8 swap the sides of the displayed image.
                    if image.getexif().get(_ORIENTATION_TAG, 1) in (5, 6, 7, 8):
                        width, height = height, width
                return EmbeddedImage(name, width, height)
        except (ImageTooLarge, ArchiveTooLarge):
            return TOO_LARGE
        except _FAULTS:
            continue
    return DAMAGED if not content or printed_type_of(content) in FORMATS else FORMAT_NOT_READ


def _decoded(files: ImageFiles, name: str, mode: str) -> Any:
    with _open(files.read(name)) as image:
        return upright(image, mode)


def _open(content: bytes) -> Any:
    """Return a Pillow image whose pixels are not decoded yet. Raise ImageTooLarge if it has too many."""
    from PIL import Image

    if metafile.is_metafile(content):
        content = metafile.bitmap_of(content)
    Image.MAX_IMAGE_PIXELS = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE_PIXELS:
        image.close()
        raise ImageTooLarge
    return image
