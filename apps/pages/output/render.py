"""Render blocks as Markdown, text, HTML and CSV. Text of a document is escaped, so that none of it becomes markup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from apps.pages.model.blocks import Block, BlockType, Cell, EmbeddedImage, TextSpan
from apps.pages.model.geometry import Box
from apps.pages.model.page_numbers.labels import LabelRange
from apps.pages.model.text import list_markers
from apps.pages.output import inline_markup

Grid = Literal["", "page", "document"]


class RenderOptions(msgspec.Struct, frozen=True):
    """``table_format``: "html", as LlamaParse v2 does, or "pipe" (a span becomes empty cells).

    In tables with pipes, ``compact_tables`` leaves out the blanks beside pipes, and ``cell_line_break`` is between the
    lines of a cell. ``joins_tables``: a table that continues on the next page is one table in the whole document.
    ``spreadsheet``: the tables are also written into a workbook; ``guesses_sheet_names``: named by their headings.
    ``links``: whether links have their addresses. ``granular_boxes``: levels of boxes ("line", "word", "cell") that
    items have in an output of their own. ``page_labels``: what the document calls its pages. ``printed_page_numbers``:
    whether the number printed on a page is looked for. ``picture_urls``: what the addresses of pictures begin with.
    ``max_pictures``: how many pictures of a page can be fetched, the largest; 0 for all.
    ``grid``: text is in a grid that fits each "page" or the whole "document"; "": in reading order. ``inline_images``:
    Markdown contains the pictures of which there is an image. ``raw_words``: whether each word has a line in an output.
    """

    table_format: str = "html"
    compact_tables: bool = False
    cell_line_break: str = "<br>"
    joins_tables: bool = True
    spreadsheet: bool = False
    guesses_sheet_names: bool = False
    links: bool = False
    page_separator: str = "\n\n"
    granular_boxes: frozenset[str] = frozenset()
    page_labels: tuple[LabelRange, ...] = ()
    printed_page_numbers: bool = False
    picture_urls: str = ""
    max_pictures: int = 0
    grid: Grid = ""
    inline_images: bool = False
    raw_words: bool = False


ImageKey = tuple[Box, EmbeddedImage | None]
ImageAddresses = dict[ImageKey, str]
"""Addresses of the pictures of one page."""
_NO_IMAGES: Mapping[ImageKey, str] = {}
_BLOCK_START = re.compile(r"(#{1,6}(?=\s|$)|>|[-+*](?=\s|$)|={3,}\s*$|-[-\s]*$|_[_\s]*$|\|)")
_HEADING_END = re.compile(r"(?:^|(?<=\s))(?=#+\s*$)")
_NUMBER_START = re.compile(r"(\d{1,9})([.)])(?=\s|$)")
_QUOTED = re.compile(r"[,\"\n\r]")
MAX_REMEMBERED_TABLES = 16
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# What begins like a formula and is a number, or a lone sign.
_SIGNED_NUMBER = re.compile(r"[+-](?:[$€£¥]?[0-9][0-9.,]*(?:[Ee][+-]?[0-9]+)?[ \u00a0]?[%$€£¥]?)?")


def paragraph(text: str, spans: Sequence[TextSpan] = (), *, links: bool = False) -> str:
    """Escape text as a Markdown paragraph, its spans marked."""
    text = inline_markup.markdown(text, spans, links=links)
    return "\n".join(map(_line_of_paragraph, text.split("\n"))) if "\n" in text else _line_of_paragraph(text)


def _line_of_paragraph(text: str) -> str:
    if _BLOCK_START.match(text):
        return "\\" + text
    found = _NUMBER_START.match(text)
    return f"{found.group(1)}\\{text[found.end(1) :]}" if found else text


def heading(block: Block, *, links: bool = False) -> str:
    """Return a Markdown heading with its number: ``## 2.1 Scope``."""
    text = inline_markup.markdown(block.text, block.spans, links=links, emphasis=False)
    text = f"{inline_markup.escaped(block.marker)} {text}" if block.marker else text
    return "#" * max(1, min(6, block.level)) + " " + _HEADING_END.sub(r"\\", text)


def list_item(block: Block, outer_levels: int = 0, *, links: bool = False) -> str:
    """Return one line, indented by its level inside those that are left out."""
    indent = "    " * max(0, block.level - 1 - outer_levels)
    if list_markers.is_check_box(block.marker):
        return f"{indent}- {block.marker} {inline_markup.markdown(block.text, block.spans, links=links)}"
    if not list_markers.is_ordered(block.marker):
        return f"{indent}- {paragraph(block.text, block.spans, links=links)}"
    if re.fullmatch(r"\d{1,9}[.)]", block.marker):
        return f"{indent}{block.marker} {paragraph(block.text, block.spans, links=links)}"
    text = inline_markup.markdown(block.text, block.spans, links=links)
    return f"{indent}- {inline_markup.escaped(block.marker)} {text}"


