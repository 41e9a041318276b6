"""A list of contents is a list with page numbers and without leaders; a heading that touches its text is apart."""

from __future__ import annotations

from pathlib import Path

from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.drawing import assembled
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

WORDS = ["the", "wheel", "turns", "in", "a", "stream", "and", "stones", "grind", "grain"]


def markdown(tmp_path: Path, *sheets: Sheet) -> str:
    path = write_pdf(tmp_path / "drawn.pdf", *sheets)
    pages = list(read_pages(path, range(1, len(sheets) + 1)))
    _, files = assembled(pages)
    return files["markdown.md"].decode()


def prose(sheet: Sheet, x: float, top: float, lines: int) -> Sheet:
    """Lines of about 440 points."""
    return sheet.lines(x, top, [" ".join((WORDS[n % 5 :] + WORDS + WORDS)[:18]) for n in range(lines)])


def test_entries_with_leaders_are_a_list_with_page_numbers(tmp_path: Path) -> None:
    sheet = Sheet().text(72, 60, "Contents", size=18, bold=True)
    for place, (title, page, indent) in enumerate(
        [("Preface", "vii", 0), ("1 Trees", "3", 0), ("1.1 Oaks", "4", 18), ("1.2 Elms", "12", 18), ("Index", "A-3", 0)]
    ):
        top = 100 + 18 * place
        sheet.text(72 + indent, top, title).text(180, top, "." * 90).text(500, top, page)

    found = markdown(tmp_path, sheet)

    lines = [line for line in found.splitlines() if line]
    assert lines == [
        "# Contents",
        "- Preface vii",
        "- 1 Trees 3",
        "    - 1.1 Oaks 4",
        "    - 1.2 Elms 12",
        "- Index A-3",
    ]


def test_dots_to_write_on_stay(tmp_path: Path) -> None:
    found = markdown(
        tmp_path, Sheet().text(72, 100, "Name: ..........................").text(72, 130, "Date: ..........")
    )

    assert "Name: ....." in found


def test_a_centred_line_in_capitals_above_its_text_is_a_heading(tmp_path: Path) -> None:
    sheet = Sheet()
    for place, title in enumerate(["I. INTRODUCTION", "II. BACKGROUND", "III. METHOD"]):
        top = 100 + 180 * place
        prose(sheet.text(250, top, title), 72, top + 13, 8)

    found = markdown(tmp_path, sheet)

    headings = [line for line in found.splitlines() if line.startswith("#")]
    assert headings == ["# I. INTRODUCTION", "# II. BACKGROUND", "# III. METHOD"]
