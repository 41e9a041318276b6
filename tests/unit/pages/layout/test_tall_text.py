"""Large words beside small lines keep out of their sentences."""

from __future__ import annotations

import pytest

from tests.unit.pages.conftest import Parse
from tests.unit.pages.tiny_pdf import Sheet

SENTENCE = ["opens the sluice and lets the water", "run over the wheel until it turns at", "its usual speed in spring."]


@pytest.mark.parametrize("lines", [2, 3])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_number_of_a_step_comes_before_its_text(parse: Parse, lines: int, level: int) -> None:
    sheet = Sheet()
    for step in (1, 2, 3):
        top = 100 + 110 * step
        # The large number is on the baseline of one of the small lines.
        sheet.text(72, top - 30 + 12.5 * level, f"0{step}", size=40, bold=True)
        sheet.lines(140, top, [f"Step {step} {SENTENCE[0]}", *SENTENCE[1:lines]], step=12.5, size=10)

    wanted = [f"0{step} Step {step} {' '.join(SENTENCE[:lines])}" for step in (1, 2, 3)]
    assert " ".join(parse(sheet).text.split()) == " ".join(wanted)


def test_a_price_beside_two_lines_is_no_word_of_them(parse: Parse) -> None:
    sheet = Sheet().text(60, 270, "€ 12", size=30, bold=True)
    sheet.lines(150, 277, ["per sack of rye flour,", "delivered on Mondays"], step=10, size=8)

    assert parse(sheet).text.split("\n\n") == ["€ 12", "per sack of rye flour, delivered on Mondays\n"]
