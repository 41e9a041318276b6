"""Read the text of diagrams (SmartArt) from their data (ECMA-376 part 1, 21.4)."""

from __future__ import annotations

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.office.archive import Archive
from apps.pages.office.drawing import texts
from apps.pages.office.xml_parts import Element, part

MAX_DEPTH = 9
_NO_NODES = ("parTrans", "sibTrans", "pres")


def blocks_of_diagram(archive: Archive, name: str, box: Box = NO_BOX) -> list[Block]:
    """Return the nodes of a diagram as a nested list, in the order of their connections."""
    root = part(archive, name)
    if root is None:
        return []
    nodes = {
        node.get("modelId", ""): node
        for node in root.iterfind("{*}ptLst/{*}pt")
        if node.get("type", "node") not in _NO_NODES
    }
    children: dict[str, list[tuple[int, str]]] = {}
    is_child = set()
    for link in root.iterfind("{*}cxnLst/{*}cxn"):
        source, target, order = link.get("srcId", ""), link.get("destId", ""), link.get("srcOrd", "0")
        if link.get("type", "parOf") == "parOf" and source in nodes and target in nodes:
            children.setdefault(source, []).append((int(order) if order.isdigit() else 0, target))
            is_child.add(target)
    blocks: list[Block] = []
    seen: set[str] = set()
    waiting = [(name, 0) for name in reversed(nodes) if name not in is_child]
    while waiting:
        name, depth = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = _items(nodes[name], depth, box)
        blocks += found
        deeper = depth + 1 if found else depth
        waiting += [(child, min(deeper, MAX_DEPTH)) for _order, child in sorted(children.get(name, ()), reverse=True)]
    return blocks


def _items(node: Element, depth: int, box: Box) -> list[Block]:
    return [
        Block(
            type=BlockType.LIST_ITEM, box=box, text=paragraph.text, spans=paragraph.spans, level=depth + 1, marker="-"
        )
        for paragraph in texts.paragraphs_of(node.find("{*}t"))
    ]
