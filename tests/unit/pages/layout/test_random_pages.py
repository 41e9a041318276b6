"""Every visible word of a page drawn at random is in its blocks once, in reading order."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import Block, Page
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.random_page import RandomPage

# Long runs draw other pages: make chaos, or pytest -m long.
SEEDS = [*range(24), 431, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1_000, 1_400))]


def words_of(blocks: tuple[Block, ...]) -> list[str]:
    texts = [" ".join([block.text, *(cell.text for cell in block.cells)]) for block in blocks]
    return " ".join(texts).split()


@pytest.mark.parametrize("seed", SEEDS)
def test_words_of_a_random_page_come_once_and_in_order(tmp_path: Path, seed: int) -> None:
    drawn = RandomPage(seed)
    turn, shift = (0, 90, 0, 180, 0, 270)[seed % 6], (0.0, 0.0) if seed % 4 else (-40.0, 33.0)

    (page,) = read_pages(drawn.write(tmp_path / "made.pdf", rotate=turn, shift=shift), [1])

    assert isinstance(page, Page)
    assert "lost_characters" not in page.quality
    assert words_of(page.blocks) == drawn.words
