"""Figures drawn with lines, curves and areas become pictures, and captions belong to the pictures beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from apps.pages.layout.document.captions_notes import with_captions_tied
from apps.pages.layout.document.document_survey import survey_document
from apps.pages.layout.regions.drawn_figures import with_figures
from apps.pages.model.blocks import Block, BlockType, EmbeddedImage, Page, Source
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.raw_page import RawPage
from apps.pages.output.items import items_of
from apps.pages.output.render import RenderOptions
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.drawing import HEIGHT, WIDTH, page, text_block
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

CHART = Box(72, 200, 400, 400)
TEXT = "The ships of the company carried coal to every harbour of the coast, and came back with timber and with corn."
# A chain of five ellipses that arrows join.
ELLIPSES = [Box(120 + 70 * n, 250, 170 + 70 * n, 300) for n in range(5)]
ARROWS = [Box(170 + 70 * n, 268, 190 + 70 * n, 272) for n in range(4)]


def finished(shown: Page) -> list[Block]:
    return survey_document([shown]).finished(shown)


def found(
    blocks: Sequence[Block] = (),
    *,
    shapes: Sequence[Box] = (),
    fills: Sequence[Box] = (),
    rulings: Sequence[Box] = (),
) -> Page:
    raw = RawPage(1, WIDTH, HEIGHT, [], list(rulings), list(fills), [], shapes=list(shapes))
    return with_figures(page(*blocks), raw)


def test_a_chart_is_a_picture_with_its_caption() -> None:
    labels, caption = text_block("1000 800 600", 250), text_block("Figure 3: Coal in tons", 410)
    text = text_block(TEXT, 150)
    blocks = finished(msgspec.structs.replace(page(text, labels, caption), figures=(CHART,), charts=(CHART,)))
    assert [(block.type, block.box) for block in blocks[:3]] == [
        (BlockType.PARAGRAPH, text.box),
        (BlockType.PICTURE, CHART),
        (BlockType.PARAGRAPH, labels.box),
    ]
    assert (blocks[3].type, blocks[1].text) == (BlockType.CAPTION, "Figure 3: Coal in tons")
    item = items_of(blocks, RenderOptions())[1]
    assert (item["type"], item["caption"], item["bbox"][0]["label"]) == ("image", "Figure 3: Coal in tons", "chart")


def test_the_label_of_a_figure_that_is_no_chart_is_picture() -> None:
    blocks = finished(msgspec.structs.replace(page(text_block(TEXT, 150)), figures=(CHART,)))
    assert items_of(blocks, RenderOptions())[1]["bbox"][0]["label"] == "picture"


def test_a_picture_in_place_of_a_chart_is_enough() -> None:
    picture = Block(BlockType.PICTURE, Box(80, 210, 390, 390))
    assert finished(msgspec.structs.replace(page(picture), figures=(CHART,))) == [picture]
    written = msgspec.structs.replace(text_block("A chart of coal", 250), source=Source.MODEL)
    shown = msgspec.structs.replace(page(written), figures=(CHART,))
    assert [block.type for block in finished(shown)] == [BlockType.PARAGRAPH]


def test_bars_are_a_chart_with_its_labels() -> None:
    bars = [Box(100 + 60 * n, 300 - 20 * height, 130 + 60 * n, 300) for n, height in enumerate((2, 4, 3, 6, 5))]
    label = text_block("1831", 303, x=100)

    shown = found([label], fills=bars)

    assert shown.figures == shown.charts
    assert shown.figures[0].contains(Box(100, 180, 370, 300))
    assert shown.figures[0].contains(label.box)
    assert found(fills=bars[:3]).figures == ()


def test_shapes_that_belong_together_are_a_figure() -> None:
    shown = found(shapes=ELLIPSES + ARROWS)

    assert (shown.figures, shown.charts) == ((Box(120, 250, 450, 300),), ())


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param([Box(100 + 9 * n, 200, 107 + 9 * n, 210) for n in range(40)], id="letters drawn as outlines"),
        pytest.param([Box(0, 0, WIDTH, HEIGHT), Box(20, 20, 575, 820)], id="frames of the page"),
        pytest.param([Box(100, 40 + 150 * n, 300, 60 + 150 * n) for n in range(5)], id="shapes that are apart"),
        pytest.param([Box(x, y, x + 5, y + 5) for x in range(30, 560, 24) for y in range(40, 800, 24)], id="a pattern"),
        pytest.param([Box(40 * n, 0, 30 + 40 * n, 90) for n in range(6)], id="a band at the edge"),
    ],
)
def test_other_shapes_are_no_figure(shapes: list[Box]) -> None:
    assert found(shapes=shapes).figures == ()


def test_boxes_around_paragraphs_are_no_figure() -> None:
    texts = [text_block(TEXT, 210 + 60 * n, x=100) for n in range(5)]
    cards = [Box(90, 200 + 60 * n, 560, 250 + 60 * n) for n in range(5)]
    assert found(texts, shapes=cards + [Box(80 + 20 * n, 190, 95 + 20 * n, 199) for n in range(9)]).figures == ()


def test_the_parts_above_a_caption_are_one_figure() -> None:
    left, right = Box(100, 200, 200, 300), Box(280, 200, 380, 300)
    blocks = [text_block(TEXT, 100, x=72), text_block("Abbildung 2: Zwei Kreise", 320, x=180)]
    assert found(blocks, shapes=[left, right], rulings=[Box(290, 250, 370, 250), Box(110, 250, 190, 250)]).figures == (
        Box(100, 200, 380, 300),
    )
    assert found(blocks[:1], shapes=[left, right]).figures == ()


def test_figures_with_captions_of_their_own_are_not_joined() -> None:
    parts = [Box(100, 200 + down, 200, 300 + down) for down in (0, 150)]
    blocks = [text_block(f"Figure {n}: A circle", 310 + 150 * n, x=100) for n in (0, 1)]
    marks = [Box(110 + 5 * n, 250 + down, 140, 270 + down) for down in (0, 150) for n in range(3)]
    assert sorted(found(blocks, shapes=[*parts, *marks]).figures, key=lambda box: box.top) == parts


def test_the_text_in_a_figure_stays_where_it_was(tmp_path: Path) -> None:
    sheet = Sheet().lines(72, 80, [TEXT[:70], TEXT[70:]])
    for n in range(5):
        sheet.ellipse(100 + 70 * n, 200, 160 + 70 * n, 260).text(115 + 70 * n, 224, f"Step {n}", size=9)
    sheet.text(72, 280, "Figure 1: The steps", size=9)
    (shown,) = read_pages(write_pdf(tmp_path / "steps.pdf", sheet), [1])
    assert isinstance(shown, Page)

    blocks = finished(shown)

    (figure,) = [block for block in blocks if block.type is BlockType.PICTURE]
    assert figure.text == "Figure 1: The steps"
    assert [round(edge, -1) for edge in (figure.box.x0, figure.box.top, figure.box.x1, figure.box.bottom)] == [
        100,
        200,
        440,
        260,
    ]
    assert [block.text for block in blocks if block is not figure] == [block.text for block in shown.blocks]


def test_captions_of_office_documents_belong_to_pictures() -> None:
    def block(kind: BlockType, text: str = "") -> Block:
        return Block(kind, NO_BOX, text=text, image=EmbeddedImage("a.png") if kind is BlockType.PICTURE else None)

    picture, table, caption = BlockType.PICTURE, BlockType.TABLE, BlockType.CAPTION
    below = [block(picture), block(caption, "Figure 1"), block(picture)]
    above = [block(caption, "Figure 2"), block(picture)]
    of_table = [block(table), block(caption, "Table 1"), block(picture)]
    assert [each.text for each in with_captions_tied(below)] == ["Figure 1", "Figure 1", ""]
    assert [each.text for each in with_captions_tied(above)] == ["Figure 2", "Figure 2"]
    assert [each.text for each in with_captions_tied(of_table)] == ["", "Table 1", ""]
