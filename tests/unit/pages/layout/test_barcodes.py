"""Bar codes that were found on a page become pictures with what they say."""

from __future__ import annotations

import msgspec

from apps.pages.layout.barcodes import with_barcodes
from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import Barcode, Block, BlockType, EmbeddedImage, Page
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.recognition import Recognition
from tests.unit.pages.drawing import assembled, page, text_block
from tests.unit.pages.output.test_assembly import pages_of

CODE = Barcode("https://example.org/4711", "QR code", Box(80, 300, 140, 360))
SAYS = "QR code: https://example.org/4711"


def recognition(*codes: Barcode, parts: tuple[Recognition, ...] = ()) -> Recognition:
    return Recognition((), (), 200.0, 100.0, 0, 0.0, "", "", (), 0.0, 0.1, (), parts=parts, barcodes=codes)


def described(page: Page) -> list[tuple[str, str]]:
    return [(block.barcode, block.description or block.text) for block in page.blocks]


def test_a_code_follows_the_text_above_it() -> None:
    left, right = text_block("above", 200), text_block("beside", 320, x=400)
    found = with_barcodes(page(left, right, text_block("below", 400)), [CODE])
    assert described(found) == [("", "above"), ("QR code", SAYS), ("", "beside"), ("", "below")]
    assert found.blocks[1].box == CODE.box


def test_a_code_above_all_text_comes_first() -> None:
    assert described(with_barcodes(page(text_block("below", 400)), [CODE])) == [("QR code", SAYS), ("", "below")]


def test_a_picture_of_a_code_gets_its_description() -> None:
    picture = Block(BlockType.PICTURE, Box(70, 290, 150, 370))
    large = Block(BlockType.PICTURE, Box(70, 290, 500, 700))
    assert described(with_barcodes(page(picture), [CODE])) == [("QR code", SAYS)]
    assert len(with_barcodes(page(large), [CODE]).blocks) == 2
    known = msgspec.structs.replace(picture, description="Our shop")
    assert described(with_barcodes(page(known), [CODE]))[1] == ("", "Our shop")


def test_only_codes_are_added_to_a_page_that_needs_no_ocr() -> None:
    found = apply_recognition(page(text_block("Text", 200)), recognition(CODE))
    assert described(found) == [("", "Text"), ("QR code", SAYS)]


def test_a_picture_in_an_office_document_has_its_codes() -> None:
    image = EmbeddedImage("word/media/a.png", 400, 200)
    whole = Block(BlockType.PICTURE, NO_BOX, image=image)
    placed = Block(BlockType.PICTURE, Box(100, 100, 500, 300), image=EmbeddedImage("word/media/b.png", 400, 200))
    document = Page(1, 612, 792, blocks=(whole, placed), structured=True, needs_ocr="text_in_picture")
    large, small = Barcode("A", "Aztec", Box(0, 0, 100, 90)), Barcode("B", "Aztec", Box(10, 10, 30, 30))

    found = apply_recognition(document, recognition(parts=(recognition(large, small), recognition(small))))

    assert described(found) == [("Aztec", "Aztec: A"), ("Aztec", "Aztec: B"), ("", ""), ("Aztec", "Aztec: B")]
    assert (found.blocks[0].image, found.blocks[3].box) == (image, Box(120, 120, 160, 160))
    assert [code.box for code in found.barcodes] == [NO_BOX, NO_BOX, Box(120, 120, 160, 160)]


def test_outputs_have_what_codes_say() -> None:
    nowhere = msgspec.structs.replace(CODE, box=NO_BOX)
    shown = with_barcodes(page(text_block("Scan this.", 200)), [CODE])
    shown = msgspec.structs.replace(shown, barcodes=(*shown.barcodes, nowhere))
    _, files = assembled([shown])

    assert files["markdown.md"].decode() == f"Scan this.\n\n![{SAYS}]()\n"
    assert files["text.txt"].decode() == f"Scan this.\n\n{SAYS}\n"
    item = pages_of(files["items.json"])[0]["items"][1]
    assert (item["type"], item["caption"], item["barcode"]) == ("image", SAYS, "QR code")
    entry = {"format": "QR code", "value": CODE.value}
    place = {"bbox": {"x": 80.0, "y": 300.0, "w": 60.0, "h": 60.0}}
    assert pages_of(files["metadata.json"])[0]["barcodes"] == [entry | place, entry]
