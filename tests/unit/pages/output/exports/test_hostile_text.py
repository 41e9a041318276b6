"""Text that looks like markup, runs to the left or has signs that no format takes: each export keeps its words."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

from lxml import html
from markdown_it import MarkdownIt

from apps.pages.model.blocks import Block, BlockType, Cell, Page
from apps.pages.output import render
from apps.pages.output.exports.registry import EXPORTS, ExportSource
from apps.pages.output.exports.xml_text import xml_text
from tests.unit.pages.drawing import page, text_block
from tests.unit.pages.office.office_files import read

PIECES = [
    *(
        "word",
        "a|b",
        "|",
        "\\|",
        "\\",
        "*bold*",
        "_x_",
        "`code`",
        "# no heading",
        "> no quote",
        "- no item",
        "1. no item",
    ),
    *("<b>", "</td></tr></table>", "<script>alert(1)</script>", "<!--", "-->", "&amp;", "&lt;", "&", "]]>", "{{x}}"),
    *("[link](javascript:x)", "![picture](x)", "=1+1", "---", "~~~", "```", "$x$", "שלום", "مرحبا", "(עולם)", "漢字"),
    *(
        "e\u0301",
        "\u202eturned\u202c",
        "\ufeff",
        "\x0b",
        "\x1b[31m",
        "\ufffe",
        "𝄞",
        "__bookmark",
        "HYPERLINK",
    ),
]
# Each piece alone, after another one, and before another one.
TEXTS = [*PIECES, *(f"{piece} {PIECES[at * 7 % len(PIECES)]}" for at, piece in enumerate(PIECES))]
ROWS = list(zip(TEXTS, reversed(TEXTS), strict=True))


def words(text: str) -> list[str]:
    return re.sub("[\u202a-\u202e\ufeff]", "", xml_text(text)).split()  # our reader leaves out these marks


def exported(name: str, *blocks: Block) -> bytes:
    out = io.BytesIO()
    EXPORTS[name].write(ExportSource(lambda: [page(*blocks)]), out)
    return out.getvalue()


def table_of(rows: list[tuple[str, str]]) -> Block:
    cells = tuple(
        Cell(row, column, text, header=row == 0) for row, texts in enumerate(rows) for column, text in enumerate(texts)
    )
    return Block(BlockType.TABLE, text_block("x").box, "", cells=cells)


def read_docx(content: bytes) -> list[Page]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.docx"
        path.write_bytes(content)
        return read(path)[1]


def test_our_reader_finds_the_text_of_the_word_file() -> None:
    headings = [text_block(text, kind=BlockType.HEADING, level=1) for text in TEXTS]
    blocks = [*headings, *map(text_block, TEXTS), table_of(ROWS)]
    found = [block for each in read_docx(exported("docx", *blocks)) for block in each.blocks]
    *others, table = found
    headings_read = [block for block in others if block.type is BlockType.HEADING]
    assert list(filter(None, (words(block.text) for block in headings_read))) == list(filter(None, map(words, TEXTS)))
    paragraphs = " ".join(block.text for block in others[len(headings_read) :])  # short ones are joined
    assert "".join(words(paragraphs)) == "".join(words(" ".join(TEXTS)))
    assert [list(map(words, row)) for row in render.grid_of(table.cells)] == [list(map(words, row)) for row in ROWS]


def test_a_browser_finds_the_text_of_the_html_and_no_script() -> None:
    parsed = html.document_fromstring(exported("html", *map(text_block, TEXTS), table_of(ROWS)).decode())
    assert not parsed.xpath("//script | //*[@onerror] | //a | //main//img")
    assert [words(each.text_content()) for each in parsed.xpath("//main//p")] == list(map(words, TEXTS))
    cells = [[words(cell.text_content()) for cell in row] for row in parsed.xpath("//table//tr")]
    assert cells == [list(map(words, row)) for row in ROWS]


def test_a_reader_of_markdown_finds_each_cell_of_a_table() -> None:
    reader = MarkdownIt("commonmark").enable("table")
    parsed = html.fragment_fromstring(reader.render(render.table_pipes(table_of(ROWS).cells)), create_parent="div")
    assert not parsed.xpath("//script | //a | //img")
    cells = [[words(cell.text_content()) for cell in row] for row in parsed.xpath("//tr")]
    assert cells == [list(map(words, row)) for row in ROWS]
