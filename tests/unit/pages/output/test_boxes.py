"""The box of every item is inside its page and on its text, in all sorts of documents."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.pages.model.blocks import Page
from apps.pages.output.assembly import finished_pages
from apps.pages.output.items import items_of
from apps.pages.output.render import RenderOptions
from apps.pages.reading.page_reading import inspect_document, read_pages
from tests.documents.hidden import pdf_with_hidden_text
from tests.documents.long import long_document
from tests.documents.scripts import SAMPLES, born_digital
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

ROOT = Path(__file__).resolve().parents[4]
EXAMPLES = sorted((ROOT / "examples").glob("*.pdf"))
SLACK = 0.6  # boxes are rounded to a hundredth of a point, and so are sizes of pages
Json = dict[str, Any]


def all_items(items: list[Json]) -> Iterator[Json]:
    for item in items:
        yield item
        yield from all_items(item.get("items", []))


def edges(box: Json) -> tuple[float, float, float, float]:
    return box["x"], box["y"], box["x"] + box["w"], box["y"] + box["h"]


def lines_of(item: Json) -> list[Json]:
    grounding = item.get("grounding", {})
    cells = [cell for row in grounding.get("rows", []) for cell in row if cell]
    return [line["bbox"] for part in [grounding, *cells] for line in part.get("lines", [])]


def check_boxes(path: Path) -> None:
    count = inspect_document(str(path), max_pages=100).page_count
    pages = list(read_pages(str(path), range(1, count + 1), word_boxes=True))
    for page in finished_pages(lambda: pages):
        assert isinstance(page, Page)
        items = list(all_items(items_of(page.blocks, RenderOptions(), frozenset({"line", "word"}))))
        assert items
        for item in items:
            assert item["bbox"]
            for box in item["bbox"]:
                x0, top, x1, bottom = edges(box)
                assert -SLACK <= x0 < x1 <= page.width + SLACK, item
                assert -SLACK <= top < bottom <= page.height + SLACK, item
            if item["type"] != "image" and item.get("value", "text").strip() and "items" not in item:
                check_on_text(item)


def check_on_text(item: Json) -> None:
    """Check that the text of an item is inside its box and, except in tables, reaches each edge of it."""
    lines = [edges(line) for line in lines_of(item)]
    assert lines, item
    x0, top, x1, bottom = edges(item["bbox"][0])
    text = (
        *(min(line[side] for line in lines) for side in (0, 1)),
        *(max(line[side] for line in lines) for side in (2, 3)),
    )
    assert text[0] >= x0 - SLACK
    assert text[1] >= top - SLACK
    assert text[2] <= x1 + SLACK
    assert text[3] <= bottom + SLACK
    if item["type"] != "table":
        assert text == pytest.approx((x0, top, x1, bottom), abs=SLACK), item


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    check_boxes(path)


def test_a_long_document(tmp_path: Path) -> None:
    path = tmp_path / "long.pdf"
    path.write_bytes(long_document(3))
    check_boxes(path)


def test_text_outside_of_the_page_has_no_box_there(tmp_path: Path) -> None:
    path = tmp_path / "hidden.pdf"
    path.write_bytes(pdf_with_hidden_text())
    check_boxes(path)


def test_letters_over_the_edge_of_the_page(tmp_path: Path) -> None:
    sheet = Sheet().text(-6, -5, "Half of this is cut away", size=30).text(72, 100, "Leaves are green.")
    (page,) = finished_pages(lambda: list(read_pages(str(write_pdf(tmp_path / "cut.pdf", sheet)), [1])))

    assert isinstance(page, Page)
    cut = next(block.box for block in page.blocks if "cut away" in block.text)
    assert (cut.x0, cut.top) == (0.0, 0.0)
    assert cut.x1 > cut.x0
    assert cut.bottom > cut.top


@pytest.mark.skipif(shutil.which("pango-view") is None, reason="pango-view draws the scripts")
@pytest.mark.parametrize("script", SAMPLES)
def test_every_script(tmp_path: Path, script: str) -> None:
    check_boxes(born_digital(script, tmp_path))
