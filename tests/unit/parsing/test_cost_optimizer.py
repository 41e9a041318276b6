"""The cost optimizer chooses the cheaper mode for easy pages of an agentic job."""

from __future__ import annotations

import msgspec
import pytest

from apps.pages.model.blocks import Block, BlockType, Cell, Page, Source
from apps.pages.model.geometry import Box
from apps.parsing.routing.cost_optimizer import is_easy
from tests.unit.pages.drawing import HEIGHT, WIDTH, page, text_block

PROSE = "The parties agree that the works shall be carried out with care and within the time set out below."


def table(*, columns: int = 3, empty: bool = False, span: int = 1) -> Block:
    cells = [
        Cell(
            row, column, "" if empty and column else f"cell {row}", column_span=span if row == 0 and column == 0 else 1
        )
        for row in range(4)
        for column in range(columns)
        if row or not 0 < column < span
    ]
    return Block(BlockType.TABLE, Box(72, 300, 500, 400), cells=tuple(cells))


def picture(share: float) -> Block:
    return Block(BlockType.PICTURE, Box(0, 500, WIDTH, 500 + HEIGHT * share))


@pytest.mark.parametrize(
    ("easy", "reason"),
    [
        (page(text_block("Terms", kind=BlockType.HEADING), text_block(PROSE, 120)), "plain text"),
        (page(text_block(PROSE), table()), "plain text"),
        (page(text_block(PROSE), picture(0.02)), "plain text"),
        (page(), "an empty page"),
    ],
)
def test_plain_pages_are_easy(easy: Page, reason: str) -> None:
    found, why = is_easy(easy)
    assert found
    assert reason in why


@pytest.mark.parametrize(
    ("hard", "reason"),
    [
        (page(picture(0.9), needs_ocr="no_text_layer"), "no usable text layer"),
        (page(text_block(PROSE), needs_ocr="text_in_picture"), "no usable text layer"),
        (page(msgspec.structs.replace(text_block(PROSE), source=Source.OCR)), "recognised"),
        (msgspec.structs.replace(page(text_block(PROSE)), warnings=("text_unreliable",)), "text_unreliable"),
        (page(text_block(PROSE), picture(0.2)), "a large picture"),
        (page(text_block(PROSE), *[picture(0.01)] * 5), "many pictures"),
        (page(text_block(PROSE), table(empty=True)), "a table"),
        (page(text_block(PROSE), table(span=2)), "a table"),
        (page(text_block(PROSE), table(columns=12)), "a table"),
        (page(text_block("∀ε ∃δ: |x−a| ≤ δ ⇒ f(x) = f(a) ± ε, ∑ aᵢ = ∫ f ∂x, x ∈ A ∪ B ≠ ∅")), "formulas"),
        (page(text_block(PROSE * 120)), "an unusual amount"),
        (page(text_block("12.5 1,400.50 (7) 33 % 0.12 99 Total 12 17 4.5")), "more numbers"),
        (page(text_block("وافق الطرفان على تنفيذ الأعمال بعناية وفي المدة المحددة")), "to the left"),
        (page(*(text_block(PROSE, x=x) for x in (20.0, 300.0))), "several columns"),
        (page(*(text_block(f"Box {n}", 50 + 30 * n) for n in range(20))), "many pieces"),
    ],
)
def test_a_page_that_is_not_easy_has_a_reason(hard: Page, reason: str) -> None:
    found, why = is_easy(hard)
    assert not found
    assert reason in why
