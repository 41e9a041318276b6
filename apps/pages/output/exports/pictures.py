"""Where exports get the pictures of a document from."""

from __future__ import annotations

from typing import Protocol

from apps.pages.model.blocks import Block, EmbeddedImage, Page
from apps.pages.model.geometry import NO_BOX, Box

POINTS_PER_PIXEL = 0.75
"""The size at which office programs show a picture whose size is not known."""


class PictureOf(Protocol):
    """Render a part of a page as a JPEG, or return an image file of an office document as one. Raise PageError."""

    def __call__(self, page: Page, box: Box, embedded: EmbeddedImage | None = None) -> bytes: ...


def has_picture(block: Block) -> bool:
    return block.image is not None or block.box != NO_BOX


def picture_of_block(picture_of: PictureOf, page: Page, block: Block) -> bytes:
    """Return the picture that a block is. Raise PageError."""
    if block.image is not None:
        return picture_of(page, block.box, block.image)
    return picture_of(page, block.box)


def width_of(block: Block) -> float:
    """Return how wide a picture is shown, in points."""
    if block.box == NO_BOX and block.image is not None:
        return block.image.width * POINTS_PER_PIXEL
    return block.box.width
