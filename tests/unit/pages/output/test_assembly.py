"""The outputs of a job as clients read them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from apps.pages.model.blocks import (
    Block,
    BlockType,
    Cell,
    EmbeddedImage,
    Page,
    PageFailure,
    Source,
    decode_page,
    decode_pages,
    decode_result,
    encode_page,
    encode_pages,
    find_page,
)
from apps.pages.model.errors import GarbledPage
from apps.pages.model.geometry import NO_BOX, Box, union
from apps.pages.output.assembly import RenderOptions
from apps.pages.output.render import csv_cell
from tests.unit.pages.drawing import assembled, page, text_block

TABLE = Block(BlockType.TABLE, Box(72, 300, 400, 350), cells=(Cell(0, 0, "a"), Cell(0, 1, "=b"), Cell(1, 0, "c")))
ITEM = BlockType.LIST_ITEM
EVERYTHING = (
    text_block("Of Leaves", 120, size=20),
    text_block("Leaves are green. There is a great deal to say about them.", 160),
    text_block("oak", 200, kind=ITEM, marker="•", level=1),
    text_block("acorn", 213, kind=ITEM, marker="o", level=2),
    text_block("elm", 226, kind=ITEM, marker="•", level=1),
    TABLE,
    Block(BlockType.PICTURE, Box(72, 400, 200, 500)),
    text_block("leaf = 1", 520, kind=BlockType.CODE),
    text_block("7", 810),
)
# The required fields of each type of item.
REQUIRED = {
    "text": {"md", "value"},
    "heading": {"level", "md", "value"},
    "code": {"md", "value"},
    "list": {"items", "md", "ordered"},
    "table": {"rows", "md", "html", "csv"},
    "image": {"caption", "url", "md"},
    "header": {"items", "md"},
    "footer": {"items", "md"},
}
LABELS = {
    "title", "section-header", "text", "list-item", "table", "picture", "chart", "caption", "footnote", "formula",
    "page-header", "page-footer", "document-index", "code", "form", "key-value-region",
}  # fmt: skip


def pages_of(output: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(output)["pages"]
    return found


def items_of(*blocks: Block) -> list[dict[str, Any]]:
    _, files = assembled([page(*blocks)])
    found: list[dict[str, Any]] = pages_of(files["items.json"])[0]["items"]
    return found


def check(item: dict[str, Any]) -> None:
    """Check that all required fields exist and that every box has its numbers and a label that clients know."""
    assert set(item) >= REQUIRED[item["type"]] | {"bbox"}
    assert isinstance(item["bbox"], list)
    for box in item["bbox"]:
        assert all(isinstance(box[side], (int, float)) for side in "xywh")
        assert box["label"] in LABELS
    if item["type"] in ("list", "header", "footer"):
        for inner in item["items"]:
            check(inner)


def test_every_block_becomes_a_complete_item() -> None:
    items = items_of(*EVERYTHING)

    assert [item["type"] for item in items] == [
        "heading", "text", "list", "table", "image", "code", "footer"
    ]  # fmt: skip
    for item in items:
        check(item)


def test_lists_nest() -> None:
    found = items_of(*EVERYTHING)[2]

    oak, inner, elm = found["items"]
    assert (oak["value"], inner["type"], inner["items"][0]["value"], elm["value"]) == ("oak", "list", "acorn", "elm")
    assert found["ordered"] is False
    assert found["md"] == "- oak\n    - acorn\n- elm"


def test_a_table_is_rows_markdown_html_and_csv() -> None:
    found = items_of(TABLE)[0]

    assert found["rows"] == [["a", "=b"], ["c", ""]]
    assert found["html"].startswith("<table><tr>")
    assert found["csv"] == "a,'=b\nc,"


@pytest.mark.parametrize("text", ["-2", "+3.5", "-1,234.50", "-5%", "-$7", "-1e6", "-", "-3 €"])
def test_numbers_with_a_sign_stay_numbers_in_csv(text: str) -> None:
    assert csv_cell(text).strip('"') == text


@pytest.mark.parametrize("text", ["=1", "-2+3", "+cmd|x", "@x", "-A1", "\t=1", "+1(2)"])
def test_what_may_be_a_formula_begins_with_an_apostrophe_in_csv(text: str) -> None:
    assert csv_cell(text).strip('"') == f"'{text}"


def test_a_box_is_width_and_height_from_the_top_left() -> None:
    assert items_of(TABLE)[0]["bbox"] == [{"x": 72.0, "y": 300.0, "w": 328.0, "h": 50.0, "label": "table"}]


def test_text_and_markdown_have_page_numbers() -> None:
    _, files = assembled([page(text_block("One *1*."), number=4), page(text_block("Two."), number=6)])

    assert pages_of(files["text.json"]) == [{"page_number": 4, "text": "One *1*."}, {"page_number": 6, "text": "Two."}]
    assert pages_of(files["markdown.json"]) == [
        {"page_number": 4, "markdown": "One \\*1\\*.", "success": True},
        {"page_number": 6, "markdown": "Two.", "success": True},
    ]
    assert files["text.txt"] == b"One *1*.\n\nTwo.\n"
    assert files["markdown.md"] == b"One \\*1\\*.\n\nTwo.\n"


def test_a_failed_page_has_its_error_and_the_others_their_text() -> None:
    failure = PageFailure(number=2, code="page_timeout", detail="The page took too long.")

    assembly, files = assembled([page(text_block("One.")), failure, page(text_block("Three."), number=3)])

    failed = {"page_number": 2, "error": "page_timeout: The page took too long.", "success": False}
    assert pages_of(files["markdown.json"])[1] == failed
    assert pages_of(files["items.json"])[1] == failed
    assert pages_of(files["text.json"])[1] == {"page_number": 2, "text": ""}
    assert (assembly.good_pages, assembly.failed_pages) == (2, 1)
    assert files["text.txt"] == b"One.\n\nThree.\n"


def test_metadata_has_the_reason_why_a_page_needs_ocr() -> None:
    scanned = page(number=1, needs_ocr="no_text_layer")
    turned = Page(number=2, width=842, height=595, rotation=90, warnings=("text_cleaned",))

    assembly, files = assembled([scanned, turned])

    assert pages_of(files["metadata.json"]) == [
        {"page_number": 1, "needs_ocr": "no_text_layer"},
        {"page_number": 2, "original_orientation_angle": 90, "warnings": ["text_cleaned"]},
    ]
    assert assembly.pages_needing_ocr == 1
    assert assembly.warnings == {"text_cleaned": 1}


def test_words_and_characters_are_counted() -> None:
    assembly, _ = assembled([page(text_block("Green leaves.")), page(text_block("Two."), number=2)])

    assert (assembly.words, assembly.characters) == (3, 17)


def test_outputs_without_pages_are_valid() -> None:
    _, files = assembled([])

    assert {name: content for name, content in files.items() if name.endswith(".json")} == dict.fromkeys(
        ("text.json", "markdown.json", "items.json", "metadata.json"), b'{"pages":[]}'
    )
    assert files["text.txt"] == files["markdown.md"] == b""


def test_the_page_separator_can_be_chosen() -> None:
    pages = [page(text_block("One.")), page(text_block("Two."), number=2)]

    _, files = assembled(pages, RenderOptions(page_separator="\n\n---\n\n"))

    assert files["markdown.md"] == b"One.\n\n---\n\nTwo.\n"


def test_decoded_pages_equal_the_encoded_ones() -> None:
    results: list[Page | PageFailure] = [page(*EVERYTHING), PageFailure(number=2, code="page_failed", detail="x")]

    assert list(decode_pages(encode_pages(results))) == results
    assert decode_page(encode_page(page(*EVERYTHING))) == page(*EVERYTHING)


def test_one_page_is_found_among_many() -> None:
    looks_like_one = Block(BlockType.PARAGRAPH, Box(0, 0, 9, 9), text='\n{"kind":"page","number":2,"width":1}')
    pages = [Page(number, 600, 800, blocks=(looks_like_one,)) for number in (1, 11, 2, 112)]
    content = b"".join(encode_pages([*pages, PageFailure(3, "page_timeout")]))

    assert [find_page(content, page.number) for page in pages] == pages
    assert find_page(encode_page(pages[2]), 2) == pages[2]  # alone, without a line end
    for missing in (3, 12, 4):
        with pytest.raises(GarbledPage):
            find_page(content, missing)
    with pytest.raises(GarbledPage):
        find_page(content[: content.index(b'"number":11,') + 30], 11)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"{}",
        b'{"kind":"page","number":"1","width":1,"height":1}',
        b'{"kind":"page","number":1,"width":1,"height":1,"blocks":[{"type":"paragraph","box":[0,0]}]}',
        b'{"kind":"page","number":1,"width":1,"height":1,"blocks":[{"type":"applet","box":[0,0,1,1]}]}',
        b'{"kind":"page","number":1,"width":1,"height":1,"blocks":' + b"[" * 100_000,
        (
            b'{"kind":"page","number":1,"width":1,"height":1,"blocks":[{"type":"table","box":[0,0,1,1],"cells":'
            b'[{"row":999999999,"column":0}]}]}'
        ),
        b'{"kind":"failure","number":1}',
        b'{"kind":"page","number":1,"width":1,"height":1,"needs_ocr":"\xff"}',
    ],
)
def test_a_malformed_line_is_refused(line: bytes) -> None:
    with pytest.raises(GarbledPage):
        decode_result(line)


def test_boxes_contain_and_overlap_each_other() -> None:
    big, small, far = Box(0, 0, 10, 10), Box(2, 2, 4, 11), Box(20, 20, 30, 30)

    assert union([big, small]) == Box(0, 0, 10, 11)
    assert not big.contains(small)
    assert big.contains(small, slack=1)
    assert big.overlaps(small)
    assert not big.overlaps(far)
    assert (small.width, small.height, small.middle) == (2, 9, 6.5)


def test_pages_are_immutable() -> None:
    with pytest.raises(AttributeError):
        page().number = 2  # type: ignore[misc]
    assert msgspec.structs.replace(page(), number=2).number == 2


def test_granular_boxes_have_a_line_for_every_page() -> None:
    options = RenderOptions(granular_boxes=frozenset({"line"}))
    pages: list[Page | PageFailure] = [
        page(text_block("Leaves", 120)),
        PageFailure(2, "page_timeout", "It took too long."),
    ]

    _, files = assembled(pages, options)

    lines = [json.loads(line) for line in files["grounded_items.jsonl"].splitlines()]
    assert [(line["page_number"], line["success"]) for line in lines] == [(1, True), (2, False)]
    assert "grounding" in lines[0]["items"][0]
    assert "grounding" not in items_of(text_block("Leaves", 120))[0]


def test_items_name_the_source_of_their_text() -> None:
    read = msgspec.structs.replace(text_block("leaf"), source=Source.OCR, confidence=0.5)

    (item,) = items_of(read)

    assert (item["source"], item["bbox"][0]["confidence"]) == ("ocr", 0.5)
    assert "confidence" not in items_of(text_block("leaf"))[0]["bbox"][0]


@pytest.mark.parametrize(("marker", "label"), [("☑", "checkbox-selected"), ("☐", "checkbox-unselected")])
def test_check_boxes_have_labels_of_their_own(marker: str, label: str) -> None:
    (listed,) = items_of(text_block("paid", kind=ITEM, marker=marker, level=1))

    assert [box["label"] for box in listed["bbox"]] == [label]


def test_a_picture_without_a_place_has_no_box_and_no_address() -> None:
    placed = Block(BlockType.PICTURE, Box(72, 400, 200, 500))
    blocks = page(Block(BlockType.PICTURE, NO_BOX, description="A leaf"), placed)
    _, files = assembled([blocks], RenderOptions(picture_urls="/images/"))
    (found,) = pages_of(files["items.json"])
    assert [("bbox" in item, item["url"]) for item in found["items"]] == [
        (False, ""),
        (True, "/images/page_1_picture_1.jpg"),
    ]


def test_the_whole_document_has_the_descriptions_of_pictures() -> None:
    described = Block(BlockType.PICTURE, Box(72, 400, 200, 500), description="A leaf")
    first = text_block("Leaves are green, and there is a great deal to be said about the", 300)
    rest = msgspec.structs.replace(text_block("trees that have them.", 100), box=Box(72, 100, 300, 112))

    _, files = assembled([page(described, first, described), page(rest, number=2)])

    shown = "![A leaf]()"
    joined = "Leaves are green, and there is a great deal to be said about the trees that have them."
    assert files["markdown.md"].decode() == f"{shown}\n\n{joined}\n\n{shown}\n"
    assert files["text.txt"].decode() == f"{joined}\n"


def test_the_largest_pictures_of_a_page_can_be_fetched() -> None:
    small, large = Block(BlockType.PICTURE, Box(72, 400, 82, 410)), Block(BlockType.PICTURE, Box(72, 420, 172, 520))
    embedded = Block(BlockType.PICTURE, NO_BOX, image=EmbeddedImage("word/media/a.png", 200, 100))
    options = RenderOptions(picture_urls="/images/", max_pictures=2)

    assembly, files = assembled([page(large, small, embedded), page(small, number=2)], options)

    first, second = pages_of(files["items.json"])
    urls = ["/images/page_1_picture_1.jpg", "", "/images/page_1_picture_3.jpg"]
    assert [item["url"] for item in first["items"]] == urls
    assert second["items"][0]["url"] == "/images/page_2_picture_1.jpg"
    assert assembly.warnings == {"images_capped": 1}
    assert pages_of(files["metadata.json"])[0]["pictures_left_out"] == 1


def test_a_slide_has_no_picture_of_what_it_shows() -> None:
    placed = Block(BlockType.PICTURE, Box(72, 400, 200, 500))
    slide = msgspec.structs.replace(page(placed), structured=True)
    _, files = assembled([slide], RenderOptions(picture_urls="/images/"))
    assert pages_of(files["items.json"])[0]["items"][0]["url"] == ""
