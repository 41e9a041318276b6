"""The text that a searchable copy of a PDF gets: that of the pages whose own text layer is not enough."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import BinaryIO

import msgspec

from apps.pages.model.blocks import Page, PageFailure, Source
from apps.pages.output.exports.searchable_pdf import write_searchable_pdf


class TextLayers(msgspec.Struct, frozen=True):
    """``pages``: all pages of the copy. ``layers``: a PDF with the text of each page of ``layer_pages``.

    ``pages_to_check``: those of them that get it only if the text of the page itself cannot be used, because a model's
    answer does not say what it was read from.
    """

    pages: tuple[int, ...]
    layers: bytes
    layer_pages: tuple[int, ...]
    pages_to_check: tuple[int, ...]


AddText = Callable[[TextLayers, BinaryIO], None]
"""Writes a copy of the document with text layers. Raises PageError or DocumentError if it cannot be copied."""


def text_layers_of(pages: Iterable[Page | PageFailure]) -> TextLayers:
    """Return the text layers for these pages. Failed pages have none."""
    numbers: list[int] = []
    texts: list[Page] = []
    unsure: list[int] = []
    for page in pages:
        numbers.append(page.number)
        if isinstance(page, PageFailure):
            continue
        blocks = tuple(block for block in page.blocks if block.source != Source.TEXT_LAYER)
        if blocks:
            texts.append(msgspec.structs.replace(page, blocks=blocks))
            if any(block.source == Source.MODEL for block in blocks):
                unsure.append(page.number)
    out = io.BytesIO()
    write_searchable_pdf(texts, out, title="")
    return TextLayers(tuple(numbers), out.getvalue(), tuple(page.number for page in texts), tuple(unsure))
