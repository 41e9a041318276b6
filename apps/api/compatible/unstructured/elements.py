"""A result as Unstructured's elements: a flat list, in which headings and list items are parents of what follows."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apps.api.compatible.result_texts import plain_text
from apps.api.compatible.unstructured.requests import PartitionOptions
from apps.api.v1.stored_pages import StoredPage

Element = dict[str, Any]
Item = dict[str, Any]
_TYPES = {
    "heading": "Title",
    "text": "NarrativeText",
    "link": "NarrativeText",
    "table": "Table",
    "image": "Image",
    "code": "CodeSnippet",
    "header": "Header",
    "footer": "Footer",
}
_TYPE_OF_LABEL = {"caption": "FigureCaption", "formula": "Formula", "footnote": "Footer"}
_LINK = re.compile(r"(?<!!)\[((?:[^\]\\]|\\.)+)\]\(([^()\s]+)\)")
_ESCAPED = re.compile(r"\\(.)")


def elements_of(
    pages: Iterable[StoredPage], options: PartitionOptions, *, name: str, media_type: str
) -> Iterator[Element]:
    """Yield the elements of a result, page by page. Pages that failed have none."""
    common: dict[str, Any] = {"filename": name, "filetype": media_type}
    if languages := options.languages or options.ocr_languages:
        common["languages"] = list(languages)
    writer = _ElementWriter(options, common, with_html=_infers_tables(options, media_type))
    for page in pages:
        yield from writer.page(page)


def _infers_tables(options: PartitionOptions, media_type: str) -> bool:
    kind = media_type.rpartition("/")[2]
    skipped = {each.lower().removeprefix(".").replace("jpg", "jpeg") for each in options.skip_infer_table_types}
    return kind not in skipped and (options.pdf_infer_table_structure or kind != "pdf")


class _ElementWriter:
    def __init__(self, options: PartitionOptions, common: Mapping[str, Any], *, with_html: bool) -> None:
        self._options, self._common, self._with_html = options, common, with_html
        self._count = 0
        self._page: StoredPage | None = None
        self._is_first_page = True
        self._titles: list[tuple[int, str]] = []
        """Level and id of the headings above the next element."""

    def page(self, page: StoredPage) -> Iterator[Element]:
        self._page = page
        if self._options.include_page_breaks and not self._is_first_page:
            yield self._element("PageBreak", "", {}, page.number - 1)
        self._is_first_page = False
        for item in page.items.get("items", ()):
            yield from self._elements(item)
        if self._options.include_slide_notes:
            for line in (page.metadata.get("speaker_notes") or "").splitlines():
                if line.strip():
                    yield self._element("NarrativeText", line, {}, page.number)

    def _elements(self, item: Item, depth: int = 0, parent: str = "") -> Iterator[Element]:
        assert self._page is not None
        kind, number = item["type"], self._page.number
        if kind == "list":
            last = parent
            for inner in item["items"]:
                if inner["type"] == "list":
                    yield from self._elements(inner, depth + 1, last)
                    continue
                element = self._element("ListItem", plain_text(inner), inner, number, depth=depth, parent=parent)
                last = element["element_id"]
                yield element
        elif kind == "heading":
            level = item["level"]
            self._titles = [title for title in self._titles if title[0] < level]
            element = self._element("Title", plain_text(item), item, number, depth=level - 1)
            self._titles.append((level, element["element_id"]))
            yield element
        else:
            label = next((box["label"] for box in item.get("bbox") or ()), "")
            yield self._element(_TYPE_OF_LABEL.get(label) or _TYPES[kind], plain_text(item), item, number)

    def _element(
        self, kind: str, text: str, item: Item, number: int, *, depth: int | None = None, parent: str = ""
    ) -> Element:
        metadata: dict[str, Any] = {**self._common, "page_number": number + self._options.starting_page_number - 1}
        if depth is not None:
            metadata["category_depth"] = depth
        above = parent or (self._titles[-1][1] if self._titles else "")
        if above and kind not in ("Header", "Footer", "PageBreak"):
            metadata["parent_id"] = above
        if item:
            metadata |= self._facts(item, kind)
        # Like Unstructured's own ids: the same document gives the same ones.
        fact = f"{self._common['filename']}{text}{metadata['page_number']}{self._count}"
        self._count += 1
        element_id = str(uuid.uuid4())
        if not self._options.unique_element_ids:
            element_id = hashlib.sha256(fact.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return {"type": kind, "element_id": element_id, "text": text, "metadata": metadata}

    def _facts(self, item: Item, kind: str) -> dict[str, Any]:
        assert self._page is not None
        facts: dict[str, Any] = {}
        if kind == "Table" and self._with_html:
            facts["text_as_html"] = item["html"]
        if item["type"] == "link":
            links = [{"text": item["text"], "url": item["url"], "start_index": 0}]
        else:
            found = _LINK.findall(item["md"]) if item["type"] in ("text", "heading") else []
            links = [{"text": _ESCAPED.sub(r"\1", text), "url": url} for text, url in found]
        if links:
            facts["links"] = links
        boxes = item.get("bbox") or ()
        known = [box["confidence"] for box in boxes if "confidence" in box]
        if known:
            facts["detection_class_prob"] = min(known)
        if boxes and self._options.coordinates:
            left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
            right, bottom = max(box["x"] + box["w"] for box in boxes), max(box["y"] + box["h"] for box in boxes)
            right, bottom = round(right, 2), round(bottom, 2)
            facts["coordinates"] = {
                "points": [[left, top], [left, bottom], [right, bottom], [right, top]],
                # Pixels at 72 dpi, which are points, from the top left corner.
                "system": "PixelSpace",
                "layout_width": self._page.items["page_width"],
                "layout_height": self._page.items["page_height"],
            }
        return facts
