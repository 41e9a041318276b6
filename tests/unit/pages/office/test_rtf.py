"""Rich Text Format becomes the blocks that its control words say, in every encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import BlockType, Page, Revision
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.office_options import OfficeOptions
from apps.pages.output.render import RenderOptions, page_markdown
from apps.pages.reading.page_reading import inspect_document, read_pages


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "letter.rtf"


def read(path: Path, body: str, head: str = "", *, revisions: bool = False) -> tuple[DocumentFacts, list[Page]]:
    path.write_bytes(rf"{{\rtf1\ansi\ansicpg1252\deff0{head} {body}}}".encode("latin-1"))
    office = OfficeOptions(suffix=".doc", revisions=revisions)
    facts = inspect_document(str(path), max_pages=100, office=office)
    pages = list(read_pages(str(path), range(1, facts.page_count + 1), media_type=facts.media_type, office=office))
    return facts, [page for page in pages if isinstance(page, Page)]


def markdown(path: Path, body: str, head: str = "") -> str:
    options = RenderOptions(links=True, table_format="pipe")
    return "\n\n".join(page_markdown(page.blocks, options) for page in read(path, body, head)[1])


def test_it_is_known_by_its_content_and_has_headings_formats_and_links(path: Path) -> None:
    head = r"{\stylesheet{\s0 Normal;}{\s1 heading 1;}}{\info{\title Letter}}"
    link = r'{\field{\*\fldinst HYPERLINK "https://example.org/"}{\fldrslt link}}'
    body = rf"\pard\s1 Scope\par\pard A {{\b bold}} {{\i slanted}} x{{\super 2}} {link} \{{braces\}}\par"

    assert markdown(path, body, head) == (
        "# Scope\n\nA **bold** *slanted* x<sup>2</sup> [link](https://example.org/) {braces}"
    )
    assert read(path, body, head)[0] == DocumentFacts("application/rtf", 1, "Letter")


@pytest.mark.parametrize(
    ("body", "head", "text"),
    [
        (r"Gr\'f6\'dfe", "", "Größe"),
        (r"\f1\'cf\'f0\'e8", r"{\fonttbl{\f0 Arial;}{\f1\fcharset204 Arial;}}", "При"),
        (r"\f1\'93\'fa\'96\'7b", r"{\fonttbl{\f1\fcharset128 Mincho;}}", "日本"),
        (r"\uc1\u8364?5 \u-3913?", "", "€5 \uf0b7"),
        (r"a\f1 a\'b3\u-3999?\f0 \'b3", r"{\fonttbl{\f0 Arial;}{\f1\ftech\fcharset2 Symbol;}}", "aα≥α³"),
        (r"\uc0\u-10179\u-8704 ok", "", "😀ok"),
        (r"\uc0 lone \u-10240 x", "", "lone \ufffdx"),
        (r"{\*\unknown gone}kept\emdash on", "", "kept—on"),
        (r"{\pict\bin5 {{{{{}kept", "", "kept"),
    ],
)
def test_text_is_decoded(path: Path, body: str, head: str, text: str) -> None:
    _facts, [page] = read(path, body, head)
    assert [block.text for block in page.blocks if block.type is BlockType.PARAGRAPH] == [text]


def test_tables_have_merged_cells(path: Path) -> None:
    first = r"\trowd\trhdr\cellx4000\cellx6000\pard\intbl Wide\cell C\cell\row"
    second = r"\trowd\cellx2000\clvmgf\cellx4000\cellx6000\pard\intbl a\par b\cell t\cell c\cell\row"
    third = r"\trowd\cellx2000\clvmrg\cellx4000\cellx6000\pard\intbl d\cell\cell f\cell\row\pard After\par"
    _facts, [page] = read(path, first + second + third)

    table, after = page.blocks
    assert [(cell.text, cell.row, cell.column, cell.row_span, cell.column_span) for cell in table.cells] == [
        ("Wide", 0, 0, 1, 2),
        ("C", 0, 2, 1, 1),
        ("a\nb", 1, 0, 1, 1),
        ("t", 1, 1, 2, 1),
        ("c", 1, 2, 1, 1),
        ("d", 2, 0, 1, 1),
        ("f", 2, 2, 1, 1),
    ]
    assert [cell.header for cell in table.cells][:3] == [True, True, False]
    assert after.text == "After"


def test_lists_have_the_markers_that_the_program_wrote(path: Path) -> None:
    items = r"{\listtext 1.\tab}\ilvl0 one\par{\listtext a)\tab}\ilvl1 inner\par{\pntext\'b7\tab}\ilvl0 dot\par"
    assert markdown(path, items) == "1. one\n    - a) inner\n- dot"


def test_pages_notes_headers_and_comments(path: Path) -> None:
    body = (
        r"{\header Top\par}Fact{\super\chftn}{\footnote\chftn  Source}\par\page "
        r"Two{\*\atnauthor Bo}\chatn{\*\annotation Why?}{\deleted gone}\par"
    )
    _facts, pages = read(path, body, revisions=True)

    assert [[(block.type, block.text) for block in page.blocks] for page in pages] == [
        [("page_header", "Top"), ("paragraph", "Fact1"), ("footnote", "1 Source")],
        [("page_header", "Top"), ("paragraph", "Two")],
    ]
    assert pages[1].revisions == (Revision("comment", "Why?", author="Bo"), Revision("deleted", "gone"))
    assert read(path, body)[0].warnings == ("comments_left_out",)


def test_groups_without_end_are_read(path: Path) -> None:
    _facts, [page] = read(path, "{" * 5_000 + "deep" + "}" * 9)
    assert page.blocks[0].text == "deep"
