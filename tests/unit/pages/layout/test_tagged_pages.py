"""Structure from the tags of a PDF: used where it is right, and without loss of text where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.conftest import Outputs
from tests.unit.pages.tagged_pdf import Element, TaggedSheet

ROWS = [["Leaf", "Tree"], ["green", "lime"], ["brown", "beech"]]


def parsed(path: str) -> Outputs:
    return Outputs(list(read_pages(path, [1])))


def table(sheet: TaggedSheet, rows: list[list[str]], *, head: str = "TH") -> Element:
    return (
        "Table",
        [
            (
                "TR",
                [
                    (head if not row else "TD", [sheet.text(72 + 180 * column, 100 + 40 * row, text)])
                    for column, text in enumerate(texts)
                ],
            )
            for row, texts in enumerate(rows)
        ],
    )


def test_a_tagged_table_keeps_its_rows_and_cells(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    tags = table(sheet, ROWS)

    markdown = parsed(sheet.write(tmp_path / "made.pdf", tags)).markdown

    assert markdown == (
        "<table><tr><th>Leaf</th><th>Tree</th></tr><tr><td>green</td><td>lime</td></tr>"
        "<tr><td>brown</td><td>beech</td></tr></table>\n"
    )


def test_spans_and_custom_roles_of_a_tagged_table_are_read(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    head: Element = ("cell", [sheet.text(72, 100, "Leaves of trees")], b"/O/Table/ColSpan 2")
    rows: list[Element | int] = [
        ("TR", [("cell", [sheet.text(72 + 180 * c, 140 + 40 * r, f"r{r}c{c}")]) for c in range(2)]) for r in range(2)
    ]
    tags: Element = ("Table", [("TR", [head]), *rows])

    markdown = parsed(sheet.write(tmp_path / "made.pdf", tags, role_map=b"/cell/TD")).markdown

    assert '<th colspan="2">Leaves of trees</th>' in markdown
    assert "<tr><td>r1c0</td><td>r1c1</td></tr>" in markdown


@pytest.mark.parametrize("fault", ["half of it", "foreign text inside", "rows upside down", "columns in one place"])
def test_wrong_tags_lose_no_text(tmp_path: Path, fault: str) -> None:
    sheet = TaggedSheet()
    tags = table(sheet, ROWS)
    if fault == "half of it":
        tags = ("Table", tags[1][:-1])
    elif fault == "foreign text inside":
        sheet.text(150, 140, "a word between")
    elif fault == "rows upside down":
        tags = ("Table", tags[1][::-1])
    else:
        tags = ("Table", [("TR", [("TD", [0, 3]), ("TD", [1, 2])]), ("TR", [("TD", [4]), ("TD", [5])])])

    outputs = parsed(sheet.write(tmp_path / "made.pdf", tags))

    words = [word for row in ROWS for word in row] + ["between"] * (fault == "foreign text inside")
    assert [outputs.markdown.count(word) for word in words] == [1] * len(words)


def test_artifacts_in_the_margin_are_running_lines(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    sheet.artifact(72, 30, "The leaf letter, spring")
    tags: list[Element] = [
        ("P", [sheet.text(72, 100 + 14 * n, f"line {n} of the letter about leaves")]) for n in range(9)
    ]
    sheet.artifact(72, 750, "Printed by the mill")

    outputs = parsed(sheet.write(tmp_path / "made.pdf", *tags))

    assert "spring" not in outputs.markdown
    assert "Printed" not in outputs.markdown
    assert [item["type"] for item in outputs.items()][:: len(outputs.items()) - 1] == ["header", "footer"]


def test_a_page_that_is_all_artifact_keeps_its_text(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    for number in range(9):
        sheet.artifact(72, 30 + 80 * number, f"line {number} of the letter")
    path = sheet.write(tmp_path / "made.pdf", ("P", [sheet.text(72, 760, "x")]))

    assert parsed(path).markdown.count("of the letter") == 9


def test_items_of_a_tagged_list_need_no_marker(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    intro: Element = ("P", [sheet.text(72, 100, "The leaves of these trees are green now:")])
    items: list[Element | int] = [
        ("LI", [("LBody", [sheet.text(90, 118 + 14 * number, text)])])
        for number, text in enumerate(["lime", "oak", "beech"])
    ]

    markdown = parsed(sheet.write(tmp_path / "made.pdf", intro, ("L", items))).markdown

    assert markdown == "The leaves of these trees are green now:\n\n- lime\n- oak\n- beech\n"


PROSE = "The river runs for two hundred miles before it meets the sea, past eleven towns and a mill."


def test_tagged_headings_have_their_levels_in_letters_like_those_of_the_text(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    tags: list[Element] = []
    for number, (role, title) in enumerate([("H1", "Rivers"), ("H3", "The upper course."), ("H3", "1. The mouth")]):
        tags.append((role, [sheet.text(72, 100 + 80 * number, title)]))
        lines: list[Element | int] = [sheet.text(72, 114 + 80 * number + 14 * line, PROSE) for line in range(3)]
        tags.append(("P", lines))

    markdown = parsed(sheet.write(tmp_path / "made.pdf", *tags)).markdown

    headings = [line for line in markdown.splitlines() if line.startswith("#")]
    assert headings == ["# Rivers", "### The upper course.", "### 1. The mouth"]
    assert markdown.count(PROSE) == 9


@pytest.mark.parametrize(
    ("alternative", "shown"),
    [
        (r"\\frac{x+1}{y^2} = 7", r"$$ \frac{x+1}{y^2} = 7 $$"),
        (r"$\\frac{x+1}{y^2} = 7$", r"$$ \frac{x+1}{y^2} = 7 $$"),
        ("a fraction of x plus 1 and y2 equals 7", ""),  # words, no LaTeX
        (r"\\frac{a}{b}", ""),  # another formula
        (r"\\frac{x+1}{y^2} = 7 $$ <b>7</b>", ""),
    ],
)
def test_a_tagged_formula_is_latex_in_markdown_if_its_letters_agree(
    tmp_path: Path, alternative: str, shown: str
) -> None:
    sheet = TaggedSheet()
    before: Element = ("P", [sheet.text(72, 100, "The share of the leaves is found by this formula:")])
    signs: list[Element | int] = [
        sheet.text(200, 124, "x+1"),
        sheet.text(200, 138, "y2", size=9),
        sheet.text(230, 131, "= 7"),
    ]
    alt = alternative.replace("(", r"\(").replace(")", r"\)").encode()
    outputs = parsed(sheet.write(tmp_path / "made.pdf", before, ("Formula", signs, b"/Alt(%s)" % alt)))

    assert [line for line in outputs.markdown.splitlines() if "$$" in line] == ([shown] if shown else [])
    assert all(part in outputs.text for part in ("x+1", "y2", "= 7"))
    labels = [box["label"] for item in outputs.items() for box in item["bbox"]]
    assert ("formula" in labels) is bool(shown)


def test_tags_that_make_headings_of_everything_are_not_trusted(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    tags: list[Element] = [("H1", [sheet.text(72, 100 + 30 * number, f"{PROSE} {number}")]) for number in range(6)]

    assert "#" not in parsed(sheet.write(tmp_path / "made.pdf", *tags)).markdown


def test_entries_of_a_tagged_list_of_contents_are_a_list(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    entries: list[Element | int] = [
        ("TOCI", [sheet.text(72, 100 + 14 * number, title), sheet.text(400, 100 + 14 * number, str(4 * number + 3))])
        for number, title in enumerate(["The source", "The upper course", "The mouth"])
    ]

    markdown = parsed(sheet.write(tmp_path / "made.pdf", ("TOC", entries))).markdown

    assert markdown == "- The source 3\n- The upper course 7\n- The mouth 11\n"


def test_lines_of_one_tagged_paragraph_stay_together(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    first: Element = (
        "P",
        [sheet.text(72, 100, "Leaves that are green."), sheet.text(72, 114, "They fall in autumn, and we")],
    )
    second: Element = ("P", [sheet.text(72, 128, "walk on them in the"), sheet.text(72, 142, "woods")])

    markdown = parsed(sheet.write(tmp_path / "made.pdf", first, second)).markdown

    assert markdown == "Leaves that are green. They fall in autumn, and we\n\nwalk on them in the woods\n"


def test_a_page_tagged_as_one_paragraph_keeps_its_paragraphs(tmp_path: Path) -> None:
    sheet = TaggedSheet()
    texts = [f"Paragraph {number} is short." + " This line is much longer." * (number % 2) for number in range(20)]
    tags: Element = ("P", [sheet.text(72, 60 + 14 * number, text) for number, text in enumerate(texts)])

    markdown = parsed(sheet.write(tmp_path / "made.pdf", tags)).markdown

    assert "Paragraph 2 is short.\n\nParagraph 3" in markdown
    assert markdown.count("Paragraph") == 20
