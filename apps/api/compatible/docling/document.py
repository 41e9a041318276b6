"""A result as a DoclingDocument, the JSON of docling-core.

Its texts, tables, pictures and groups are in lists of their own and refer to each other by JSON pointers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from lxml import html

from apps.api.compatible.result_texts import plain_text
from apps.api.v1.stored_pages import StoredPage

Json = dict[str, Any]
SCHEMA_VERSION = "1.5.0"
"""The first version with all that is used here, so that older clients can read it."""
_BODY = "#/body"
_LABELS = {
    "caption": "caption",
    "footnote": "footnote",
    "formula": "formula",
    "checkbox-selected": "checkbox_selected",
    "checkbox-unselected": "checkbox_unselected",
}


def docling_document(name: str, media_type: str, sha256: str, pages: Iterable[StoredPage]) -> Json:
    """Return the pages as one document. Pages that failed are missing."""
    document = _Document(pages)
    return {
        "schema_name": "DoclingDocument",
        "version": SCHEMA_VERSION,
        "name": PurePath(name).stem or name,
        "origin": {"mimetype": media_type, "binary_hash": int(sha256[:16] or "0", 16), "filename": name},
        "furniture": _root("furniture", []),
        "body": _root("body", document.body),
        "groups": document.groups,
        "texts": document.texts,
        "pictures": document.pictures,
        "tables": document.tables,
        "key_value_items": [],
        "form_items": [],
        "pages": document.pages,
    }


def _root(layer: str, children: list[Json]) -> Json:
    return {
        "self_ref": f"#/{layer}",
        "children": children,
        "content_layer": layer,
        "name": "_root_",
        "label": "unspecified",
    }


class _Document:
    """The lists of a DoclingDocument."""

    def __init__(self, pages: Iterable[StoredPage]) -> None:
        self.body: list[Json] = []
        self.groups: list[Json] = []
        self.texts: list[Json] = []
        self.pictures: list[Json] = []
        self.tables: list[Json] = []
        self.pages: dict[str, Json] = {}
        self._has_title = False
        self._page = 0
        for page in pages:
            if not page.has_failed:
                self._page = page.number
                size = {"width": page.items["page_width"], "height": page.items["page_height"]}
                self.pages[str(page.number)] = {"size": size, "page_no": page.number}
                for item in page.items["items"]:
                    self.body.append(self._add(item, _BODY))

    def _add(self, item: Json, parent: str) -> Json:
        """Add an item of ours, with those inside. Return the reference to it."""
        kind, text = item["type"], plain_text(item)
        if kind == "list":
            return self._add_list(item, parent)
        if kind == "table":
            return self._new(self.tables, "tables", "table", parent, item, data=_table_data(item["html"]))
        if kind == "image":
            return self._add_picture(item, parent)
        if kind == "heading":
            if item["level"] == 1 and not self._has_title:
                self._has_title = True
                return self._text("title", parent, item, text)
            return self._text("section_header", parent, item, text, level=max(1, item["level"] - 1))
        if kind in ("header", "footer"):
            return self._text(f"page_{kind}", parent, item, text, content_layer="furniture")
        if kind == "link":
            return self._text("text", parent, item, text, hyperlink=item["url"])
        if kind == "code":
            return self._text("code", parent, item, text)
        label = next((box["label"] for box in item.get("bbox") or ()), "")
        return self._text(_LABELS.get(label, "text"), parent, item, text)

    def _add_list(self, item: Json, parent: str) -> Json:
        reference = self._new(self.groups, "groups", "list", parent, None)
        group, number, above = self.groups[-1], 0, reference["$ref"]
        group["name"] = "list"
        for inner in item["items"]:
            if inner["type"] == "list":
                # A nested list is inside the item before it.
                owner = self.texts[int(above.rpartition("/")[2])] if above.startswith("#/texts/") else group
                owner["children"].append(self._add_list(inner, above))
                continue
            number += 1
            marker = f"{number}." if item["ordered"] else "-"
            entry = self._text(
                "list_item", reference["$ref"], inner, plain_text(inner), enumerated=item["ordered"], marker=marker
            )
            group["children"].append(entry)
            above = entry["$ref"]
        return reference

    def _add_picture(self, item: Json, parent: str) -> Json:
        reference = self._new(self.pictures, "pictures", "picture", parent, item, captions=[], annotations=[])
        picture = self.pictures[-1]
        if caption := plain_text(item):
            entry = self._text("caption", reference["$ref"], item, caption)
            picture["captions"].append(entry)
            picture["children"].append(entry)
        return reference

    def _text(self, label: str, parent: str, item: Json, text: str, **facts: Any) -> Json:
        return self._new(self.texts, "texts", label, parent, item, orig=text, text=text, **facts)

    def _new(self, entries: list[Json], name: str, label: str, parent: str, item: Json | None, **facts: Any) -> Json:
        entry: Json = {
            "self_ref": f"#/{name}/{len(entries)}",
            "parent": {"$ref": parent},
            "children": [],
            "content_layer": "body",
            "label": label,
        }
        if item is not None:
            entry["prov"] = list(self._places(item, len(facts.get("text", ""))))
        entries.append(entry | facts)
        return {"$ref": entry["self_ref"]}

    def _places(self, item: Json, length: int) -> Iterator[Json]:
        """Yield where an item is on its page. Our boxes begin at the top left corner, too."""
        for box in item.get("bbox") or ():
            yield {
                "page_no": self._page,
                "bbox": {
                    "l": box["x"],
                    "t": box["y"],
                    "r": round(box["x"] + box["w"], 2),
                    "b": round(box["y"] + box["h"], 2),
                    "coord_origin": "TOPLEFT",
                },
                "charspan": [0, length],
            }


def _table_data(markup: str) -> Json:
    """Return the cells of a table, with their spans, from its HTML."""
    cells: list[Json] = []
    taken: set[tuple[int, int]] = set()
    table = html.fragment_fromstring(markup)
    for line_break in table.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    for row, element in enumerate(table.iter("tr")):
        column = 0
        for cell in element.iter("td", "th"):
            while (row, column) in taken:
                column += 1
            height, width = int(cell.get("rowspan", "1")), int(cell.get("colspan", "1"))
            taken |= {(row + down, column + right) for down in range(height) for right in range(width)}
            cells.append(
                {
                    "row_span": height,
                    "col_span": width,
                    "start_row_offset_idx": row,
                    "end_row_offset_idx": row + height,
                    "start_col_offset_idx": column,
                    "end_col_offset_idx": column + width,
                    "text": cell.text_content().strip(),
                    "column_header": cell.tag == "th",
                    "row_header": False,
                    "row_section": False,
                }
            )
    return {
        "table_cells": cells,
        "num_rows": max((row + 1 for row, _ in taken), default=0),
        "num_cols": max((column + 1 for _, column in taken), default=0),
    }
