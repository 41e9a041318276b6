"""Build the items tree of a page as the API returns it: all required fields, boxes as lists with labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import Box
from apps.pages.model.text import list_markers
from apps.pages.output import inline_markup, render
from apps.pages.output.render import RenderOptions

Item = dict[str, Any]
_LABELS = {
    BlockType.HEADING: "section-header",
    BlockType.PARAGRAPH: "text",
    BlockType.LIST_ITEM: "list-item",
    BlockType.TABLE: "table",
    BlockType.PICTURE: "picture",
    BlockType.CAPTION: "caption",
    BlockType.CODE: "code",
    BlockType.FOOTNOTE: "footnote",
    BlockType.PAGE_HEADER: "page-header",
    BlockType.PAGE_FOOTER: "page-footer",
}


def items_of(blocks: Sequence[Block], options: RenderOptions) -> list[Item]:
    """Return a page's blocks as items, in reading order. Neighbouring list items become one nested list.

    Items always have the addresses of links.
    """
    options = msgspec.structs.replace(options, links=True)
    items: list[Item] = []
    listed: list[Block] = []
    for block in blocks:
        if block.type is BlockType.LIST_ITEM:
            listed.append(block)
            continue
        if listed:
            items.append(_list(listed, options))
            listed = []
        items.append(_item(block, options))
    if listed:
        items.append(_list(listed, options))
    return items


def _item(block: Block, options: RenderOptions) -> Item:
    kind, bbox = block.type, _boxes(block)
    if kind is BlockType.TABLE:
        return {
            "type": "table",
            "rows": render.grid_of(block.cells),
            "md": render.table(block.cells, options),
            "html": render.table_html(block.cells, links=True),
            "csv": render.table_csv(block.cells),
            "bbox": bbox,
        }
    if kind in (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
        md = render.paragraph(block.text, block.spans, links=True)
        text = {"type": "text", "md": md, "value": block.text, "bbox": bbox}
        name = "header" if kind is BlockType.PAGE_HEADER else "footer"
        return {"type": name, "items": [text], "md": md, "bbox": bbox}
    md = render.block_markdown(block, options)
    if kind is BlockType.PICTURE:
        return {"type": "image", "caption": block.text, "url": "", "md": md, "bbox": bbox}
    value = f"{block.marker} {block.text}" if block.marker else block.text
    address = _address(block)
    if address and kind is BlockType.PARAGRAPH:
        return {"type": "link", "text": block.text, "url": address, "md": md, "bbox": bbox}
    if kind is BlockType.HEADING:
        return {"type": "heading", "level": max(1, block.level), "md": md, "value": value, "bbox": bbox}
    return {"type": "code" if kind is BlockType.CODE else "text", "md": md, "value": value, "bbox": bbox}


def _address(block: Block) -> str:
    """Return where the whole text of a block leads to; "" when it is no link."""
    url = block.spans[0].url if block.spans else ""
    if not url or any(span.url != url for span in block.spans):
        return ""
    linked = sum(len("".join(block.text[span.start : span.end].split())) for span in block.spans)
    return url if linked == len("".join(block.text.split())) else ""


def _boxes(block: Block) -> list[Item]:
    return [_box(block.box, _LABELS[block.type], block.confidence)]


def _box(box: Box, label: str, confidence: float | None = None) -> Item:
    item: Item = {
        "x": box.x0,
        "y": box.top,
        "w": round(box.x1 - box.x0, 2),
        "h": round(box.bottom - box.top, 2),
        "label": label,
    }
    if confidence is not None:
        item["confidence"] = confidence
    return item


def _list(blocks: Sequence[Block], options: RenderOptions, depth: int = 1) -> Item:
    """Return a list item; blocks deeper than ``depth`` become lists inside it."""
    items: list[Item] = []
    index = 0
    while index < len(blocks):
        end = index
        while end < len(blocks) and blocks[end].level > depth:
            end += 1
        if end > index:
            items.append(_list(blocks[index:end], options, depth + 1))
            index = end
            continue
        block = blocks[index]
        check = f"{block.marker} " if list_markers.is_check_box(block.marker) else ""
        md, value = check + inline_markup.markdown(block.text, block.spans), check + block.text
        items.append({"type": "text", "md": md, "value": value, "bbox": _boxes(block)})
        index += 1
    return {
        "type": "list",
        "items": items,
        "md": "\n".join(render.list_item(block, depth - 1, links=True) for block in blocks),
        "ordered": list_markers.is_ordered(blocks[0].marker),
        "bbox": [_box(block.box, "list-item", block.confidence) for block in blocks],
    }
