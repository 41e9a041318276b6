"""Text in a grid: columns and tables are side by side, and no letter is lost."""

from __future__ import annotations

import json
from collections import Counter

import msgspec

from apps.pages.model.blocks import Block, BlockType, Cell, EmbeddedImage, Line, Page
from apps.pages.model.errors import RegionOutsidePage
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.output import render
from apps.pages.output.render import RenderOptions
from apps.pages.output.spatial_text import scale_of, spatial_text
from tests.unit.pages.drawing import LETTER, assembled, page, text_block


def placed(*lines: tuple[str, float, float], kind: BlockType = BlockType.PARAGRAPH) -> Block:
    """Return a block of lines (text, x, top) with letters of five points."""
    made = tuple(Line(text, Box(x, top, x + 10 * LETTER * len(text), top + 12)) for text, x, top in lines)
    box = Box(
        min(line.box.x0 for line in made), made[0].box.top, max(line.box.x1 for line in made), made[-1].box.bottom
    )
    return Block(kind, box, " ".join(line.text for line in made), made)


LEFT = placed(("The left column", 50, 100), ("goes on here", 50, 113))
RIGHT = placed(("The right column", 150, 100), ("is beside it", 150, 113))
CELLS = (Cell(0, 0, "Reach"), Cell(0, 1, "Birds"), Cell(1, 0, "1"), Cell(1, 1, "64"))
TABLE = Block(BlockType.TABLE, Box(50, 150, 250, 176), cells=CELLS)


def test_columns_are_side_by_side_and_gaps_are_empty_lines() -> None:
    below = placed(("Below both", 60, 150))
    assert spatial_text([LEFT, RIGHT, below]).split("\n") == [
        "The left column     The right column",
        "goes on here        is beside it",
        "",
        "",
        "  Below both",
    ]


def test_a_table_without_places_of_cells_has_padded_columns() -> None:
    assert spatial_text([TABLE]) == "Reach  Birds\n1      64"


def test_lines_that_overlap_are_moved_and_never_cut() -> None:
    over = placed(("over it", 60, 100))
    text = spatial_text([LEFT, over])
    assert text.startswith("The left column over it\n")
    letters = Counter("".join(render.page_text([LEFT, over]).split()))
    assert Counter("".join(text.split())) == letters


def test_one_grid_for_all_pages_keeps_their_columns_in_line() -> None:
    narrow = placed(("a", 150, 100))
    assert spatial_text([narrow]) == "a"
    assert spatial_text([narrow], scale_of([[LEFT], [narrow]])) == " " * 20 + "a"


def test_the_options_decide_on_the_text_of_the_result() -> None:
    pages = [page(LEFT, RIGHT), page(placed(("a long line", 150, 100)), number=2)]
    _, files = assembled(pages, RenderOptions(grid="document"))
    texts = [each["text"] for each in json.loads(files["text.json"])["pages"]]
    assert texts == ["The left column     The right column\ngoes on here        is beside it", " " * 20 + "a long line"]
    assert files["text.txt"].decode() == "\n\n".join(texts) + "\n"
    _, files = assembled(pages, RenderOptions(grid="page"))
    assert json.loads(files["text.json"])["pages"][1]["text"] == "a long line"


def test_a_document_without_places_has_its_text_in_reading_order_with_a_warning() -> None:
    sheet = msgspec.structs.replace(page(Block(BlockType.PARAGRAPH, NO_BOX, "of an office file")), structured=True)
    report, files = assembled([sheet], RenderOptions(grid="page"))
    assert files["text.txt"] == b"of an office file\n"
    assert report.warnings == {"text_without_grid": 1}


def test_markdown_contains_pictures_if_it_is_asked_to() -> None:
    picture = Block(BlockType.PICTURE, Box(72, 400, 200, 500), description="A mill")
    lost = Block(BlockType.PICTURE, Box(72, 600, 200, 700))

    def picture_of(page: Page, box: Box, embedded: EmbeddedImage | None = None) -> bytes:
        assert (page.number, embedded) == (1, None)
        if box == lost.box:
            raise RegionOutsidePage
        return b"jpeg"

    pages = [page(text_block("Before it", 100), picture, lost, text_block("After it", 720))]
    report, files = assembled(pages, RenderOptions(inline_images=True), picture_of)
    expected = "Before it\n\n![A mill](data:image/jpeg;base64,anBlZw==)\n\nAfter it"
    assert json.loads(files["markdown.json"])["pages"][0]["markdown"] == expected
    assert files["markdown.md"].decode() == expected + "\n"
    assert report.warnings == {"images_not_inlined": 1}
    assert b"base64" not in assembled(pages)[1]["markdown.md"]
