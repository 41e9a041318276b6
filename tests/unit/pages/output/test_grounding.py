"""The boxes of lines, words and cells, as a client that asks for them reads them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pikepdf
import pytest

from apps.pages.output.assembly import GROUNDED_ITEMS, RenderOptions, assemble
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.tiny_pdf import HEIGHT, WIDTH, Sheet, write_pdf

Json = dict[str, Any]
ALL = ("line", "word", "cell")
TABLE = (
    Sheet()
    .grid([72, 172, 272], [100, 120, 140])
    .text(76, 103, "Fruit")
    .text(176, 103, "Price in euro")
    .text(76, 123, "Pear")
    .text(176, 123, "1.20")
)


def pages_with(path: str | Path, *levels: str) -> list[Json]:
    """Return the lines of the output for the levels of boxes, a page each."""
    files: dict[str, bytes] = {}

    @contextmanager
    def open_output(name: str) -> Iterator[BinaryIO]:
        file = io.BytesIO()
        yield file
        files[name] = file.getvalue()

    pages = list(read_pages(str(path), [1], word_boxes=bool({"line", "word"} & set(levels))))
    options = RenderOptions(granular_boxes=frozenset(levels))
    assemble(lambda: pages, options=options, open_output=open_output)
    return [json.loads(line) for line in files[GROUNDED_ITEMS].splitlines()]


def items_with(path: str | Path, *levels: str) -> list[Json]:
    items: list[Json] = pages_with(path, *levels)[0]["items"]
    return items


def words_of(item: Json) -> list[tuple[str, Json]]:
    """Return the words of a text item, cut out of its text by their spans, with their boxes."""
    text = item[item["grounding"]["source"]]
    return [(text[slice(*word["span"])], word["bbox"]) for line in item["grounding"]["lines"] for word in line["words"]]


def is_inside(inner: Json, outer: Json) -> bool:
    return bool(
        outer["x"] - 0.1 <= inner["x"]
        and outer["y"] - 0.1 <= inner["y"]
        and inner["x"] + inner["w"] <= outer["x"] + outer["w"] + 0.1
        and inner["y"] + inner["h"] <= outer["y"] + outer["h"] + 0.1
    )


def test_lines_and_words_have_their_place_in_the_text_and_on_the_page(tmp_path: Path) -> None:
    path = write_pdf(
        tmp_path / "made.pdf", Sheet().lines(72, 100, ["The mill grinds 2 < 3 *leaves* an hour,", "no more."])
    )

    (item,) = items_with(path, *ALL)

    lines = item["grounding"]["lines"]
    assert [item["value"][slice(*line["span"])] for line in lines] == [
        "The mill grinds 2 < 3 *leaves* an hour,",
        "no more.",
    ]
    assert [word for word, _box in words_of(item)] == item["value"].split()
    assert all(is_inside(line["bbox"], item["bbox"][0]) for line in lines)
    assert all(is_inside(word["bbox"], line["bbox"]) for line in lines for word in line["words"])
    places = [box["x"] for _word, box in words_of(item)[:8]]
    assert places == sorted(places)


def test_a_word_cut_at_a_line_end_has_a_box_for_each_half(tmp_path: Path) -> None:
    sheet = Sheet().lines(
        72, 100, ["Every windmill in this valley has a wheel, and a mill with-", "out one stands still."]
    )

    (item,) = items_with(write_pdf(tmp_path / "made.pdf", sheet), "word")

    assert "without one" in item["value"]
    assert [word for word, _box in words_of(item)][-5:] == ["with", "out", "one", "stands", "still."]


def test_a_list_item_has_no_word_for_its_marker(tmp_path: Path) -> None:
    sheet = Sheet().lines(72, 100, ["a) an apple", "b) a pear", "c) cherries"])

    (listed,) = items_with(write_pdf(tmp_path / "made.pdf", sheet), "word")

    assert [[word for word, _box in words_of(item)] for item in listed["items"]] == [
        ["an", "apple"],
        ["a", "pear"],
        ["cherries"],
    ]
    for box, item in zip(listed["bbox"], listed["items"], strict=True):
        assert item["value"] in listed["md"][box["start_index"] : box["end_index"] + 1]


def test_a_table_has_the_boxes_of_its_cells_in_the_shape_of_its_rows(tmp_path: Path) -> None:
    (table,) = items_with(write_pdf(tmp_path / "made.pdf", TABLE), *ALL)

    grounded = table["grounding"]["rows"]
    assert [len(row) for row in grounded] == [len(row) for row in table["rows"]] == [2, 2]
    for texts, cells in zip(table["rows"], grounded, strict=True):
        for text, cell in zip(texts, cells, strict=True):
            (line,) = cell["lines"]
            assert text[slice(*line["span"])] == text
            assert [text[slice(*word["span"])] for word in line["words"]] == text.split()
            assert is_inside(line["bbox"], cell["bbox"][0])


@pytest.mark.parametrize(
    ("level", "text_has", "cells_have"), [("line", {"lines"}, {"lines"}), ("cell", set(), {"bbox"})]
)
def test_only_the_levels_of_the_request_are_there(
    tmp_path: Path, level: str, text_has: set[str], cells_have: set[str]
) -> None:
    path = write_pdf(tmp_path / "made.pdf", TABLE.text(72, 200, "Prices of last year."))

    table, text = items_with(path, level)

    assert set(text.get("grounding", {})) - {"source"} == text_has
    assert {name for row in table["grounding"]["rows"] for cell in row for name in cell} == cells_have
    assert "words" not in json.dumps(table)


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_the_boxes_of_words_turn_with_a_page_whose_text_is_turned(tmp_path: Path, turned: int) -> None:
    sheet = Sheet().lines(72, 100, ["A page that lies on its side", "has words that lie on their side."])
    path = write_pdf(tmp_path / "made.pdf", sheet)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].Rotate = turned
        pdf.save(path)

    (page,) = pages_with(path, "word")

    assert (page["page_width"], page["page_height"]) == ((WIDTH, HEIGHT) if turned == 180 else (HEIGHT, WIDTH))
    words = [word for item in page["items"] for word in words_of(item)]
    assert " ".join(word for word, _box in words) == "A page that lies on its side has words that lie on their side."
    whole = {"x": 0, "y": 0, "w": page["page_width"], "h": page["page_height"]}
    assert all(is_inside(box, whole) for _word, box in words)
    long = [box for word, box in words if len(word) > 3]
    assert all((box["w"] > box["h"]) == (turned == 180) for box in long)
