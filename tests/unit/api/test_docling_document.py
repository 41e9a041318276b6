"""A result as a DoclingDocument. docling-core reads one in tests/clients/compatible."""

from __future__ import annotations

from typing import Any

from apps.api.compatible.docling.document import docling_document
from apps.api.v1.stored_pages import StoredPage

BOX = {"x": 10.0, "y": 20.0, "w": 30.0, "h": 5.0, "label": "text"}


def item(kind: str, **facts: Any) -> dict[str, Any]:
    return {"type": kind, "md": "", "bbox": [BOX], **facts}


def entry(text: str) -> dict[str, Any]:
    return item("text", value=text)


ITEMS = [
    item("header", items=[entry("Mills")]),
    item("heading", level=1, value="Grain"),
    item("heading", level=1, value="Flour"),
    item("heading", level=3, value="Bread"),
    item("text", value="x = 1", bbox=[{**BOX, "label": "formula"}]),
    item("code", value="print()"),
    item("link", text="Here", url="https://example.com/"),
    item(
        "list",
        ordered=True,
        items=[entry("first"), item("list", ordered=False, items=[entry("inside")]), entry("second")],
    ),
    item("image", caption="A wheel"),
    item(
        "table",
        rows=[["Reach", "", "Birds"], ["", "4", "112"]],
        html="<table><tr><th colspan='2'>Reach<br>of <b>it</b></th><th rowspan=2>Birds</th></tr>"
        "<tr><td>a</td><td>4</td></tr></table>",
    ),
]
PAGE = StoredPage(
    2, "", {"success": True}, {"page_width": 600, "page_height": 800, "success": True, "items": ITEMS}, {}
)
FAILED = StoredPage(3, "", {"success": False}, {"success": False}, {})


def document() -> dict[str, Any]:
    return docling_document("mills.pdf", "application/pdf", "ff" * 32, [PAGE, FAILED])


def at(found: dict[str, Any], reference: dict[str, str]) -> dict[str, Any]:
    _, name, number = reference["$ref"].split("/")
    entry: dict[str, Any] = found[name][int(number)]
    return entry


def test_items_have_their_labels_and_places() -> None:
    found = document()
    body = [at(found, child) for child in found["body"]["children"]]

    assert [part["label"] for part in body] == [
        *("page_header", "title", "section_header", "section_header", "formula", "code", "text"),
        *("list", "picture", "table"),
    ]
    assert [part["content_layer"] for part in body][:2] == ["furniture", "body"]
    assert [part.get("level") for part in body][1:4] == [None, 1, 2]
    assert body[6]["hyperlink"] == "https://example.com/"
    place = body[1]["prov"][0]
    assert (place["page_no"], place["charspan"]) == (2, [0, 5])
    assert place["bbox"] == {"l": 10.0, "t": 20.0, "r": 40.0, "b": 25.0, "coord_origin": "TOPLEFT"}
    assert list(found["pages"]) == ["2"]
    assert found["origin"] == {
        "mimetype": "application/pdf",
        "binary_hash": int("ff" * 8, 16),
        "filename": "mills.pdf",
    }


def test_lists_are_groups_and_inner_lists_belong_to_the_item_above() -> None:
    found = document()
    [group] = [part for part in found["groups"] if part["parent"] == {"$ref": "#/body"}]
    first, second = (at(found, child) for child in group["children"])

    assert [(each["text"], each["marker"]) for each in (first, second)] == [("first", "1."), ("second", "2.")]
    [inner] = first["children"]
    assert at(found, inner)["parent"] == {"$ref": first["self_ref"]}
    [inside] = at(found, inner)["children"]
    assert (at(found, inside)["text"], at(found, inside)["enumerated"]) == ("inside", False)


def test_pictures_have_captions_and_tables_their_spans() -> None:
    found = document()
    [picture], [table] = found["pictures"], found["tables"]

    assert at(found, picture["captions"][0])["text"] == "A wheel"
    data = table["data"]
    assert (data["num_rows"], data["num_cols"]) == (2, 3)
    shown = [
        (cell["text"], cell["start_row_offset_idx"], cell["start_col_offset_idx"], cell["row_span"], cell["col_span"])
        for cell in data["table_cells"]
    ]
    assert shown == [("Reach\nof it", 0, 0, 1, 2), ("Birds", 0, 2, 2, 1), ("a", 1, 0, 1, 1), ("4", 1, 1, 1, 1)]
    assert [cell["column_header"] for cell in data["table_cells"]] == [True, True, False, False]
