"""Every visible word of a page drawn at random is in its blocks once, in reading order."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import Block, Page
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.random_page import RandomPage

# Pages that were misread once.
HEBREW_BESIDE_ANOTHER_ROW, HEBREW_WITHOUT_BLANKS_TURNED = (431, 1384), (1081, 1227, 1343)
NARROWER_COLUMNS_BELOW, OTHER_COLUMNS_BELOW = (1002, 1093, 1397), (1012, 1117, 1167)
TABLES_THAT_END_LEVEL, CODE_BESIDE_A_TABLE = (1063, 1169), (1202,)
MISREAD = (
    *HEBREW_BESIDE_ANOTHER_ROW,
    *HEBREW_WITHOUT_BLANKS_TURNED,
    *NARROWER_COLUMNS_BELOW,
    *OTHER_COLUMNS_BELOW,
    *TABLES_THAT_END_LEVEL,
    *CODE_BESIDE_A_TABLE,
)
# Long runs draw other pages: pytest -m long.
LONG = [pytest.param(seed, marks=pytest.mark.long) for seed in range(1_000, 1_400) if seed not in MISREAD]
SEEDS = [*range(24), *MISREAD, *LONG]


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
