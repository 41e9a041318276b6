"""PDFium's own text of each page, to compare with in ``bench.sweep``: a ``work`` module of the sandboxed reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pypdfium2

from apps.pages.model.blocks import Block, BlockType, Page, PageFailure
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.reading.page_reading import inspect_document

__all__ = ["inspect_document", "read_pages"]


def read_pages(
    path: str, page_numbers: Sequence[int], *, password: str | None = None, **_options: object
) -> Iterator[Page | PageFailure]:
    """Yield each page as one block with the text that PDFium gives."""
    with open(path, "rb") as file:  # noqa: PTH123 (the path may be a descriptor)
        try:
            document = pypdfium2.PdfDocument(file, password=password)
        except pypdfium2.PdfiumError:
            for number in page_numbers:
                yield PageFailure(number=number, code=PageError.code)
            return
        with document:
            for number in page_numbers:
                try:
                    page = document[number - 1]
                    text = page.get_textpage().get_text_bounded(*page.get_bbox())
                except (pypdfium2.PdfiumError, IndexError):
                    yield PageFailure(number=number, code=PageError.code)
                    continue
                # PDFium writes U+FFFE for the hyphen of a line end.
                block = Block(BlockType.PARAGRAPH, Box(0, 0, 1, 1), text.replace("\ufffe", "-").replace("\x02", "-"))
                yield Page(number, 1, 1, (block,))
