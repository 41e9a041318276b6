"""A page is read alike however it is turned: by its own entry or by the way its text runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import Page
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.conftest import Outputs
from tests.unit.pages.mapped_pdf import HEIGHT, mapped_pdf
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

TURNS = [90, 180, 270]
TEXT = ["The wheel turns every working day of the week, although the", "miller sells most of the flour in town."]


def sheet(number: int) -> Sheet:
    """A page with a heading, two columns, raised and lowered digits, a ruled table and running lines."""
    made = Sheet().text(72, 30, "Mill on the Weir Quarterly", size=8).text(300, 760, f"{number}", size=8)
    made.text(72, 80, "I. INTRODUCTION", size=16, bold=True)
    for left in (72, 330):
        made.lines(left, 120, [line[:44] for line in TEXT * 6], size=9)
    made.raw(b"BT /F0 11 Tf 72 480 Td (5 kg of H) Tj /F0 7 Tf -2 Ts (2) Tj /F0 11 Tf 0 Ts (O at noon) Tj")
    made.raw(b"/F0 7 Tf 4 Ts (3) Tj /F0 11 Tf 0 Ts (.) Tj ET")
    made.grid([72, 200, 330], [400, 420, 440])
    for row, cells in enumerate([("Rye", "21.40"), ("Oats", "33.90")]):
        made.text(76, 404 + 20 * row, cells[0], size=9).text(206, 404 + 20 * row, cells[1], size=9)
    return made.text(72, 560, "II. METHOD", size=16, bold=True).lines(72, 590, TEXT)


def read(path: Path, rotate: int) -> Outputs:
    name = write_pdf(path / f"{rotate}.pdf", *(sheet(number) for number in (1, 2, 3)), rotate=rotate)
    return Outputs(list(read_pages(name, [1, 2, 3])))


@pytest.mark.parametrize("rotate", TURNS)
def test_structure_is_found_on_turned_pages(tmp_path: Path, rotate: int) -> None:
    upright, turned = read(tmp_path, 0), read(tmp_path, rotate)

    assert turned.markdown == upright.markdown
    assert "H<sub>2</sub>O at noon<sup>3</sup>." in turned.markdown
    assert "# I. INTRODUCTION" in turned.markdown
    assert "Mill on the Weir" not in turned.markdown


@pytest.mark.parametrize("rotate", TURNS)
def test_boxes_are_those_of_the_page_as_displayed(tmp_path: Path, rotate: int) -> None:
    item = next(item for item in read(tmp_path, rotate).items() if "INTRODUCTION" in item.get("value", ""))

    box = item["bbox"][0] if isinstance(item["bbox"], list) else item["bbox"]
    x, y = box["x"] + box["w"] / 2, box["y"] + box["h"] / 2
    # The heading is near the top left corner of the sheet, which is 612 points wide and 792 high.
    near = {90: (792 - 90, 140), 180: (612 - 140, 792 - 90), 270: (90, 612 - 140)}[rotate]
    assert (x, y) == pytest.approx(near, abs=25)


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_lines_to_the_left_are_read_from_the_right_when_turned(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    letters = "טלפון במשרד12"
    codes = {letter: number for number, letter in enumerate(dict.fromkeys(letters), 1)}
    # As displayed, from the left: the number comes last in reading order.
    displayed = "12 דרשמב ןופלט"
    a, b, c, d = matrix
    shown = "".join(f"{codes[letter]:04X}" for letter in displayed)
    content = f"BT /F1 12 Tf {a} {b} {c} {d} 300 {HEIGHT // 2} Tm <{shown}> Tj ET"

    (page,) = read_pages(mapped_pdf(tmp_path / "a.pdf", list(codes), {}, content), [1])

    assert isinstance(page, Page)
    assert [block.text for block in page.blocks] == ["טלפון במשרד 12"]
