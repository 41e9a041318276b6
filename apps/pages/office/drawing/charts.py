"""Read the data of charts, as the chart has it, into tables (ECMA-376 part 1, 21.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.sheets.number_formats import GENERAL, shown
from apps.pages.office.xml_parts import Element, local_name, part

Points = dict[int, str]
"""The texts of points by their places."""
MAX_SERIES = 200
MAX_POINTS = 2_000


class Series(NamedTuple):
    """``values``: of each point, and what else it has, such as the size of a bubble, with its name.

    ``has_numbers``: the categories are numbers on an axis; otherwise those of the first series are those of all.
    """

    name: str
    categories: Points
    values: list[tuple[str, Points]]
    has_numbers: bool = False


def blocks_of_chart(archive: Archive, name: str, box: Box = NO_BOX) -> list[Block]:
    """Return the title of a chart as a caption, and its data as a table with a column for each series."""
    root = part(archive, name)
    if root is None:
        return []
    title = _text(root.find("{*}chart/{*}title"))
    axes = [_text(axis) for axis in root.iterfind("{*}chart/{*}plotArea/*/{*}title")]
    series = [*_series(root), *_series_of_2016(root)][:MAX_SERIES]
    names = [one.name for one in series]
    categories: dict[int, str] = {}
    columns: list[tuple[str, Points]] = []
    for one in series:
        if one.has_numbers and any(categories.get(place, x) != x for place, x in one.categories.items()):
            columns.append((f"{one.name} (x)".strip(), one.categories))
        else:
            categories = {**one.categories, **categories}
        columns += [(f"{one.name} ({kind})".strip() if kind else one.name, points) for kind, points in one.values]
    caption = title or (names[0] if len(names) == 1 else "")
    return blocks_of_data(caption, " / ".join(dict.fromkeys(filter(None, axes))), categories, columns, box)


def blocks_of_data(
    caption: str, corner: str, categories: Points, columns: Sequence[tuple[str, Points]], box: Box = NO_BOX
) -> list[Block]:
    """Return the caption of a chart and a table of its points: ``columns`` are the names and the points of series."""
    rows = sorted(set(categories).union(*(points for _name, points in columns)))[:MAX_POINTS]
    blocks = []
    if caption := clean(caption):
        blocks.append(Block(type=BlockType.CAPTION, box=box, text=caption))
    if rows:
        cells = [
            Cell(row=0, column=column, text=clean(text), header=True)
            for column, text in enumerate([corner, *(name for name, _points_of_column in columns)])
        ]
        for row, place in enumerate(rows, 1):
            texts = [categories.get(place, ""), *(points.get(place, "") for _name, points in columns)]
            cells += [Cell(row=row, column=column, text=clean(text)) for column, text in enumerate(texts)]
        blocks.append(Block(type=BlockType.TABLE, box=box, cells=tuple(cells)))
    return blocks


def _series(root: Element) -> Iterator[Series]:
    for one in root.iter("{*}ser"):
        value = one.find("{*}val")
        values = [("", _points(value if value is not None else one.find("{*}yVal")))]
        if sizes := _points(one.find("{*}bubbleSize")):
            values.append(("size", sizes))
        numbers = _points(one.find("{*}xVal"))
        yield Series(_first(one.find("{*}tx")), _points(one.find("{*}cat")) | numbers, values, bool(numbers))


def _series_of_2016(root: Element) -> Iterator[Series]:
    """Yield the series of the charts that Office has since 2016, such as waterfalls (MS-ODRAWXML 2.24.3)."""
    data = {one.get("id", ""): one for one in root.iter("{*}data")}
    for one in root.iter("{*}series"):
        reference = one.find("{*}dataId")
        found = data.get(reference.get("val", "")) if reference is not None else None
        if found is not None:
            numbers = found.findall("{*}numDim")
            values = [
                (dimension.get("type", "") if index else "", _points(dimension))
                for index, dimension in enumerate(numbers)
            ]
            yield Series(_first(one.find("{*}tx")), _points(found.find("{*}strDim")), values)


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


def _points(element: Element | None) -> Points:
    """Return the texts of points by their places, numbers as their format shows them."""
    found: Points = {}
    if element is None:
        return found
    levels = element.findall(".//{*}lvl")
    for level in reversed(levels) if levels else [element]:  # the last level is the outermost
        for point in level.iter("{*}pt"):
            place = point.get("idx", "")
            value = point.find("{*}v")
            text = (point.text if value is None else value.text) or ""
            if not place.isdigit():
                continue
            cache = point.getparent()
            if "formatCode" in cache.attrib:
                text = _number(text, cache.get("formatCode") or GENERAL)
            if local_name(cache) in ("numCache", "numLit"):
                text = _number(text, point.get("formatCode") or cache.findtext("{*}formatCode") or GENERAL)
            known = found.get(int(place))
            found[int(place)] = f"{known} {text}".strip() if known else text
    return found


def _number(text: str, code: str) -> str:
    try:
        return shown(float(text), code)
    except (ValueError, OverflowError):
        return text
