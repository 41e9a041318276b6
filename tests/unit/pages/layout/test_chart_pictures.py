"""Charts drawn with lines become pictures, and captions belong to the pictures beside them."""

from __future__ import annotations

import msgspec

from apps.pages.layout.document.captions_notes import with_captions_tied
from apps.pages.layout.document.document_survey import survey_document
from apps.pages.model.blocks import Block, BlockType, EmbeddedImage, Page, Source
from apps.pages.model.geometry import NO_BOX, Box
from tests.unit.pages.drawing import page, text_block

CHART = Box(72, 200, 400, 400)


def finished(shown: Page) -> list[Block]:
    return survey_document([shown]).finished(shown)


def test_a_chart_is_a_picture_with_its_caption() -> None:
    labels, caption = text_block("1000 800 600", 250), text_block("Figure 3: Coal in tons", 410)
    text = text_block("The ships of the company carried coal to every harbour of the coast.", 150)
    found = finished(msgspec.structs.replace(page(text, labels, caption), figures=(CHART,)))
    assert [(block.type, block.box) for block in found[:3]] == [
        (BlockType.PARAGRAPH, text.box),
        (BlockType.PICTURE, CHART),
        (BlockType.PARAGRAPH, labels.box),
    ]
    assert (found[3].type, found[1].text) == (BlockType.CAPTION, "Figure 3: Coal in tons")


def test_a_picture_in_place_of_a_chart_is_enough() -> None:
    picture = Block(BlockType.PICTURE, Box(80, 210, 390, 390))
    assert finished(msgspec.structs.replace(page(picture), figures=(CHART,))) == [picture]
    written = msgspec.structs.replace(text_block("A chart of coal", 250), source=Source.MODEL)
    shown = msgspec.structs.replace(page(written), figures=(CHART,))
    assert [block.type for block in finished(shown)] == [BlockType.PARAGRAPH]


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
