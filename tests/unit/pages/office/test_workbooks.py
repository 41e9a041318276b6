"""Workbooks: a page for each sheet, its cells as they are shown."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from apps.pages.model.blocks import BlockType, EmbeddedImage, Page, PageFailure
from apps.pages.model.errors import TooManyElements
from apps.pages.model.warnings import describe
from apps.pages.office.sheets import content, sheet_rows
from apps.pages.office.sheets.formulas.references import moved
from apps.pages.output.render import grid_of
from apps.pages.reading.page_reading import inspect_document, read_pages
from tests.unit.pages.office.office_files import NAMES, markdown, open_xml, read


def tables(page: Page) -> list[list[list[str]]]:
    return [grid_of(block.cells) for block in page.blocks if block.type is BlockType.TABLE]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.xlsx"


def sheet_file(path: Path, rows: str, more: str = "", strings: str = "", styles: str = "") -> Path:
    parts = {
        "xl/workbook.xml": f'<workbook {NAMES}><sheets><sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/sheet.xml": f"<worksheet {NAMES}><sheetData>{rows}</sheetData>{more}</worksheet>",
        "xl/strings.xml": f"<sst {NAMES}>{strings}</sst>",
        "xl/styles.xml": f"<styleSheet {NAMES}>{styles}</styleSheet>",
    }
    links = {"rId1": "worksheet xl/sheet.xml", "rId2": "sharedStrings xl/strings.xml", "rId3": "styles xl/styles.xml"}
    return open_xml(path, "spreadsheetml.sheet", "xl/workbook.xml", parts, {"xl/workbook.xml": links})


def test_a_workbook_has_a_page_for_each_sheet_with_its_values_as_they_are_shown(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        book.set_properties({"title": "Sales"})
        sheet = book.add_worksheet("Quarter 1")
        sheet.write_row(0, 0, ["Product", "Share", "Sum", "Paid", "On"])
        sheet.write_row(1, 0, ["Tea & milk"])
        sheet.write_number(1, 1, 0.125, book.add_format({"num_format": "0.0%"}))
        sheet.write_formula(1, 2, "=B2*8", book.add_format({"num_format": "#,##0.00"}), 1234.5)
        sheet.write_boolean(1, 3, True)
        sheet.write_number(1, 4, 45292, book.add_format({"num_format": 14}))
        book.add_worksheet("Empty")

    facts, pages = read(path)

    assert (facts.page_count, facts.title, facts.warnings) == (2, "Sales", ())
    assert [page.sheet_name for page in pages] == ["Quarter 1", "Empty"]
    assert markdown(pages[0]) == (
        "## Quarter 1\n\n|Product|Share|Sum|Paid|On|\n|-|-|-|-|-|\n|Tea & milk|12.5%|1,234.50|TRUE|2024-01-01|"
    )
    assert markdown(pages[1]) == "## Empty"


def test_hidden_sheets_are_pages_if_they_are_asked_for(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("Shown").write(0, 0, "here")
        hidden = book.add_worksheet("Hidden")
        hidden.write(0, 0, "there")
        hidden.hide()

    assert (read(path)[0].page_count, read(path)[0].warnings) == (1, ("hidden_sheets_left_out",))
    facts, pages = read(path, hidden_sheets=True)
    assert (facts.warnings, pages[1].sheet_name) == ((), "Hidden")


def test_merged_cells_keep_their_spans_and_headers_of_two_rows_are_found(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:A2", "Name")
        sheet.merge_range("B1:C1", "Size")
        sheet.write_row("B2", ["Width", "Height"])
        sheet.write_row("A3", ["Box", 3, 4])

    [page] = read(path)[1]
    cells = page.blocks[1].cells
    assert [(cell.text, cell.row_span, cell.column_span) for cell in cells[:2]] == [("Name", 2, 1), ("Size", 1, 2)]
    assert [cell.text for cell in cells if cell.header] == ["Name", "Size", "Width", "Height"]


def test_formulas_without_a_value_are_given_as_written_and_said(path: Path) -> None:
    rows = (
        '<row r="1"><c r="A1"><v>2</v></c><c r="B1"><f t="shared" ref="B1:B2" si="0">A1*$C$1</f></c></row>'
        '<row r="2"><c r="A2"><v>3</v></c><c r="B2"><f t="shared" si="0"/></c>'
        '<c r="C2" t="str"><f>""</f><v></v></c></row>'
        '<row r="3"><c r="A3" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
        '<c r="B3" t="inlineStr"><f>A1&amp;""</f><is><t>two</t></is></c></row>'
    )
    [page] = read(sheet_file(path, rows))[1]

    assert tables(page) == [[["2", "=A1*$C$1"], ["3", "=A2*$C$1"], ["#DIV/0!", "two"]]]
    assert page.warnings == ("formula_not_computed",)
    assert "on the command line --option force_formula_computation_in_sheets)" in describe(page.warnings[0])


def test_formulas_are_computed_on_request(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        first, second = book.add_worksheet("One"), book.add_worksheet("Two")
        first.write_column(0, 0, [2, 3])
        first.write_formula(0, 1, "=SUM(A1:A2)*Two!A1", book.add_format({"num_format": "0.0"}), "")
        second.write(0, 0, 10)
        second.write_formula(0, 1, '=IF(A1>5,"big","small")', None, "")

    facts, pages = read(path, computes_formulas=True)

    assert [tables(page)[0][0] for page in pages] == [["2", "50.0"], ["10", "big"]]
    assert (facts.warnings, [page.warnings for page in pages]) == ((), [(), ()])


def test_a_workbook_with_an_unknown_function_keeps_the_values_that_it_has(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_formula(0, 0, "=PRICEOF(7)", None, 42)

    facts, [page] = read(path, computes_formulas=True)

    assert (tables(page), facts.warnings) == ([[["42"]]], ("formula_not_computed",))


def test_a_shared_formula_moves_with_its_cell() -> None:
    assert moved("SUM(A1:$B$2)+'A1 x'!C3&\"A1\"&LOG10(A$1)", 2, 1) == "SUM(B3:$B$2)+'A1 x'!D5&\"A1\"&LOG10(B$1)"


def test_texts_of_several_fonts_are_whole_and_without_their_pronunciation(path: Path) -> None:
    rows = '<row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>in line</t></is></c><c t="s"><v>9</v></c></row>'
    strings = "<si><r><t>To</t></r><r><t>day_x000A_now</t></r><rPh sb='0' eb='1'><t>kyō</t></rPh></si>"
    [page] = read(sheet_file(path, rows, strings=strings))[1]

    assert tables(page) == [[["Today\nnow", "in line"]]]


def test_comments_links_and_charts_of_a_sheet_are_read(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Ducks")
        sheet.write_row(0, 0, ["Year", "Ducks"])
        sheet.write_row(1, 0, [2023, 80])
        sheet.write_url(2, 0, "https://example.org/ducks", string="more")
        sheet.write_comment("B2", "Counted twice", {"author": "Ann"})
        chart = book.add_chart({"type": "line"})
        chart.add_series({"name": "Ducks", "categories": "=Ducks!$A$2:$A$2", "values": "=Ducks!$B$2:$B$2"})
        chart.set_title({"name": "Ducks by year"})
        chart.set_y_axis({"name": "In thousands"})
        chart.set_x_axis({"name": "Year"})
        sheet.insert_chart("D2", chart)

    [page] = read(path, revisions=True)[1]

    assert "[more](https://example.org/ducks)" in markdown(page)
    assert "Ducks by year\n\n|Year / In thousands|Ducks|\n|-|-|\n|2023|80|" in markdown(page)
    assert markdown(page).endswith("\n\nB2 (Ann): Counted twice")
    assert [(one.type, one.target, one.author) for one in page.revisions] == [("comment", "B2", "Ann")]
    assert read(path)[1][0].revisions == ()


def test_titles_stand_above_their_table(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("S")
        sheet.write("B2", "Ducks per year")
        sheet.write_row("B3", ["Year", "Ducks"])
        sheet.write_row("B4", [2023, 80])

    [page] = read(path)[1]
    assert markdown(page) == "## S\n\nDucks per year\n\n|Year|Ducks|\n|-|-|\n|2023|80|"


def test_tables_with_names_of_columns_are_parted_and_others_only_on_request(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        named, plain = book.add_worksheet("Named"), book.add_worksheet("Plain")
        for row, column in ((0, 0), (5, 4)):
            named.write_row(row, column, ["Name", "Size"])
            named.write_row(row + 1, column, ["Box", 3])
            plain.write_row(row, column, [1, 2])
            plain.write_row(row + 1, column, [3, 4])

    pages = read(path)[1]
    assert tables(pages[0]) == [[["Name", "Size"], ["Box", "3"]]] * 2
    assert len(tables(pages[1])) == 1
    assert tables(read(path, sub_tables=True)[1][1]) == [[["1", "2"], ["3", "4"]]] * 2


def test_cells_at_the_ends_of_a_sheet_cost_nothing(path: Path) -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    more = '<mergeCells><mergeCell ref="A1:XFD1000000"/></mergeCells>'
    [page] = read(sheet_file(path, rows, more))[1]

    assert tables(page) == [[["1", ""], ["", "2"]]]


def test_a_long_sheet_has_several_pages_with_all_its_rows(path: Path) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Long")
        sheet.write(0, 0, "Number")
        for row in range(1, 10_500):
            sheet.write(row, 0, row)
        book.add_worksheet("Next").write(0, 0, "last")

    _facts, pages = read(path)

    assert [page.sheet_name for page in pages] == ["Long", "Long", "Long", "Next"]
    numbers = [row[0] for page in pages[:3] for table in tables(page) for row in table]
    assert numbers == ["Number", *map(str, range(1, 10_500))]
    assert [sum(cell.header for block in page.blocks for cell in block.cells) for page in pages[:3]] == [1, 0, 0]


def test_a_wide_sheet_is_several_tables_side_by_side(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet().write_row(0, 0, range(16_384))

    [page] = read(path)[1]
    assert [text for table in tables(page) for row in table for text in row] == [
        str(number) for number in range(16_384)
    ]


def test_a_sheet_of_more_cells_than_are_read_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_rows, "MAX_CELLS", content.ROWS_PER_PAGE)
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet().write_column(0, 0, range(content.ROWS_PER_PAGE + 1))
    with pytest.raises(TooManyElements):
        read(path)


def test_pictures_and_text_boxes_are_given_after_the_cells(path: Path) -> None:
    from PIL import Image

    image = io.BytesIO()
    Image.new("L", (400, 100)).save(image, "PNG")
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("S")
        sheet.write(0, 0, "cell")
        sheet.insert_image("B5", "logo.png", {"image_data": image, "description": "Our logo"})
        sheet.insert_textbox("B2", "In a box")

    [page] = read(path)[1]
    assert [(block.type.value, block.text or block.description) for block in page.blocks[2:]] == [
        ("paragraph", "In a box"),
        ("picture", "Our logo"),
    ]
    assert (page.warnings, page.needs_ocr) == (("pictures_not_read",), "text_in_picture")
    assert page.blocks[-1].image == EmbeddedImage("xl/media/image1.png", 400, 100)


def test_a_cell_has_the_name_that_programs_give_it() -> None:
    assert [content.cell_name(*place) for place in ((0, 0), (2, 27), (1_048_575, 16_383))] == [
        "A1",
        "AB3",
        "XFD1048576",
    ]


@pytest.mark.parametrize(
    "sheet",
    [
        '<!DOCTYPE worksheet [<!ENTITY a "1">]><worksheet><row><c><v>&a;</v></c></row></worksheet>',
        "<worksheet><sheetData><row><c><v>1</v></c>",
        "",
    ],
)
def test_a_sheet_with_entities_or_without_an_end_is_refused(path: Path, sheet: str) -> None:
    sheet_file(path, "<row><c><v>1</v></c></row>")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("XL/sheet.xml", sheet)  # takes the place of the part of the same name

    facts = inspect_document(str(path), max_pages=9)
    [page] = read_pages(str(path), [1], media_type=facts.media_type)
    assert isinstance(page, PageFailure)
    assert page.code == "document_corrupt"


def test_a_header_has_neither_codes_nor_the_sign_before_a_sensitivity(path: Path) -> None:
    codes = "&amp;C_x000D_&amp;1#&amp;&quot;Calibri&quot;&amp;10&amp;K000000 Internal"
    more = f"<headerFooter><oddHeader>{codes}</oddHeader></headerFooter>"
    [page] = read(sheet_file(path, "<row><c><v>1</v></c></row>", more))[1]

    assert [block.text for block in page.blocks if block.type is BlockType.PAGE_HEADER] == ["Internal"]
