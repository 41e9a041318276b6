"""The sheet of a page's embedded pictures for OCR, and the text that was read on it.

An office document has no picture of a page, so the image files on a page are put below each other on one image. The OCR
worker reads each part of it on its own and returns as many recognitions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from apps.pages.layout import rotated_pages
from apps.pages.layout.barcodes import MIN_PICTURE_SHARE, described, picture_of
from apps.pages.model.blocks import Barcode, Block, BlockType, EmbeddedImage, Page
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.page_images.ocr_image import MAX_OCR_PIXELS
from apps.pages.model.recognition import Recognition

MIN_WIDTH_PIXELS, MIN_HEIGHT_PIXELS = 100, 30
"""Smaller pictures are icons, in which no text is looked for."""
MAX_PICTURES_ON_SHEET = 30
MAX_PICTURE_PIXELS = 4_000_000
"""About a page at 200 dpi. Larger pictures are read smaller."""
MAX_SHEET_SIDE_PIXELS = 60_000
_PICTURES_NOT_READ = "pictures_not_read"
_SCRIPT_NOT_READ = "script_not_read"
_MIN_CONFIDENCE = 0.6


def is_legible(image: EmbeddedImage) -> bool:
    """Return whether a picture is large enough for text in it."""
    return image.width >= MIN_WIDTH_PIXELS and image.height >= MIN_HEIGHT_PIXELS


def sheet_of(page: Page, scale: float = 1.0) -> tuple[EmbeddedImage, ...]:
    """Return the pictures of a page that OCR reads, in their order, each once, with their sizes on the sheet.

    If there are too many, the largest are chosen.
    """
    found = {
        block.image.name: block.image
        for block in page.blocks
        if block.type is BlockType.PICTURE and block.image is not None and is_legible(block.image)
    }
    largest = sorted(found.values(), key=lambda image: image.width * image.height, reverse=True)
    chosen = {image.name for image in largest[:MAX_PICTURES_ON_SHEET]}
    sheet = [
        _scaled(image, min(1.0, (MAX_PICTURE_PIXELS / (image.width * image.height)) ** 0.5) * scale)
        for image in found.values()
        if image.name in chosen
    ]
    width, height = sheet_size(sheet)
    shrink = min(1.0, (0.9 * MAX_OCR_PIXELS / max(1, width * height)) ** 0.5, MAX_SHEET_SIDE_PIXELS / max(1, height))
    return tuple(_scaled(image, shrink) for image in sheet)


def sheet_size(images: Sequence[EmbeddedImage]) -> tuple[int, int]:
    """Return width and height of a sheet in pixels."""
    return max((image.width for image in images), default=0), sum(image.height for image in images)


def with_pictures_read(page: Page, recognition: Recognition, lay_out: Callable[[Recognition], list[Block]]) -> Page:
    """Return the page with the text of its pictures, each after its picture. ``recognition``: that of its sheet."""
    sheet = sheet_of(page)
    read = {image.name: part for image, part in zip(sheet, recognition.parts, strict=False)}
    blocks: list[Block] = []
    codes: list[Barcode] = []
    has_unread = False
    for block in page.blocks:
        part = read.get(block.image.name) if block.image is not None and block.type is BlockType.PICTURE else None
        if part is None:
            blocks.append(block)
            is_picture = block.type is BlockType.PICTURE
            has_unread = has_unread or (is_picture and (block.image is None or is_legible(block.image)))
            continue
        has_unread = has_unread or _is_unread(part)
        texts = [found for found in lay_out(part) if found.text or found.cells]
        placed = [_placed_code(code, part, block.box) for code in part.barcodes]
        codes += placed
        whole = _code_of_picture(block, part)
        blocks.append(block if whole is None else described(block, placed[whole]))
        blocks += [picture_of(code) for index, code in enumerate(placed) if index != whole]
        blocks += [_in_picture(found, part, block.box) for found in texts]
    warnings = [code for code in page.warnings if has_unread or code != _PICTURES_NOT_READ]
    warnings += [code for part in read.values() if not _is_unread(part) for code in part.warnings]
    if any(part.lines and part.confidence < _MIN_CONFIDENCE for part in read.values()):
        warnings.append("ocr_low_confidence")
    return msgspec.structs.replace(
        page,
        blocks=tuple(blocks),
        warnings=tuple(dict.fromkeys(warnings)),
        needs_ocr="",
        barcodes=(*page.barcodes, *codes),
    )


def _is_unread(part: Recognition) -> bool:
    """Return whether what looked like text in a picture could not be read. Drawings look so, too."""
    return not part.lines and _SCRIPT_NOT_READ in part.warnings


def _in_picture(block: Block, part: Recognition, picture: Box) -> Block:
    """Return a block that was read in a picture, with its place on the page if that of the picture is known."""
    if block.type not in (BlockType.TABLE, BlockType.LIST_ITEM):
        block = msgspec.structs.replace(block, type=BlockType.PARAGRAPH, level=0)
    if picture == NO_BOX:
        cells = tuple(msgspec.structs.replace(cell, box=None, words=()) for cell in block.cells)
        return msgspec.structs.replace(block, box=NO_BOX, lines=(), cells=cells)
    return rotated_pages.moved(block, lambda box: _on_page(box, part, picture))


def _on_page(box: Box, part: Recognition, picture: Box) -> Box:
    """Return a box of the image of a picture on the page that shows the picture at ``picture``."""
    width, height = _size_of(part)
    across, down = picture.width / max(width, 1.0), picture.height / max(height, 1.0)
    edges = (box.x0 * across, box.top * down, box.x1 * across, box.bottom * down)
    x0, top, x1, bottom = (round(edge, 2) for edge in edges)
    return Box(picture.x0 + x0, picture.top + top, picture.x0 + x1, picture.top + bottom)


def _size_of(part: Recognition) -> tuple[float, float]:
    """Return width and height of the image before it was turned."""
    return (part.height, part.width) if part.orientation in (90, 270) else (part.width, part.height)


def _placed_code(code: Barcode, part: Recognition, picture: Box) -> Barcode:
    return msgspec.structs.replace(code, box=NO_BOX if picture == NO_BOX else _on_page(code.box, part, picture))


def _code_of_picture(picture: Block, part: Recognition) -> int | None:
    """Return which code of a picture without a description covers much of it."""
    width, height = _size_of(part)
    shares = [code.box.width * code.box.height / max(width * height, 1.0) for code in part.barcodes]
    if picture.description or not shares or max(shares) < MIN_PICTURE_SHARE:
        return None
    return shares.index(max(shares))


def _scaled(image: EmbeddedImage, scale: float) -> EmbeddedImage:
    return EmbeddedImage(image.name, max(1, int(image.width * scale)), max(1, int(image.height * scale)))
