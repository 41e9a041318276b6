"""The pages of ``result/json``, in the names and units of the first API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from apps.api.v1.page_texts import error_of, markdown_of, text_of
from apps.api.v1.stored_pages import StoredPage
from apps.jobs.models import ParseJob
from apps.jobs.option_groups import Presentation
from apps.pages.output.exports.pictures import POINTS_PER_PIXEL
from apps.parsing.page_pictures import PAGE_DPI, POINTS_PER_INCH, ZOOM_DPI

Json = dict[str, Any]
MODE_NAMES = {
    "fast": "parse_page_without_llm",
    "balanced": "parse_page_with_llm",
    "multimodal": "parse_page_with_lvm",
    "agentic": "parse_page_with_agent",
}
_LAYOUT_LABELS = {"heading": "titles", "table": "tables", "image": "figures", "list": "lists"}
_LINK = re.compile(r"(?<!!)\[((?:[^\]\\]|\\.)+)\]\(([^()\s]+)\)")
_NAME = re.compile(r"_picture_(\d+)\.jpg$")
_ESCAPED = re.compile(r"\\(.)")


def page_json(
    page: StoredPage,
    job: ParseJob,
    presentation: Presentation,
    structured: Json | None = None,
    printed: Sequence[int] = (),
) -> Json:
    """Return one page of the job's result. ``structured``: its structured output; ``printed``: its printed pages."""
    items = page.items.get("items", [])
    width, height = page.items.get("page_width", 0.0), page.items.get("page_height", 0.0)
    text, markdown = text_of(page, presentation), markdown_of(page, presentation)
    parsing, error = page.parsing, error_of(page)
    content: Json = {
        "page": page.number,
        "text": text,
        "md": markdown,
        "images": [*map(_printed_page, printed), *_images(page, job)],
        "charts": list(_charts(page, job)) if presentation.extract_charts else [],
        "tables": [],
        "layout": [_layout(item, width, height) for item in items] if presentation.extract_layout else [],
        "items": [_item(item) for item in items if item["type"] != "image" or item["md"]],
        "status": "ERROR" if page.has_failed else "OK",
        "links": [link for item in items for link in _links(item)],
        "width": width,
        "height": height,
        "triggeredAutoMode": "rule" in parsing,
        "costOptimized": str(parsing.get("reason", "")).startswith("cost optimizer"),
        "parsingMode": MODE_NAMES.get(parsing.get("mode", job.mode), ""),
        "structuredData": structured,
        "noStructuredContent": structured is None,
        "noTextContent": not text.strip(),
        "isAudioTranscript": False,
        "pageHeaderMarkdown": page.markdown.get("header"),
        "pageFooterMarkdown": page.markdown.get("footer"),
        "printedPageNumber": page.metadata.get("printed_page_number"),
        "originalOrientationAngle": page.metadata.get("original_orientation_angle", 0),
        "confidence": page.metadata.get("confidence"),
        "slideSpeakerNotes": page.metadata.get("speaker_notes"),
    }
    if error:
        content["error"] = error
    return content


def _printed_page(number: int) -> Json:
    sizes = ("x", "y", "width", "height", "original_width", "original_height")
    return {"name": f"page_{number}.jpg", **dict.fromkeys(sizes), "type": "full_page_screenshot"}


def _images(page: StoredPage, job: ParseJob) -> Iterator[Json]:
    """Yield the images of a page by the names under which ``result/image`` has them."""
    kinds = job.parsed_options.images_to_save
    if "screenshot" in kinds and not page.has_failed and job.has_page_pictures:
        size = {"x": 0.0, "y": 0.0, "w": page.items["page_width"], "h": page.items["page_height"]}
        yield _image(f"page_{page.number}.jpg", size, "full_page_screenshot", PAGE_DPI)
    for name, item in _pictures(page, job):
        yield _embedded_image(name, item) if "embedded" in item else _image(name, item["bbox"][0], "object", ZOOM_DPI)


def _charts(page: StoredPage, job: ParseJob) -> Iterator[Json]:
    """Yield the images of a page that are charts, under the same names."""
    for name, item in _pictures(page, job):
        box = (item.get("bbox") or [{}])[0]
        if box.get("label") == "chart":
            yield {"name": name, "x": box["x"], "y": box["y"], "width": box["w"], "height": box["h"]}


