"""Page images for vision models, rendered in the sandbox on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol

from apps.pages.model.blocks import EmbeddedImage, Page
from apps.pages.model.errors import PageError, RegionOutsidePage
from apps.pages.model.geometry import Box, Margins
from apps.pages.model.page_images.vision_image import MAX_VISION_PIXELS
from apps.pages.model.region_table import RegionTable
from apps.pages.sandbox import pool
from apps.pages.sandbox.client import TABLE_WORK, Limits

if TYPE_CHECKING:
    from apps.pages.output.exports.text_layers import TextLayers

POINTS_PER_INCH = 72
PAGE_DPI = 144.0
# The largest resolution of a region.
ZOOM_DPI = 300.0
OCR_DPI = 200.0
READERS = 2
# pdfplumber is imported by a reader of its own, which starts when an agent first reads a table.
TABLE_READERS = 1


class DocumentGone(PageError):
    """The document was deleted while its pages were parsed. Upload it again."""

    code = "not_found"


class Pictures(Protocol):
    """The source of a page parser's pictures."""

    def page(self, page: Page, pixels: int = 0) -> bytes:
        """Return the whole page as a JPEG. ``pixels``: its longest side; 0: as ``PAGE_DPI`` gives it."""

    def region(self, page: Page, box: Box, dpi: float = ZOOM_DPI) -> bytes:
        """Return a part of the page (points, page as displayed) enlarged, as a JPEG, or raise PageError."""

    def text(self, page: Page, box: Box) -> str:
        """Return the text that OCR reads in a part of the page, or raise PageError."""

    def table(self, page: Page, box: Box, columns: Sequence[float]) -> RegionTable:
        """Return the table in a part of the page, or raise PageError. ``columns``: borders of columns, if known."""

    def recognized(self, page: Page) -> Page:
        """Return the page as OCR reads it, or raise PageError."""


def page_resolution(page: Page, pixels: int) -> tuple[float, int]:
    """Return the resolution of a page's picture, and how many pixels it has at most. ``pixels``: as for a picture."""
    dpi = pixels * POINTS_PER_INCH / max(page.width, page.height, 1.0) if pixels else PAGE_DPI
    return dpi, max(MAX_VISION_PIXELS, pixels**2)


def page_picture_size(page: Page, pixels: int) -> tuple[float, float]:
    """Return width and height in pixels of a page's picture, before it is rendered."""
    dpi, max_pixels = page_resolution(page, pixels)
    width, height = max(1.0, page.width * dpi / POINTS_PER_INCH), max(1.0, page.height * dpi / POINTS_PER_INCH)
    scale = min(1.0, (max_pixels / (width * height)) ** 0.5)
    return width * scale, height * scale


class DocumentPictures:
    """Pictures of one document, which is opened when the first picture is needed. Whole pages are rendered once.

    ``margins``: parts of the pages that are not read; pictures show them white.
    """

    def __init__(
        self,
        document_id: str | None,
        *,
        password: str | None,
        media_type: str,
        limits: Limits,
        should_stop: Callable[[], bool],
        open_document: Callable[[str], AbstractContextManager[Path]],
        margins: Margins | None = None,
    ) -> None:
        self._document_id = document_id
        self._password = password
        self._media_type = media_type
        self._limits = limits
        self._should_stop = should_stop
        self._open_document = open_document
        self._margins = margins
        self._path: Path | None = None
        self._pages: dict[tuple[int, int], bytes] = {}  # by page number and longest side
        self._stack = ExitStack()

    def page(self, page: Page, pixels: int = 0) -> bytes:
        key = page.number, pixels
        if key not in self._pages:
            dpi, max_pixels = page_resolution(page, pixels)
            self._pages[key] = self._picture(page, None, dpi, max_pixels=max_pixels)
        return self._pages[key]

    def region(self, page: Page, box: Box, dpi: float = ZOOM_DPI) -> bytes:
        return self._picture(page, box, dpi)

    def picture(self, page: Page, box: Box, embedded: EmbeddedImage | None = None, *, dpi: float = ZOOM_DPI) -> bytes:
        """Return a part of the page, or an image file inside the document, as a JPEG. Raise PageError."""
        return self._picture(page, box, dpi, embedded=embedded)

    def text(self, page: Page, box: Box) -> str:
        from apps.parsing.region_ocr import recognized_text

        return recognized_text(self._image_for_ocr(page), box)

    def recognized(self, page: Page) -> Page:
        from apps.parsing.region_ocr import recognized_page

        return recognized_page(page, self._image_for_ocr(page))

    def _image_for_ocr(self, page: Page) -> bytes:
        with pool.reader_pool(READERS).reader(should_stop=self._should_stop) as reader:
            return reader.render(
                self._opened(),
                page.number,
                dpi=OCR_DPI,
                margins=self._margins,
                password=self._password,
                media_type=self._media_type,
                limits=self._limits,
                should_stop=self._should_stop,
            )

    def table(self, page: Page, box: Box, columns: Sequence[float]) -> RegionTable:
        region = box.intersection(self._margins.area(page.width, page.height)) if self._margins else box
        if region is None:
            raise RegionOutsidePage
        with pool.reader_pool(TABLE_READERS, TABLE_WORK).reader(should_stop=self._should_stop) as reader:
            return reader.table(
                self._opened(),
                page.number,
                region=region,
                columns=columns,
                password=self._password,
                media_type=self._media_type,
                limits=self._limits,
                should_stop=self._should_stop,
            )

    def searchable_copy(self, layers: TextLayers, out: BinaryIO) -> None:
        """Write a copy of the document, a PDF, with text under its pages. Raise PageError or DocumentError."""
        with pool.reader_pool(READERS).reader(should_stop=self._should_stop) as reader:
            reader.searchable_copy(
                self._opened(),
                out,
                page_numbers=layers.pages,
                layers=layers.layers,
                layer_pages=layers.layer_pages,
                pages_to_check=layers.pages_to_check,
                password=self._password,
                limits=self._limits,
                should_stop=self._should_stop,
            )

    def _opened(self) -> Path:
        if self._path is None:
            if self._document_id is None:
                raise DocumentGone
            self._path = self._stack.enter_context(self._open_document(self._document_id))
        return self._path

    def _picture(
        self,
        page: Page,
        box: Box | None,
        dpi: float,
        max_pixels: int = MAX_VISION_PIXELS,
        embedded: EmbeddedImage | None = None,
    ) -> bytes:
        with pool.reader_pool(READERS).reader(should_stop=self._should_stop) as reader:
            return reader.picture(
                self._opened(),
                page.number,
                dpi=dpi,
                region=box,
                max_pixels=max_pixels,
                margins=self._margins,
                embedded=embedded,
                password=self._password,
                media_type=self._media_type,
                limits=self._limits,
                should_stop=self._should_stop,
            )

    def __enter__(self) -> DocumentPictures:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