def rows_of(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Return the rows of a table, each with its cells from left to right."""
    rows: dict[int, list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.row, []).append(cell)
    return [sorted(rows[row], key=lambda cell: cell.column) for row in sorted(rows)]


def grid_of(cells: Sequence[Cell]) -> list[list[str]]:
    """Return the texts of a table as a full rectangle. A cell's text is at its first row and column."""
    height = max((cell.row + cell.row_span for cell in cells), default=0)
    width = max((cell.column + cell.column_span for cell in cells), default=0)
    grid = [[""] * width for _ in range(height)]
    for cell in cells:
        grid[cell.row][cell.column] = cell.text
    return grid


def table_html(cells: Sequence[Cell], *, links: bool = False) -> str:
    """Return compact HTML with spans."""
    return _table_html(tuple(cells), links=links and any(span.url for cell in cells for span in cell.spans))


@lru_cache(MAX_REMEMBERED_TABLES)
def _table_html(cells: tuple[Cell, ...], *, links: bool) -> str:
    """Return the HTML of a table, which the items, the page and the document need one after another."""
    parts = ["<table>"]
    for row in rows_of(cells):
        parts.append("<tr>")
        for cell in row:
            tag = "th" if cell.header else "td"
            spans = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
            spans += f' colspan="{cell.column_span}"' if cell.column_span > 1 else ""
            text = inline_markup.html(cell.text, cell.spans, links=links).replace("\n", "<br>")
            parts.append(f"<{tag}{spans}>{text}</{tag}>")
        parts.append("</tr>")
    parts.append("</table>")
    return "".join(parts)


def table_pipes(
    cells: Sequence[Cell], *, links: bool = False, is_compact: bool = False, line_break: str = "<br>"
) -> str:
    rows = grid_of(cells)
    if not rows:
        return ""
    for cell in cells:
        text = inline_markup.markdown(cell.text, cell.spans, links=links)
        rows[cell.row][cell.column] = text.replace("|", "\\|").replace("\n", line_break)
    blank = "" if is_compact else " "
    lines = [f"|{blank}" + f"{blank}|{blank}".join(row) + f"{blank}|" for row in rows]
    lines.insert(1, "|" + f"{blank}---{blank}|" * len(rows[0]))
    return "\n".join(lines)


def table_csv(cells: Sequence[Cell]) -> str:
    """Return CSV in which a spreadsheet finds no formula."""
    return "\n".join(",".join(csv_cell(text) for text in row) for row in grid_of(cells))


def csv_cell(text: str) -> str:
    """Quote a text for CSV, with an apostrophe before signs that start a formula; numbers stay as they are."""
    if text.startswith(_FORMULA) and not _SIGNED_NUMBER.fullmatch(text):
        text = "'" + text
    if _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def table(cells: Sequence[Cell], options: RenderOptions) -> str:
    if options.table_format == "pipe":
        line_break = options.cell_line_break
        return table_pipes(cells, links=options.links, is_compact=options.compact_tables, line_break=line_break)
    return table_html(cells, links=options.links)


class Nesting:
    """Keeps Markdown lists from beginning deeper than their outermost level, which would make them code."""

    def __init__(self) -> None:
        self._outer: int | None = None  # None outside of lists

    def outer_levels(self, block: Block) -> int:
        """Return how many levels of the next block to leave out."""
        if block.type in (BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
            return 0
        if block.type is not BlockType.LIST_ITEM:
            self._outer = None
            return 0
        level = max(0, block.level - 1)
        self._outer = level if self._outer is None else min(self._outer, level)
        return self._outer


def block_markdown(block: Block, options: RenderOptions, outer_levels: int = 0, image: str = "") -> str:
    """Return one block; "" for what Markdown omits: running headers and footers, pictures without a description.

    ``image``: the address of the picture that the block is.
    """
    kind = block.type
    if image:
        return f"![{inline_markup.picture_description(block.description or block.text)}]({image})"
    if block.description:
        return f"![{inline_markup.picture_description(block.description)}]()"
    if kind is BlockType.HEADING:
        return heading(block, links=options.links)
    if kind is BlockType.LIST_ITEM:
        return list_item(block, outer_levels, links=options.links)
    if kind is BlockType.TABLE:
        return table(block.cells, options)
    if kind is BlockType.CODE:
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
        return f"{fence}\n{block.text}\n{fence}"
    if kind in (BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
        return ""
    if block.latex and kind is BlockType.PARAGRAPH:
        return f"$$ {block.latex} $$"
    text = paragraph(block.text, block.spans, links=options.links)
    return f"> {text}" if kind is BlockType.PARAGRAPH and block.level else text


def page_markdown(blocks: Sequence[Block], options: RenderOptions, images: Mapping[ImageKey, str] = _NO_IMAGES) -> str:
    """Return the blocks of a page, separated by empty lines; the items of a list follow each other without one.

    ``images``: the addresses of pictures by their ``key_of_image``.
    """
    parts: list[str] = []
    previous: Block | None = None
    nesting = Nesting()
    for block in blocks:
        image = images.get(key_of_image(block), "") if images else ""
        markdown = block_markdown(block, options, nesting.outer_levels(block), image)
        if not markdown:
            continue
        if previous is not None:
            parts.append(between(previous, block))
        parts.append(markdown)
        previous = block
    return "".join(parts)


def between(first: Block, second: Block) -> str:
    """Return the separator of two blocks in Markdown: an empty line, or only a newline inside a list."""
    return "\n" if first.type is BlockType.LIST_ITEM and second.type is BlockType.LIST_ITEM else "\n\n"


def key_of_image(block: Block) -> ImageKey:
    return block.box, block.image


def page_text(blocks: Sequence[Block]) -> str:
    """Return plain text in reading order, with an empty line between blocks."""
    return "\n\n".join(filter(None, (block_text(block) for block in blocks)))


def block_text(block: Block) -> str:
    if block.barcode:
        return block.description
    if block.type in (BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
        return ""
    if block.type is BlockType.TABLE:
        return "\n".join("\t".join(row).rstrip() for row in grid_of(block.cells))
    return f"{block.marker} {block.text}" if block.marker else block.text
