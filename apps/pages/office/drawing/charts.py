"""Read the data of charts, as the chart has it, into tables (ECMA-376 part 1, 21.2)."""

from __future__ import annotations

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.sheets.number_formats import GENERAL, shown
from apps.pages.office.xml_parts import Element, local_name, part

MAX_SERIES = 200
MAX_POINTS = 2_000


def blocks_of_chart(archive: Archive, name: str, box: Box = NO_BOX) -> list[Block]:
    """Return the title of a chart as a caption, and its data as a table with a column for each series."""
    root = part(archive, name)
    if root is None:
        return []
    title = _text(root.find("{*}chart/{*}title"))
    axes = [_text(axis) for axis in root.iterfind("{*}chart/{*}plotArea/*/{*}title")]
    series = list(root.iter("{*}ser"))[:MAX_SERIES]
    names = [_first(one.find("{*}tx")) for one in series]
    categories: dict[int, str] = {}
    columns = []
    for one in series:
        for place, text in {**_points(one.find("{*}cat")), **_points(one.find("{*}xVal"))}.items():
            categories.setdefault(place, text)
        value = one.find("{*}val")
        columns.append(_points(value if value is not None else one.find("{*}yVal")))
    rows = sorted(set(categories).union(*columns))[:MAX_POINTS] if columns else []
    blocks = []
    caption = clean(title or (names[0] if len(names) == 1 else ""))
    if caption:
        blocks.append(Block(type=BlockType.CAPTION, box=box, text=caption))
    if rows:
        corner = axes[0] if axes else ""
        cells = [
            Cell(row=0, column=column, text=clean(text), header=True) for column, text in enumerate([corner, *names])
        ]
        for row, place in enumerate(rows, 1):
            texts = [categories.get(place, ""), *(column.get(place, "") for column in columns)]
            cells += [Cell(row=row, column=column, text=clean(text)) for column, text in enumerate(texts)]
        blocks.append(Block(type=BlockType.TABLE, box=box, cells=tuple(cells)))
    return blocks


def _text(element: Element | None) -> str:
    if element is None:
        return ""
    return " ".join("".join(run.text or "" for run in element.iter("{*}t", "{*}v")).split())


def _first(element: Element | None) -> str:
    """Return the name of a series: the first point of what it refers to, or a literal."""
    if element is None:
        return ""
    value = element.find(".//{*}v")
    return str(value.text or "") if value is not None else ""


def _points(element: Element | None) -> dict[int, str]:
    """Return the texts of points by their places, numbers as their format shows them."""
    found: dict[int, str] = {}
    if element is None:
        return found
    levels = element.findall(".//{*}lvl")
    for level in reversed(levels) if levels else [element]:  # the last level is the outermost
        for point in level.iter("{*}pt"):
            place = point.get("idx", "")
            text = point.findtext("{*}v") or ""
            if not place.isdigit():
                continue
            cache = point.getparent()
            if local_name(cache) in ("numCache", "numLit"):
                text = _number(text, point.get("formatCode") or cache.findtext("{*}formatCode") or GENERAL)
            known = found.get(int(place))
            found[int(place)] = f"{known} {text}" if known else text
    return found


def _number(text: str, code: str) -> str:
    try:
        return shown(float(text), code)
    except (ValueError, OverflowError):
        return text
