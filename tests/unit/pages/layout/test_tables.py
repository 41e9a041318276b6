"""Tables with and without lines, as HTML, rows, CSV and text."""

from __future__ import annotations

from apps.pages.output.assembly import RenderOptions
from tests.unit.pages.conftest import Parse
from tests.unit.pages.tiny_pdf import Sheet

PROSE = "The following table lists what the barges of the company carried in its first and its last year."


def ruled(*rows: tuple[str, ...], top: float = 120) -> Sheet:
    """Return a table with lines around all its cells; columns are 120 points wide and rows 20 high."""
    sheet = Sheet()
    xs = [60 + 120 * number for number in range(len(rows[0]) + 1)]
    sheet.grid(xs, [top + 20 * number for number in range(len(rows) + 1)])
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            sheet.text(xs[column] + 4, top + 20 * number + 4, text)
    return sheet


def test_a_ruled_table_becomes_html(parse: Parse) -> None:
    outputs = parse(ruled(("Cargo", "1834"), ("Coal", "1,200"), ("Cloth", "85")))

    assert outputs.markdown == (
        "<table><tr><th>Cargo</th><th>1834</th></tr><tr><td>Coal</td><td>1,200</td></tr>"
        "<tr><td>Cloth</td><td>85</td></tr></table>\n"
    )


def test_the_item_of_a_table_has_rows_html_csv_and_a_box(parse: Parse) -> None:
    (item,) = parse(ruled(("Cargo", "1834"), ("Coal", "1,200"), ("=SUM(A1)", "85"))).items()

    assert item["type"] == "table"
    assert item["rows"] == [["Cargo", "1834"], ["Coal", "1,200"], ["=SUM(A1)", "85"]]
    assert item["csv"] == 'Cargo,1834\nCoal,"1,200"\n\'=SUM(A1),85'
    assert item["html"].startswith("<table>")
    (box,) = item["bbox"]
    assert (round(box["x"]), round(box["y"]), round(box["w"]), round(box["h"])) == (60, 120, 240, 60)
    assert box["label"] == "table"


def test_a_cell_over_two_columns_has_a_span(parse: Parse) -> None:
    sheet = Sheet().grid([60, 180, 300], [140, 160, 180])
    sheet.rule(60, 120, 300, 120).rule(60, 120, 60, 140).rule(300, 120, 300, 140)
    sheet.text(64, 124, "Cargo in tons").text(64, 144, "1834").text(184, 144, "1901")
    sheet.text(64, 164, "1,200").text(184, 164, "90")

    markdown = parse(sheet).markdown

    assert '<tr><th colspan="2">Cargo in tons</th></tr><tr><td>1834</td><td>1901</td></tr>' in markdown


def test_all_lines_of_a_cell_are_in_it(parse: Parse) -> None:
    sheet = Sheet().grid([60, 180, 400], [120, 160, 180])
    sheet.text(64, 130, "Coal").lines(184, 124, ["from the pits of the upper", "valley"])
    sheet.text(64, 164, "Cloth").text(184, 164, "from the mills")

    assert "<tr><th>Coal</th><th>from the pits of the upper valley</th></tr>" in parse(sheet).markdown


def test_columns_that_are_only_aligned_are_a_table(parse: Parse) -> None:
    sheet = Sheet().text(60, 90, PROSE)
    for number, row in enumerate([("Cargo", "1834", "1901"), ("Coal", "1,200", "90"), ("Cloth", "85", "400")]):
        for column, text in enumerate(row):
            sheet.text(60 + 130 * column, 130 + 16 * number, text)

    markdown = parse(sheet).markdown

    assert markdown.startswith("The following table lists")
    assert "<tr><td>Coal</td><td>1,200</td><td>90</td></tr>" in markdown


def test_a_frame_around_text_is_not_a_table(parse: Parse) -> None:
    sheet = Sheet().grid([50, 560], [80, 140]).text(60, 90, PROSE)

    assert "<table>" not in parse(sheet).markdown


def test_a_table_continued_on_the_next_page_has_one_header_in_the_markdown(parse: Parse) -> None:
    first = ruled(("Cargo", "1834"), ("Coal", "1,200"), top=600)
    second = ruled(("Cargo", "1834"), ("Cloth", "85"), top=72)

    outputs = parse(first, second)

    assert outputs.markdown.count("<table>") == 1
    assert outputs.markdown.count("Cargo") == 1
    assert outputs.items(page=2)[0]["rows"] == [["Cargo", "1834"], ["Cloth", "85"]]


def test_tables_are_written_with_pipes_on_request(parse: Parse) -> None:
    outputs = parse(ruled(("Cargo", "a|b"), ("Coal", "1,200")), options=RenderOptions(table_format="pipe"))

    assert outputs.markdown == "| Cargo | a\\|b |\n| --- | --- |\n| Coal | 1,200 |\n"


def test_the_cells_of_a_table_are_separated_by_tabs_in_the_text(parse: Parse) -> None:
    assert parse(ruled(("Cargo", "1834"), ("Coal", "1,200"))).text == "Cargo\t1834\nCoal\t1,200\n"
