"""Write office files and web pages whose contents are known, with that content as Markdown: for bench.office.

    FOLDER/python bench/office_written.py OUT

Runs in the environment of the programs that are compared, because their libraries write the files: python-docx,
openpyxl and python-pptx. Writes OUT/NAME.docx and others, and OUT/truth/NAME.md. Imports nothing of Leafmill.
"""

from __future__ import annotations

import csv
import datetime
import html
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PLACES = ("Aarhus", "Bergen", "Cadiz", "Danzig", "Emden", "Fowey", "Ghent", "Haifa")
GOODS = ("timber", "salt", "herring", "wool", "copper", "glass")
COPIES = 4
"""Documents of each form, with other texts and other sizes of tables."""


class Cell(NamedTuple):
    text: str
    columns: int = 1
    rows: int = 1


Rows = Sequence[Sequence[Cell]]


class Known:
    """The content of a document, as Markdown. ``item`` has the depth of a list item, from 0."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._is_in_list = False

    def heading(self, level: int, text: str) -> None:
        self._add(f"{'#' * level} {text}")

    def paragraph(self, text: str) -> None:
        self._add(text)

    def item(self, text: str, depth: int = 0, marker: str = "-") -> None:
        line = f"{'  ' * depth}{marker} {text}"
        if self._is_in_list:
            self._blocks[-1] += f"\n{line}"
        else:
            self._add(line)
        self._is_in_list = True

    def table(self, rows: Rows) -> None:
        self._add(html_table(rows))

    def _add(self, block: str) -> None:
        self._blocks.append(block)
        self._is_in_list = False

    def __str__(self) -> str:
        return "\n\n".join(self._blocks) + "\n"


def html_table(rows: Rows) -> str:
    """Return a table whose first row is the header."""
    lines = []
    for number, row in enumerate(rows):
        tag = "td" if number else "th"
        cells = ""
        for cell in row:
            spans = "".join(
                f' {name}="{count}"' for name, count in (("colspan", cell.columns), ("rowspan", cell.rows)) if count > 1
            )
            cells += f"<{tag}{spans}>{html.escape(cell.text)}</{tag}>"
        lines.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def place(number: int) -> str:
    return PLACES[number % len(PLACES)]


def sentence(number: int) -> str:
    goods, tons = GOODS[number % len(GOODS)], 40 + 7 * number
    return f"The brig from {place(number)} landed {tons} tons of {goods} and left again before the tide turned."


def plain_rows(number: int) -> list[list[Cell]]:
    """Return a table with a header, of another size for each number."""
    columns = 3 + number % 3
    header = ["Port", *(f"Year {1890 + column}" for column in range(columns))]
    body = [
        [place(row + number), *(str(row * 31 + column * 7 + number) for column in range(columns))] for row in range(5)
    ]
    return [[Cell(text) for text in row] for row in (header, *body)]


def merged_rows(number: int) -> list[list[Cell]]:
    """Return a table of four columns with a header of two rows, and cells over two rows."""
    rows = [
        [Cell("Port", rows=2), Cell("Imports", columns=2), Cell("Crew", rows=2)],
        [Cell("Tons"), Cell("Duty")],
    ]
    for pair in range(2 + number % 2):
        first = 10 * pair + number
        rows.append([Cell(place(pair + number), rows=2), Cell(str(first)), Cell(str(first + 3)), Cell(f"{first} men")])
        rows.append([Cell(str(first + 5)), Cell(str(first + 8)), Cell(f"{first + 1} men")])
    return rows


def placed(rows: Rows) -> list[tuple[int, int, Cell]]:
    """Return row, column and cell of a table, counted from 0, with the places that spans take left free."""
    taken: set[tuple[int, int]] = set()
    found = []
    for row, cells in enumerate(rows):
        column = 0
        for cell in cells:
            while (row, column) in taken:
                column += 1
            taken |= {(row + down, column + right) for down in range(cell.rows) for right in range(cell.columns)}
            found.append((row, column, cell))
    return found


def fill_grid(table: Any, rows: Rows) -> None:
    """Fill a table of python-docx or python-pptx, and merge its cells."""
    for row, column, cell in placed(rows):
        first = table.cell(row, column)
        if cell.rows > 1 or cell.columns > 1:
            first.merge(table.cell(row + cell.rows - 1, column + cell.columns - 1))
        first.text = cell.text


def width_of(rows: Rows) -> int:
    return sum(cell.columns for cell in rows[0])


# --- texts ---


def write_report(path: Path, number: int) -> Known:
    """Write a text with a title, headings of three levels, lists and a table."""
    import docx

    document, known = docx.Document(), Known()
    document.add_heading(f"Harbour report {number}", 0)
    known.heading(1, f"Harbour report {number}")
    for chapter in range(1, 4):
        document.add_heading(f"Arrivals at {place(chapter + number)}", 1)
        known.heading(2, f"Arrivals at {place(chapter + number)}")
        words = sentence(chapter * 3 + number).split(" ", 2)
        paragraph = document.add_paragraph(f"{words[0]} ")
        paragraph.add_run(words[1]).bold = True
        paragraph.add_run(f" {words[2]}")
        known.paragraph(f"{words[0]} **{words[1]}** {words[2]}")
        document.add_heading(f"Cargo {chapter}", 2)
        known.heading(3, f"Cargo {chapter}")
        for entry in range(3):
            style, marker = ("List Bullet", "-") if chapter % 2 else ("List Number", f"{entry + 1}.")
            document.add_paragraph(sentence(chapter + entry), style=style)
            known.item(sentence(chapter + entry), marker=marker)
            if chapter == 1:
                document.add_paragraph(f"Paid in {place(entry)}", style="List Bullet 2")
                known.item(f"Paid in {place(entry)}", 1)
            if chapter > 2:
                break
    rows = plain_rows(number)
    fill_grid(document.add_table(len(rows), width_of(rows), "Table Grid"), rows)
    known.table(rows)
    document.add_paragraph(sentence(number + 20))
    known.paragraph(sentence(number + 20))
    document.save(str(path))
    return known


def write_merged_text(path: Path, number: int) -> Known:
    """Write a text with two tables of merged cells under their headings."""
    import docx

    document, known = docx.Document(), Known()
    for part in range(2):
        document.add_heading(f"Duties of {place(part + number)}", 1)
        known.heading(1, f"Duties of {place(part + number)}")
        document.add_paragraph(sentence(part + number))
        known.paragraph(sentence(part + number))
        rows = merged_rows(part + number)
        fill_grid(document.add_table(len(rows), width_of(rows), "Table Grid"), rows)
        known.table(rows)
    document.save(str(path))
    return known


# --- workbooks ---


def write_formats(path: Path, number: int) -> Known:
    """Write two sheets with numbers, shares, amounts and dates in the formats that a spreadsheet program offers."""
    import openpyxl

    book, known = openpyxl.Workbook(), Known()
    book.remove(book.active)
    for page in range(2):
        sheet = book.create_sheet(f"{place(number)} {1890 + page}")
        known.heading(2, f"{place(number)} {1890 + page}")
        rows = [[Cell(text) for text in ("Goods", "Tons", "Share", "Value", "Landed")]]
        sheet.append([cell.text for cell in rows[0]])
        for row in range(4 + number):
            tons, share = 1200.5 * (row + 1), 0.05 * (row + 1 + page)
            landed = datetime.date(1990, 3, 1 + row + page)
            sheet.append([GOODS[row % len(GOODS)], tons, share, tons * 2, landed])
            for column, number_format in zip("BCDE", ("#,##0.0", "0%", "#,##0.00", "yyyy-mm-dd"), strict=True):
                sheet[f"{column}{row + 2}"].number_format = number_format
            shown = (f"{tons:,.1f}", f"{share:.0%}", f"{tons * 2:,.2f}", landed.isoformat())
            rows.append([Cell(GOODS[row % len(GOODS)]), *map(Cell, shown)])
        known.table(rows)
    book.save(path)
    return known


def write_merged_sheet(path: Path, number: int) -> Known:
    """Write a sheet with two tables that empty rows separate, one of them with merged cells."""
    import openpyxl

    book, known = openpyxl.Workbook(), Known()
    sheet = book.active
    sheet.title = "Duties"
    known.heading(2, "Duties")
    first_row = 1
    for rows in (merged_rows(number), plain_rows(number)):
        for row, column, cell in placed(rows):
            place_of = sheet.cell(first_row + row, column + 1)
            place_of.value = int(cell.text) if cell.text.isdecimal() else cell.text
            if cell.rows > 1 or cell.columns > 1:
                sheet.merge_cells(
                    start_row=first_row + row,
                    start_column=column + 1,
                    end_row=first_row + row + cell.rows - 1,
                    end_column=column + cell.columns,
                )
        known.table(rows)
        first_row += len(rows) + 2
    book.save(path)
    return known


# --- presentations ---


def write_talk(path: Path, number: int) -> Known:
    """Write a title slide and slides with nested lists."""
    import pptx

    deck, known = pptx.Presentation(), Known()
    slide = deck.slides.add_slide(deck.slide_layouts[0])
    slide.shapes.title.text, slide.placeholders[1].text = f"Trade of {place(number)}", sentence(number)
    known.heading(1, f"Trade of {place(number)}")
    known.paragraph(sentence(number))
    for page in range(1, 4):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Goods of {place(page + number)}"
        known.heading(1, f"Goods of {place(page + number)}")
        frame = slide.placeholders[1].text_frame
        for entry in range(4):
            paragraph = frame.paragraphs[0] if entry == 0 else frame.add_paragraph()
            paragraph.text, paragraph.level = sentence(page * 4 + entry), entry % 2
            known.item(sentence(page * 4 + entry), entry % 2)
    deck.save(str(path))
    return known


def write_slide_tables(path: Path, number: int) -> Known:
    """Write slides with a title, a table and a text box; the second table has merged cells."""
    import pptx
    from pptx.util import Inches

    deck, known = pptx.Presentation(), Known()
    for page, rows in enumerate((plain_rows(number), merged_rows(number))):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = f"Figures {page + 1} of {place(number)}"
        known.heading(1, f"Figures {page + 1} of {place(number)}")
        frame = slide.shapes.add_table(len(rows), width_of(rows), Inches(1), Inches(1.6), Inches(8), Inches(3))
        fill_grid(frame.table, rows)
        known.table(rows)
        box = slide.shapes.add_textbox(Inches(1), Inches(6), Inches(8), Inches(1))
        box.text_frame.text = sentence(number + page)
        known.paragraph(sentence(number + page))
    deck.save(str(path))
    return known


# --- web pages and tables in plain text ---


def write_page(path: Path, number: int) -> Known:
    """Write a web page with headings, nested lists, and tables with and without merged cells."""
    known = Known()
    title, parts = f"Ships of {place(number)}", []
    known.heading(1, title)
    parts.append(f"<h1>{title}</h1>")
    for part, rows in enumerate((plain_rows(number), merged_rows(number)), 1):
        parts.append(f"<h2>Season {part}</h2><p>{sentence(part + number)}</p><ul>")
        known.heading(2, f"Season {part}")
        known.paragraph(sentence(part + number))
        for entry in range(3):
            parts.append(f"<li>{sentence(entry)}<ul><li>Paid in {place(entry)}</li></ul></li>")
            known.item(sentence(entry))
            known.item(f"Paid in {place(entry)}", 1)
        parts.append(f"</ul>{html_table(rows)}")
        known.table(rows)
    style = "<style>td { border: 1px solid }</style><script>let hidden = 'no text';</script>"
    path.write_text(
        f"<!doctype html><html><head><title>{title}</title>{style}</head><body>{''.join(parts)}</body></html>"
    )
    return known


def write_csv(path: Path, number: int) -> Known:
    """Write a table with quoted fields, delimited by commas or semicolons."""
    known, rows = Known(), plain_rows(number)
    rows = [
        [*row, Cell("Remark" if index == 0 else f'said "{place(index)}", twice; no more')]
        for index, row in enumerate(rows)
    ]
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=",;"[number % 2]).writerows([[cell.text for cell in row] for row in rows])
    known.table(rows)
    return known


WRITERS: dict[str, Callable[[Path, int], Known]] = {
    "report.docx": write_report,
    "merged.docx": write_merged_text,
    "formats.xlsx": write_formats,
    "two-tables.xlsx": write_merged_sheet,
    "talk.pptx": write_talk,
    "figures.pptx": write_slide_tables,
    "ships.html": write_page,
    "ports.csv": write_csv,
}


def main(out: Path) -> None:
    (out / "truth").mkdir(parents=True, exist_ok=True)
    for name, write in WRITERS.items():
        stem, _, suffix = name.partition(".")
        for number in range(COPIES):
            known = write(out / f"{stem}-{number}.{suffix}", number)
            (out / "truth" / f"{stem}-{number}.md").write_text(str(known))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
