"""The pages of an office document as it was printed, read once and used several times to make PDFs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from apps.pages.model.blocks import Block, Page, PageFailure, Source, decode_result, encode_result
from apps.pages.model.page_numbers.ranges import DEFAULT_RANGE_PAGES
from apps.pages.sandbox.client import Limits, Reader

Result = Page | PageFailure


def printed_pages(
    reader: Reader,
    printed: Path,
    spool: BinaryIO,
    *,
    page_count: int,
    slides: Iterable[Result] | None = None,
    limits: Limits,
) -> Callable[[], Iterator[Result]]:
    """Read the pages of a print, a PDF, with the boxes of their words into ``spool``. Raise as ``read_range``.

    ``slides``: the pages of a presentation whose print has the same pages. Then only they are read, and the text that
    OCR read in their pictures is added. Return a function that yields the pages, from the first one at each call; a
    call ends the iteration of the one before.
    """
    numbers: Sequence[int] = range(1, page_count + 1)
    blocks: dict[int, tuple[Block, ...]] = {}
    if slides is not None:
        for slide in slides:
            of_ocr = (each for each in slide.blocks if each.source == Source.OCR) if isinstance(slide, Page) else ()
            blocks[slide.number] = tuple(of_ocr)
        numbers = list(blocks)
    for start in range(0, len(numbers), DEFAULT_RANGE_PAGES):
        part = numbers[start : start + DEFAULT_RANGE_PAGES]
        for result in reader.read_range(printed, part, word_boxes=True, limits=limits):
            if isinstance(result, Page) and blocks.get(result.number):
                result = msgspec.structs.replace(result, blocks=(*result.blocks, *blocks[result.number]))
            spool.write(encode_result(result) + b"\n")

    def pages() -> Iterator[Result]:
        spool.seek(0)
        for line in spool:
            yield decode_result(line)

    return pages