def _pictures(page: StoredPage, job: ParseJob) -> Iterator[tuple[str, Json]]:
    """Yield the pictures on a page that can be fetched, with their names."""
    if not job.parsed_options.images_to_save & {"layout", "embedded"}:
        return
    for item in page.items.get("items", []):
        if item["type"] == "image" and (found := _NAME.search(item["url"])):
            yield f"img_p{page.number - 1}_{found[1]}.jpg", item


def _embedded_image(name: str, item: Json) -> Json:
    """Return an image file of an office document. One without a known place is at the corner of its page."""
    file = item["embedded"]
    size = {"x": 0.0, "y": 0.0, "w": file["width"] * POINTS_PER_PIXEL, "h": file["height"] * POINTS_PER_PIXEL}
    image = _image(name, (item.get("bbox") or [size])[0], "object", ZOOM_DPI)
    return image | {"original_width": file["width"], "original_height": file["height"]}


def _image(name: str, box: Json, kind: str, dpi: float) -> Json:
    return {
        "name": name,
        "x": box["x"],
        "y": box["y"],
        "width": box["w"],
        "height": box["h"],
        "original_width": round(box["w"] * dpi / POINTS_PER_INCH),
        "original_height": round(box["h"] * dpi / POINTS_PER_INCH),
        "type": kind,
    }


def _item(item: Json) -> Json:
    kind = item["type"]
    found: Json = {"type": kind, "md": item["md"], "value": _value(item)}
    if kind == "heading":
        found["lvl"] = item["level"]
    elif kind == "table":
        widths = {len(row) for row in item["rows"]}
        found |= {"rows": item["rows"], "html": item["html"], "csv": item["csv"], "isPerfectTable": len(widths) == 1}
    elif kind == "link":
        found["url"] = item["url"]
    if box := _box(item):
        found["bBox"] = box
    lines = list(_lines(item))
    if lines:
        found["lines"] = lines
    return found


def _value(item: Json) -> str | None:
    """Return the plain text of an item; None for a table, which has rows."""
    if "items" in item:
        return "\n".join(filter(None, (_value(inner) for inner in item["items"])))
    value = item.get("value", item.get("text", item.get("caption")))
    return None if value is None else str(value)


def _box(item: Json) -> Json | None:
    """Return the smallest box around an item, and its lowest confidence if it has one."""
    boxes = item.get("bbox")
    if not boxes:
        return None
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right, bottom = max(box["x"] + box["w"] for box in boxes), max(box["y"] + box["h"] for box in boxes)
    found = {"x": left, "y": top, "w": round(right - left, 2), "h": round(bottom - top, 2)}
    known = [box["confidence"] for box in boxes if "confidence" in box]
    return found | ({"confidence": min(known)} if known else {})


def _lines(item: Json, offset: int = 0) -> Iterator[Json]:
    """Yield the lines of an item. ``startIndex`` and ``endIndex`` are the first and last character in ``value``."""
    for inner in item.get("items", ()):
        yield from _lines(inner, offset)
        offset += len(_value(inner) or "") + 1
    grounding = item.get("grounding") or {}
    text = item.get(grounding.get("source", ""), "")
    for line in grounding.get("lines", ()):
        start, end = line["span"]
        words = text[start:end]
        box = {name: line["bbox"][name] for name in ("x", "y", "w", "h")}
        yield {"md": words, "text": words, "bBox": box, "startIndex": offset + start, "endIndex": offset + end - 1}


def _layout(item: Json, width: float, height: float) -> Json:
    """Return an entry of ``layout``, with the box in parts of the page. Text that was not guessed has confidence 1."""
    box = _box(item) or {"x": 0.0, "y": 0.0, "w": 0.0, "h": 0.0}
    return {
        "label": _LAYOUT_LABELS.get(item["type"], "text"),
        "bbox": {
            "x": round(box["x"] / width, 4),
            "y": round(box["y"] / height, 4),
            "w": round(box["w"] / width, 4),
            "h": round(box["h"] / height, 4),
        },
        "confidence": box.get("confidence", 1.0),
        "image": "",
        "isLikelyNoise": False,
    }


def _links(item: Json) -> Iterator[Json]:
    if item["type"] == "link":
        yield {"url": item["url"], "text": item["text"]}
    elif item["type"] != "image":
        for text, url in _LINK.findall(item["md"]):
            yield {"url": url, "text": _ESCAPED.sub(r"\1", text)}
