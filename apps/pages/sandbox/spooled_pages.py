"""Pages of a PDF that are read once and used several times, without all of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from apps.pages.model.blocks import Page, PageFailure, decode_result, encode_result
from apps.pages.model.page_numbers.ranges import DEFAULT_RANGE_PAGES
from apps.pages.sandbox.client import Limits, Reader


def spooled_pages(
    reader: Reader, document: Path, numbers: Sequence[int], spool: BinaryIO, *, limits: Limits
) -> Callable[[], Iterator[Page | PageFailure]]:
    """Read these pages with the boxes of their words into ``spool``. Raise the errors of ``read_range``.

    Return a function that yields them, from the first one at each call; a call ends the iteration of the one before.
    """
    for start in range(0, len(numbers), DEFAULT_RANGE_PAGES):
        part = numbers[start : start + DEFAULT_RANGE_PAGES]
        for result in reader.read_range(document, part, word_boxes=True, limits=limits):
            spool.write(encode_result(result) + b"\n")

    def pages() -> Iterator[Page | PageFailure]:
        spool.seek(0)
        for line in spool:
            yield decode_result(line)

    return pages
