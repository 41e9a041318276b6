"""The table tool of the agent: lines, aligned words and given columns are tried, and the best table is returned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.sandbox.client import TABLE_WORK, Reader
from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.hostile import stream

WHOLE = Box(0, 0, 400, 400)
ROWS = [["Item", "Pieces", "Price"], ["Flour mill", "2", "41.50"], ["Stone", "10", "7.25"], ["Wheel", "1", "99.00"]]
XS, YS = (60, 200, 260), (320, 300, 280, 260)
Write = Callable[..., Path]


def table_pdf(*, ruled: bool, box: str = "0 0 400 400", rotate: int = 0) -> bytes:
    """Return a page with the table ``ROWS``, with ruled lines or without. Turned, it looks the same."""
    parts = ["-1 0 0 -1 400 400 cm"] if rotate == 180 else []
    parts += [
        f"BT /F 10 Tf {x} {y} Td ({text}) Tj ET"
        for y, row in zip(YS, ROWS, strict=True)
        for x, text in zip(XS, row, strict=True)
    ]
    if ruled:
        parts += [f"50 {y} m 320 {y} l S" for y in (335, 315, 295, 275, 255)]
        parts += [f"{x} 255 m {x} 335 l S" for x in (50, 190, 250, 320)]
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 400]/CropBox[{box}]/Rotate {rotate}/Contents 5 0 R"
        "/Resources<</Font<</F 3 0 R>>>>>>".encode(),
        stream("\n".join(parts).encode()),
    )


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(work=TABLE_WORK)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: bytes, name: str = "table.pdf") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def test_a_ruled_table_is_read_by_its_lines(reader: Reader, write: Write) -> None:
    found = reader.table(write(table_pdf(ruled=True)), 1, region=WHOLE)
    assert (found.rows, found.strategy, found.score) == (ROWS, "ruled lines", 1.0)


def test_a_table_without_lines_is_read_by_its_aligned_words(reader: Reader, write: Write) -> None:
    found = reader.table(write(table_pdf(ruled=False)), 1, region=Box(50, 60, 330, 150))
    assert found.strategy == "aligned words"
    assert [[text for text in row if text] for row in found.rows] == ROWS
    assert found.score > 0.6


def test_columns_that_are_given_are_used(reader: Reader, write: Write) -> None:
    found = reader.table(write(table_pdf(ruled=False)), 1, region=Box(50, 60, 330, 150), columns=(50, 190, 250, 330))
    assert found.strategy == "given columns, aligned rows"
    assert [row for row in found.rows if any(row)] == ROWS
    assert found.score > 0.9


@pytest.mark.parametrize(
    ("box", "rotate", "region"),
    [("40 200 360 400", 0, Box(10, 60, 285, 150)), ("0 0 400 400", 180, Box(50, 60, 330, 150))],
)
def test_regions_are_those_of_the_page_as_displayed(
    reader: Reader, write: Write, box: str, rotate: int, region: Box
) -> None:
    found = reader.table(write(table_pdf(ruled=True, box=box, rotate=rotate)), 1, region=region)
    assert sorted(text for row in found.rows for text in row if text) == sorted(text for row in ROWS for text in row)


def test_a_region_without_a_table_is_an_error(reader: Reader, write: Write) -> None:
    with pytest.raises(PageError, match="No table"):
        reader.table(write(table_pdf(ruled=True)), 1, region=Box(0, 300, 100, 390))


@pytest.mark.parametrize("content", [b"%PDF-1.7\nnothing", b"no PDF at all", b""])
def test_a_file_that_cannot_be_read_is_an_error(reader: Reader, write: Write, content: bytes) -> None:
    with pytest.raises(PageError):
        reader.table(write(content), 1, region=WHOLE)


def test_an_image_has_no_text_for_tables(reader: Reader, write: Write) -> None:
    with pytest.raises(PageError, match="no text layer"):
        reader.table(write(b"x", "scan.png"), 1, region=WHOLE, media_type="image/png")
