"""Plain text and tables in plain text become the same blocks as other documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import BlockType, Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import UnsupportedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS
from apps.pages.output.render import rows_of
from apps.pages.reading.page_reading import inspect_document, read_pages


def read(path: Path, content: bytes, suffix: str = ".txt") -> tuple[DocumentFacts, list[Page]]:
    path.write_bytes(content)
    office = OfficeOptions(suffix=suffix)
    facts = inspect_document(str(path), max_pages=100, office=office)
    pages = list(read_pages(str(path), range(1, facts.page_count + 1), media_type=facts.media_type, office=office))
    return facts, [page for page in pages if isinstance(page, Page)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document"


def test_paragraphs_are_parted_by_empty_lines_and_pages_by_form_feeds(path: Path) -> None:
    facts, pages = read(path, b"One\r\nstill one\r\n\r\nTwo\fThree")

    assert facts.media_type == "text/plain"
    assert [[block.text for block in page.blocks] for page in pages] == [["One\nstill one", "Two"], ["Three"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_text_of_every_unicode_encoding_is_read(path: Path, encoding: str) -> None:
    facts, [page] = read(path, "Größe: 5 €\n".encode(encoding))

    assert (page.blocks[0].text, facts.warnings) == ("Größe: 5 €", ())


def test_a_guessed_encoding_is_said(path: Path) -> None:
    facts, [page] = read(path, "Die Größe der Tür wäre schön gewesen, sagte Frau Müller.".encode("cp1252"))

    assert "Größe der Tür wäre" in page.blocks[0].text
    assert facts.warnings == ("encoding_guessed",)


def test_a_text_longer_than_a_page_may_be_has_several_pages(path: Path) -> None:
    line = b"0123456789 " * 9 + b"\n"
    _facts, pages = read(path, line * (2 * MAX_TEXT_CHARACTERS // len(line)))

    assert len(pages) == 2
    assert sum(page.blocks[0].text.count("0123456789") for page in pages) == 9 * (2 * MAX_TEXT_CHARACTERS // len(line))


@pytest.mark.parametrize(("delimiter", "suffix"), [(",", ".csv"), (";", ".csv"), ("|", ".csv"), ("\t", ".tsv")])
def test_a_table_has_its_cells_whatever_divides_them(path: Path, delimiter: str, suffix: str) -> None:
    rows = [["Name", "Note"], ["Ann", f'"a{delimiter} b"'], ["Bo", '"two\nlines"']]
    _facts, [page] = read(path, "\n".join(delimiter.join(row) for row in rows).encode(), suffix)

    [table] = page.blocks
    assert table.type is BlockType.TABLE
    found = [[cell.text for cell in row] for row in rows_of(table.cells)]
    assert found == [["Name", "Note"], ["Ann", f"a{delimiter} b"], ["Bo", "two\nlines"]]
    assert [cell.header for cell in table.cells] == [True, True, False, False, False, False]


def test_a_long_table_has_all_its_rows_on_several_pages(path: Path) -> None:
    _facts, pages = read(path, b"n,m\n" + b"".join(b"%d,x\n" % number for number in range(4_500)), ".csv")

    numbers = [cell.text for page in pages for cell in page.blocks[0].cells if cell.column == 0]
    assert numbers == ["n", *map(str, range(4_500))]


def cells_of(page: Page) -> list[list[list[str]]]:
    return [[[cell.text for cell in row] for row in rows_of(block.cells)] for block in page.blocks if block.cells]


def test_titles_above_a_table_and_headers_of_two_rows_are_found(path: Path) -> None:
    _facts, [page] = read(path, b"Ballots of 2024\nGroup,Number,Results,\n,,Share,Time\nBlind,5,34%,1199\n", ".csv")

    assert (page.blocks[0].type, page.blocks[0].text) == (BlockType.CAPTION, "Ballots of 2024")
    headers = [cell.text for cell in page.blocks[1].cells if cell.header]
    assert headers == ["Group", "Number", "Results", "", "", "", "Share", "Time"]


def test_a_table_of_numbers_has_no_header(path: Path) -> None:
    _facts, [page] = read(path, b"1,2\n3,4\n", ".csv")
    assert not any(cell.header for cell in page.blocks[0].cells)


def test_numbers_above_texts_are_names_of_columns(path: Path) -> None:
    _facts, [page] = read(path, b"1,2\na,b\nc,d\n", ".csv")
    assert [cell.text for cell in page.blocks[0].cells if cell.header] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"sep=;\na;b,c\n", [["a", "b,c"]]),
        (b"Dear Ann, hello\nthis is\nno table\nat all\n", [["Dear Ann, hello"], ["this is"], ["no table"], ["at all"]]),
        (b'a,b\n"say \\"hi\\", Bo",2\n', [["a", "b"], ['say "hi", Bo', "2"]]),
        (b'a,b\n1, "x, y"\n', [["a", "b"], ["1", "x, y"]]),
        (b"a,b\r1,2\r", [["a", "b"], ["1", "2"]]),
        (b"a,b,c\n1\n2,3,4,5\n", [["a", "b", "c", ""], ["1", "", "", ""], ["2", "3", "4", "5"]]),
    ],
)
def test_tables_of_other_habits_are_read(path: Path, content: bytes, rows: list[list[str]]) -> None:
    _facts, [page] = read(path, content, ".csv")
    assert cells_of(page) == [rows]


def test_a_quote_that_is_never_closed_costs_no_rows(path: Path) -> None:
    facts, [page] = read(path, b'a,b\n1,"x\n2,y\n3,z\n4,w\n', ".csv")

    assert cells_of(page) == [[["a", "b"], ["1", '"x'], ["2", "y"], ["3", "z"], ["4", "w"]]]
    assert facts.warnings == ("quotes_not_closed",)


def test_a_wide_table_is_several_side_by_side_with_all_its_fields(path: Path) -> None:
    _facts, [page] = read(path, ",".join(f"n{number}" for number in range(1_201)).encode(), ".csv")

    assert [len(block.cells) for block in page.blocks] == [500, 500, 201]


@pytest.mark.parametrize("content", [b"MZ\x90\0" + bytes(80), b"\0", b"%!PS-Adobe-3.0"])
def test_what_is_no_text_is_refused(path: Path, content: bytes) -> None:
    with pytest.raises(UnsupportedDocument):
        read(path, content)
