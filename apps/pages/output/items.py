"""Build the items tree of a page as the API returns it: all required fields, boxes as lists with labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.text import list_markers
from apps.pages.output import grounding, inline_markup, render
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


def items_of(blocks: Sequence[Block], options: RenderOptions, levels: frozenset[str] = frozenset()) -> list[Item]:
    """Return a page's blocks as items, in reading order. Neighbouring list items become one nested list.

    Items always have the addresses of links. ``levels``: the levels of boxes that they have beside their own, of
    "line", "word" and "cell".
    """
    options = msgspec.structs.replace(options, links=True)
    items: list[Item] = []
    for is_list, group in groupby(blocks, key=lambda block: block.type is BlockType.LIST_ITEM):
        if is_list:
            items.append(_list(list(group), options, levels))
        else:
            items += [_item(block, options, levels) for block in group]
    return items


def pointers(blocks: Sequence[Block]) -> Iterator[str]:
    """Yield for each block where ``items_of`` puts it, as a JSON pointer into the page: ``/items/4/items/0``."""
    at = 0
    for is_list, group in groupby(blocks, key=lambda block: block.type is BlockType.LIST_ITEM):
        if is_list:
            yield from _pointers_of_list(list(group), f"/items/{at}")
            at += 1
            continue
        for _block in group:
            yield f"/items/{at}"
            at += 1


def _pointers_of_list(blocks: Sequence[Block], base: str, depth: int = 1) -> Iterator[str]:
    at = 0
    for is_deeper, group in groupby(blocks, key=lambda block: block.level > depth):
        if is_deeper:
            yield from _pointers_of_list(list(group), f"{base}/items/{at}", depth + 1)
            at += 1
            continue
        for _block in group:
            yield f"{base}/items/{at}"
            at += 1


def _item(block: Block, options: RenderOptions, levels: frozenset[str]) -> Item:
    kind = block.type
    value = f"{block.marker} {block.text}" if block.marker else block.text
    if kind is BlockType.TABLE:
        return _table(block, options, levels)
    if kind in (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
        md = render.paragraph(block.text, block.spans, links=True)
        text = _located({"type": "text", "md": md, "value": block.text}, block, levels)
        name = "header" if kind is BlockType.PAGE_HEADER else "footer"
        return _located({"type": name, "items": [text], "md": md}, block, frozenset())
    md = render.block_markdown(block, options)
    if kind is BlockType.PICTURE:
        item: Item = {"type": "image", "caption": block.text or block.description, "url": "", "md": md}
        if block.image is not None:
            item["embedded"] = msgspec.to_builtins(block.image)
        if block.barcode:
            item["barcode"] = block.barcode
        if block.is_signature:
            item["signature"] = True
    elif kind is BlockType.PARAGRAPH and (address := _address(block)):
        item = {"type": "link", "text": block.text, "url": address, "md": md}
    elif kind is BlockType.HEADING:
        item = {"type": "heading", "level": max(1, block.level), "md": md, "value": value}
    else:
        item = {"type": "code" if kind is BlockType.CODE else "text", "md": md, "value": value}
    return _located(item, block, levels)


def _table(block: Block, options: RenderOptions, levels: frozenset[str]) -> Item:
    rows = render.grid_of(block.cells)
    item: Item = {
        "type": "table",
        "rows": rows,
        "md": render.table(block.cells, options),
        "html": render.table_html(block.cells, links=True),
        "csv": render.table_csv(block.cells),
        "source": block.source.value,
    }
    if block.box != NO_BOX:
        item["bbox"] = [_box(block)]
    if levels and (found := grounding.of_table(block.cells, rows, levels)):
        item["grounding"] = found
    return item


def _located(item: Item, block: Block, levels: frozenset[str]) -> Item:
    """Return the item of a block with the place and the origin of its text."""
    if block.box != NO_BOX:
        item["bbox"] = [_box(block, 0, len(item["md"]))]
    item["source"] = block.source.value
    source = "value" if "value" in item else "md"
    if levels and (found := grounding.of_text(block, source, item[source], levels)):
        item["grounding"] = found
    return item


def _address(block: Block) -> str:
    """Return where the whole text of a block leads to; "" when it is no link."""
    url = block.spans[0].url if block.spans else ""
    if not url or any(span.url != url for span in block.spans):
        return ""
    linked = sum(len("".join(block.text[span.start : span.end].split())) for span in block.spans)
    return url if linked == len("".join(block.text.split())) else ""


def _box(block: Block, start: int = 0, end: int = 0) -> Item:
    """Return the box of a block, and the part of the item's ``md`` in it, from ``start`` to before ``end``."""
    item: Item = {**grounding.box_of(block.box), "label": _LABELS[block.type]}
    if block.latex:
        item["label"] = "formula"
    elif block.is_chart:
        item["label"] = "chart"
    elif block.marker in list_markers.CHECKED:
        item["label"] = "checkbox-selected"
    elif block.marker in list_markers.UNCHECKED:
        item["label"] = "checkbox-unselected"
    if block.confidence is not None:
        item["confidence"] = block.confidence
    if end > start:
        item |= {"start_index": start, "end_index": end - 1}  # LlamaParse counts the last character, too
    return item


def _list(blocks: Sequence[Block], options: RenderOptions, levels: frozenset[str], depth: int = 1) -> Item:
    """Return a list item; blocks deeper than ``depth`` become lists inside it."""
    items: list[Item] = []
    for is_deeper, group in groupby(blocks, key=lambda block: block.level > depth):
        if is_deeper:
            items.append(_list(list(group), options, levels, depth + 1))
            continue
        for block in group:
            check = f"{block.marker} " if list_markers.is_check_box(block.marker) else ""
            md, value = check + inline_markup.markdown(block.text, block.spans), check + block.text
            items.append(_located({"type": "text", "md": md, "value": value}, block, levels))
    boxes, lines, start = [], [render.list_item(block, depth - 1, links=True) for block in blocks], 0
    for block, line in zip(blocks, lines, strict=True):
        if block.box != NO_BOX:
            boxes.append(_box(block, start, start + len(line)))
        start += len(line) + 1
    return {
        "type": "list",
        "items": items,
        "md": "\n".join(lines),
        "ordered": list_markers.is_ordered(blocks[0].marker),
        "source": blocks[0].source.value,
        **({"bbox": boxes} if boxes else {}),
    }
