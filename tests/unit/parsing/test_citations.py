"""The places of extracted values on pages that have words with boxes, or only lines."""

from __future__ import annotations

from typing import Any

import pytest

from apps.pages.model.blocks import Block, BlockType, Line, Page, Word
from apps.pages.model.geometry import Box
from apps.parsing.annotations.citations import Citations

WORD_WIDTH, LINE_HEIGHT = 50.0, 12.0


def page(*lines: str, number: int = 1, with_words: bool = True) -> Page:
    """Return a page whose line n is at 20 n points, with words 60 points apart."""
    found = []
    for place, text in enumerate(lines):
        words = tuple(
            Word(word, Box(60.0 * column, 20.0 * place, 60.0 * column + WORD_WIDTH, 20.0 * place + LINE_HEIGHT))
            for column, word in enumerate(text.split())
        )
        box = Box(0.0, 20.0 * place, 60.0 * len(words), 20.0 * place + LINE_HEIGHT)
        found.append(Line(text, box, words=words if with_words else ()))
    block = Block(BlockType.PARAGRAPH, Box(0.0, 0.0, 600.0, 800.0), " ".join(lines), tuple(found))
    return Page(number, 600.0, 800.0, (block,))


def cited(answer: dict[str, Any], *pages: Page) -> tuple[dict[str, Any], int]:
    citations = Citations(pages)
    return citations.metadata_of(answer), citations.not_found


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("1 234,50", 1234.5),
        ("EUR1'234.50", 1234.5),
        ("(1,234.50)", -1234.5),
        ("1,234", 1234),
        ("19%", 0.19),
        ("19%", 19),
        ("1,234.50", "1234.50"),
        ("ACME Corp., Ltd.", "Acme Corp, Ltd"),
        ("Crème brûlée", "creme brulee"),
        ("No.:INV-7/b", "INV-7/B"),
        ("31.01.2026", "2026-01-31"),
        ("1/31/2026", "2026-01-31"),
        ("January 31, 2026", "2026-01-31"),
        ("31 janvier 2026", "2026-01-31"),
        ("发票号码12345", "12345"),
    ],
)
def test_a_value_is_found_however_it_is_printed(printed: str, value: object) -> None:
    metadata, not_found = cited({"value": value}, page("Nothing here", f"before {printed} after"))

    assert not_found == 0
    [citation] = metadata["value"]["citation"]
    assert printed in citation["matching_text"]
    assert [box["y"] for box in citation["bounding_boxes"]] == [20.0]
    assert citation["page_dimensions"] == {"width": 600.0, "height": 800.0}


@pytest.mark.parametrize(
    ("printed", "value"),
    [("15420", 542), ("Rhinestone", "stone"), ("1234.5", 12345), ("x", True), ("2026", "2026-01-31")],
)
def test_a_part_of_a_word_or_number_is_no_place(printed: str, value: object) -> None:
    assert cited({"value": value}, page(printed)) == ({"value": {"citation": None}}, 1)


def test_of_several_places_that_after_the_name_of_the_property_wins() -> None:
    pages = page("Freight 100.00", "Tax 100.00"), page("Grand total: 100.00", number=2)

    metadata, _ = cited({"grand_total": 100.0, "freight": 100}, *pages)

    assert metadata["grand_total"]["citation"][0]["page"] == 2
    assert metadata["freight"]["citation"][0]["page"] == 1


def test_values_of_a_list_are_found_in_their_own_rows() -> None:
    rows = [{"article": "Rope", "amount": 5}, {"article": "Sack", "amount": 5}, {"article": "Rope", "amount": 5}]

    metadata, _ = cited({"rows": rows}, page("Article Amount", "Rope 5", "Sack 5", "Rope 5"))

    tops = [[entry["citation"][0]["bounding_boxes"][0]["y"] for entry in row.values()] for row in metadata["rows"]]
    assert tops == [[20.0, 20.0], [40.0, 40.0], [60.0, 60.0]]


def test_a_value_over_two_lines_has_a_box_for_each() -> None:
    metadata, _ = cited({"vendor": "Mill and Weir"}, page("Vendor: Mill", "and Weir"))

    boxes = metadata["vendor"]["citation"][0]["bounding_boxes"]
    assert [(box["x"], box["y"], box["w"]) for box in boxes] == [(60.0, 0.0, 50.0), (0.0, 20.0, 110.0)]


def test_without_boxes_of_words_the_box_is_that_of_the_line() -> None:
    metadata, _ = cited({"vendor": "Weir"}, page("Vendor: Weir", with_words=False))

    assert metadata["vendor"]["citation"][0]["bounding_boxes"] == [{"x": 0.0, "y": 0.0, "w": 120.0, "h": 12.0}]


def test_null_and_empty_values_need_no_place() -> None:
    assert cited({"a": None, "b": [], "c": {}}, page("x")) == ({"a": {"citation": None}, "b": [], "c": {}}, 0)
