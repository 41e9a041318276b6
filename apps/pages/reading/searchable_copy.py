"""A copy of a PDF with our text under its pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import BinaryIO

from apps.pages.layout.quality import text_quality
from apps.pages.model.ocr_reasons import WHOLE_PAGE_REASONS
from apps.pages.model.raw_page import RawPage
from apps.pages.pdf.pdf_file import PdfFile
from apps.pages.pdf.structure.text_layers import write_with_text


def write_searchable_copy(
    path: str,
    out: BinaryIO,
    *,
    password: str | None,
    page_numbers: Sequence[int],
    layers: bytes,
    layer_pages: Sequence[int],
    pages_to_check: Collection[int],
) -> None:
    """Write these pages of a PDF with a text layer under some of them. Raise PageError.

    ``layers``: a PDF with the text of each page of ``layer_pages``. ``pages_to_check``: those of them that get it only
    if the text of the page itself cannot be used.
    """
    under = {number: index for index, number in enumerate(layer_pages)}
    if pages_to_check:
        with PdfFile(path, password) as pdf:
            for raw in pdf.pages(list(pages_to_check)):
                if isinstance(raw, RawPage) and text_quality.verdict(raw).needs_ocr not in WHOLE_PAGE_REASONS:
                    del under[raw.page_number]
    write_with_text(path, out, password=password, page_numbers=page_numbers, layers=layers, under=under)
