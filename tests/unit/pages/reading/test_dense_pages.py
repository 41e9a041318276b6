"""Pages with thousands of words are read in seconds, each word once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.pages.model.blocks import Page
from apps.pages.reading import page_reading
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

MAX_SECONDS = 5.0


def in_lines(count: int) -> list[tuple[float, float]]:
    """Return the places of words in lines of forty."""
    return [(20 + 14 * (number % 40), 20 + 1.5 * (number // 40)) for number in range(count)]


def scattered(count: int) -> list[tuple[float, float]]:
    """Return places of words that overlap here and there, in no order."""
    chance = random.Random(1)
    return [(chance.uniform(10, 590), chance.uniform(10, 780)) for _ in range(count)]


@pytest.mark.parametrize("places", [in_lines, scattered])
def test_twenty_thousand_words(tmp_path: Path, places: Callable[[int], list[tuple[float, float]]]) -> None:
    words = [f"w{number:05d};" for number in range(20_000)]
    shown = " ".join(
        f"1 0 0 1 {x:.2f} {792 - top:.2f} Tm ({word}) Tj" for word, (x, top) in zip(words, places(20_000), strict=True)
    )
    path = write_pdf(tmp_path / "a.pdf", Sheet().raw(f"BT /F0 1.2 Tf {shown} ET".encode()))
    started = time.process_time()

    (page,) = page_reading.read_pages(path, [1])

    assert time.process_time() - started < MAX_SECONDS
    assert isinstance(page, Page)
    texts = [text for block in page.blocks for text in (block.text, *(cell.text for cell in block.cells))]
    read = "".join("".join(texts).split()).split(";")
    assert sorted(filter(None, read)) == [word[:-1] for word in words]
