"""Documents of the corpus as Word files, read by our own reader: the same words and tables."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import pytest

from apps.pages.layout.document.continuations import ContinuationJoiner
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.output import render
from apps.pages.output.exports.registry import EXPORTS, ExportSource
from apps.pages.reading.page_reading import inspect_document, read_pages
from tests.unit.pages.office.office_files import read

MAX_PAGES = 2
DOCUMENTS = (
    *("tables/icdar2013-us-032.pdf", "tables/icdar2013-us-038.pdf", "tables/icdar2013-eu-006.pdf"),
    *("text/openchain-1.1-de.pdf", "text/openchain-1.2-ko.pdf", "text/openchain-2.0-zh-Hant.pdf"),
    "markdown/rendered-twocol-owasp10-ro-0x02-foreword.pdf",
    "markdown/rendered-plain-owasp10-he-0x06-release-notes.pdf",
    "markdown/rendered-plain-nist-sp800-63-3-sec6-xAL.pdf",
    "markdown/apisec-fr-0xd1-acknowledgments.pdf",
)
LEFT_OUT = (BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER)


def words_and_tables(blocks: Iterable[Block]) -> tuple[list[str], list[list[list[list[str]]]]]:
    """Return the words in order, without signs of lists, and the words of each cell of each table."""
    words: list[str] = []
    tables = []
    for block in blocks:
        if block.type is BlockType.TABLE:
            tables.append([[cell.split() for cell in row] for row in render.grid_of(block.cells)])
            words += [word for cell in block.cells for word in cell.text.split()]
        elif block.type not in LEFT_OUT:
            words += f"{block.marker} {block.text}".split()
    return [word for word in words if any(map(str.isalnum, word))], tables


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_word_file_has_the_words_and_tables_of_the_document(corpus: Path, tmp_path: Path, name: str) -> None:
    document = str(corpus / name)
    count = min(MAX_PAGES, inspect_document(document, max_pages=1000).page_count)
    stored = list(read_pages(document, range(1, count + 1)))
    source, out, joiner = ExportSource(lambda: stored), io.BytesIO(), ContinuationJoiner()
    blocks = [(page.number, block) for page in source.finished() if isinstance(page, Page) for block in page.blocks]
    joined = [block for number, each in blocks for _, block in joiner.add(number, [each])]
    joined += [block for _, block in joiner.finish()]
    EXPORTS["docx"].write(source, out)
    exported = tmp_path / "export.docx"
    exported.write_bytes(out.getvalue())

    _, pages = read(exported)

    words, tables = words_and_tables(block for page in pages for block in page.blocks)
    expected_words, expected_tables = words_and_tables(joined)
    assert len(expected_words) > 30
    assert (words, tables) == (expected_words, expected_tables)
