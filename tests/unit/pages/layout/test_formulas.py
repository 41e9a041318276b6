"""Formulas of several rows are read in the order in which they were drawn, as one line."""

from __future__ import annotations

import msgspec
import pytest

from apps.pages.layout.page_layout import analyse
from apps.pages.model.raw_page import TextRun, TextStyle
from tests.unit.pages.drawing import raw_page, run


def drawn(text: str, x: float, baseline: float, *, mathematics: bool = True, size: float = 10.0) -> TextRun:
    style = TextStyle(font="CMMI10" if mathematics else "Body", mathematics=mathematics)
    shown = run(text, x, baseline - 0.9 * size, size=size)
    return msgspec.structs.replace(shown, baseline=baseline, style=style)


FRACTION = [("x =", 100, 300), ("a", 120, 293), ("b", 120, 307), ("+ c", 129, 300)]
UPSIDE_DOWN = [FRACTION[0], FRACTION[2], FRACTION[1], FRACTION[3]]
CASES = [("f =", 100, 300), ("{", 118, 284), ("0 if even", 124, 292), ("1 if odd", 124, 308)]
NEXT_LINE = [*CASES, ("g", 100, 325)]
SUM = [("n", 102, 289), ("∑", 100, 292), ("i=1", 100, 313), ("g", 112, 300), ("+ h", 119, 300)]


@pytest.mark.parametrize(
    ("places", "text"),
    [
        (FRACTION, "x = a b + c"),
        (UPSIDE_DOWN, "x = a b + c"),
        (CASES, "f = { 0 if even 1 if odd"),
        (SUM, "n∑ i=1 g + h"),
        (NEXT_LINE, "f = { 0 if even 1 if odd g"),
    ],
)
def test_a_formula_is_one_line(places: list[tuple[str, float, float]], text: str) -> None:
    (block,) = analyse(raw_page([drawn(*place) for place in places]))

    assert block.text == text


def test_lines_of_text_with_single_signs_stay_lines() -> None:
    lines = [
        drawn("All of x", 100, 300, mathematics=False), drawn("and", 146, 300), drawn("more of it", 166, 300),
        drawn("x", 100, 312), drawn("is a letter of the alphabet", 108, 312, mathematics=False),
    ]  # fmt: skip

    (block,) = analyse(raw_page(lines))

    assert [line.text for line in block.lines] == ["All of x and more of it", "x is a letter of the alphabet"]


def test_small_text_below_a_name_with_a_sign_is_no_part_of_its_line() -> None:
    place = "Department of Milling, University of Leaves"
    runs = [drawn("Miller", 100, 300, mathematics=False), drawn("¶", 131, 294, size=6)]
    runs.append(drawn(place, 100, 315, mathematics=False, size=8))

    blocks = analyse(raw_page(runs))

    assert [line.text for block in blocks for line in block.lines][-1] == place


def test_limits_beside_a_sum_are_raised_and_lowered() -> None:
    sign = drawn("∑", 100, 292)
    sign = msgspec.structs.replace(sign, style=TextStyle(font="CMEX10", mathematics=True))
    limits = [drawn("9", 105.5, 295.5, size=7), drawn("1", 105.5, 302.5, size=7)]

    (block,) = analyse(raw_page([sign, *limits, drawn("x", 110, 299.5)]))

    assert block.text.replace(" ", "") == "∑⁹₁x"
