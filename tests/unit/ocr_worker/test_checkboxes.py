"""Check boxes on scans: squares that stand alone, and what is drawn into them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.images.checkboxes import CheckBox, find_checkboxes, with_marks, without_outlines

LINE = np.array([[0, 0], [400, 0], [400, 40], [0, 40]], np.float32)
AT = (100, 80)


def page(mark: str = "", *, side: int = 30, width: int = 2, letters: str = "") -> Image.Image:
    """Return a page with a box at ``AT``, or with ``letters`` in its place."""
    image = Image.new("L", (500, 200), "white")
    draw = ImageDraw.Draw(image)
    x, y = AT
    if letters:
        draw.text(AT, letters, fill="black", font_size=36)
        return image
    draw.rectangle((x, y, x + side, y + side), outline="black", width=width)
    if mark == "cross":
        draw.line((x + 3, y + 3, x + side - 3, y + side - 3), fill="black", width=3)
        draw.line((x + side - 3, y + 3, x + 3, y + side - 3), fill="black", width=3)
    elif mark == "tick":
        draw.line((x + 3, y + side // 2, x + side // 2, y + side - 3), fill="black", width=3)
        draw.line((x + side // 2, y + side - 3, x + side + side // 4, y - side // 4), fill="black", width=3)
    elif mark == "dot":
        draw.ellipse((x + side // 4, y + side // 4, x + side - side // 4, y + side - side // 4), fill="black")
    draw.text((x + side + 15, y), "Married", fill="black", font_size=32)
    return image


def found(image: Image.Image) -> list[CheckBox]:
    return find_checkboxes(np.asarray(image), [LINE])


@pytest.mark.parametrize("side", [22, 30, 40])
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("mark", ["", "cross", "tick"])
def test_a_box_and_its_mark_are_found(mark: str, side: int, width: int) -> None:
    [box] = found(page(mark, side=side, width=width))
    assert box.is_checked == bool(mark)
    assert abs(box.x0 - AT[0]) + abs(box.top - AT[1]) <= 2
    assert abs(box.x1 - box.x0 - side) + abs(box.bottom - box.top - side) <= 4


def test_a_dot_checks_a_box_in_a_blurred_scan() -> None:
    [box] = found(page("dot").filter(ImageFilter.GaussianBlur(0.8)))
    assert box.is_checked


@pytest.mark.parametrize("letters", ["DODO 0QOG", "HEBRIEF", "8690 #@", "[ ] { } ( )", "nuh bdpq oace", "O D 0 Q"])
def test_letters_are_no_boxes(letters: str) -> None:
    assert found(page(letters=letters)) == []


def test_tables_and_fields_for_single_letters_are_no_boxes() -> None:
    grid, comb = Image.new("L", (500, 200), "white"), Image.new("L", (500, 200), "white")
    for number in range(6):
        x = 60 + 30 * number
        ImageDraw.Draw(grid).rectangle((x, 80, x + 30, 110), outline="black")
        ImageDraw.Draw(comb).rectangle((x + 12 * number, 80, x + 12 * number + 28, 108), outline="black", width=2)
    assert found(grid) == []
    assert found(comb) == []
    assert find_checkboxes(np.asarray(page()), []) == []


def test_the_outline_is_taken_away_and_the_mark_stays() -> None:
    image = np.asarray(page("cross"))
    [box] = found(page("cross"))
    rest = without_outlines(image, [box])
    assert rest[box.top, box.x0 : box.x1].min() == 255
    assert rest[box.top + 8 : box.bottom - 8, box.x0 + 8 : box.x1 - 8].min() == 0
    assert without_outlines(image, []) is image


BOX = CheckBox(100, 80, 130, 110, 2, True)
EMPTY = BOX._replace(is_checked=False)


def line(*words: tuple[str, float, float]) -> FoundLine:
    return FoundLine(tuple(FoundWord(text, x0, 78.0, x1, 112.0, 0.9) for text, x0, x1 in words), 0.9)


@pytest.mark.parametrize(
    ("box", "read", "text"),
    [
        (BOX, [("Married", 145, 260)], "☑ Married"),
        (EMPTY, [("Married", 145, 260)], "☐ Married"),
        (BOX, [("X", 105, 125), ("Married", 145, 260)], "☑ Married"),
        (EMPTY, [("OMarried", 100, 260)], "☐ Married"),
        (BOX, [("'Married", 132, 260)], "☑ Married"),
        (BOX, [("Yes", 20, 80), ("No", 145, 180)], "Yes ☑ No"),
        (BOX, [("A", 105, 125), ("Key", 145, 180)], "A Key"),
        (BOX, [("far", 400, 450)], "far|☑"),
    ],
)
def test_a_mark_takes_the_place_of_what_was_read(
    box: CheckBox, read: list[tuple[str, float, float]], text: str
) -> None:
    assert "|".join(each.text for each in with_marks([line(*read)], [box])) == text
