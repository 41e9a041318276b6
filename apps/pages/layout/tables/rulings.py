"""Find grids: the rulings that belong together and the cells they enclose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.model.geometry import Box

# Rulings within this distance are one line, or touch.
SNAP_POINTS = 2.5
# Shorter marks are parts of letters and logos.
MIN_RULING_POINTS = 5.0
# Comparing this many pairs of rulings costs about 20 ms; a page with more is a drawing.
MAX_PAIRS = 60_000
# A line that runs past the outermost crossing by this much shows that the table is open on that side.
MIN_OPEN_SIDE_POINTS = 8.0


class Ruling(msgspec.Struct, gc=False):
    """A horizontal (``at`` is y) or vertical (``at`` is x) line from ``low`` to ``high``. Points."""

    at: float
    low: float
    high: float


class GridCell(msgspec.Struct, gc=False):
    """One cell of a grid, counted from 0."""

    row: int
    column: int
    row_span: int
    column_span: int


class Grid(msgspec.Struct, gc=False):
    """Rulings that meet: the positions of columns (``xs``) and rows (``ys``), and the cells between them."""

    xs: list[float]
    ys: list[float]
    grid_cells: list[GridCell]

    @property
    def box(self) -> Box:
        return Box(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1])


def rulings_of(rules: Iterable[Box]) -> tuple[list[Ruling], list[Ruling]]:
    """Return the horizontal and the vertical rulings, with the parts of one line joined."""
    across: list[tuple[float, float, float]] = []
    down: list[tuple[float, float, float]] = []
    for rule in rules:
        width, height = rule.x1 - rule.x0, rule.bottom - rule.top
        if width >= height:
            across.append(((rule.top + rule.bottom) / 2, rule.x0, rule.x1))
        else:
            down.append(((rule.x0 + rule.x1) / 2, rule.top, rule.bottom))
    return _joined(across), _joined(down)


def _joined(pieces: list[tuple[float, float, float]]) -> list[Ruling]:
    """Join the pieces (at, low, high) of one line that touch; drop short lines."""
    pieces.sort()
    lines: list[Ruling] = []
    start = 0
    for index in range(1, len(pieces) + 1):
        if (
            index < len(pieces)
            and pieces[index][0] - pieces[index - 1][0] <= SNAP_POINTS
            and pieces[index][0] - pieces[start][0] <= 2 * SNAP_POINTS
        ):
            continue
        group = pieces[start:index]
        start = index
        at = sum(piece[0] for piece in group) / len(group)
        of_group: list[Ruling] = []
        for low, high in sorted((piece[1], piece[2]) for piece in group):
            if of_group and low <= of_group[-1].high + SNAP_POINTS:
                of_group[-1].high = max(of_group[-1].high, high)
            else:
                of_group.append(Ruling(at, low, high))
        lines += [line for line in of_group if line.high - line.low >= MIN_RULING_POINTS]
    return lines


def grids_of(across: Sequence[Ruling], down: Sequence[Ruling]) -> list[Grid]:
    """Return the grids that the rulings form, from the top. Rulings that meet no other form none."""
    if not across or not down or len(across) * len(down) > MAX_PAIRS:
        return []
    grids = []
    for horizontal, vertical in connected(across, down):
        # Remove lines that end in the middle of a cell: arrows, underlines and icons.
        for _ in range(3):
            count = len(horizontal) + len(vertical)
            vertical = _reaching(vertical, horizontal)
            horizontal = _reaching(horizontal, vertical)
            if len(horizontal) + len(vertical) == count:
                break
        if not horizontal or not vertical:
            continue
        xs = _positions(vertical, min(h.low for h in horizontal), max(h.high for h in horizontal))
        ys = _positions(horizontal, min(v.low for v in vertical), max(v.high for v in vertical))
        if len(xs) >= 2 and len(ys) >= 2:
            vertical = [*vertical, Ruling(xs[0], ys[0], ys[-1]), Ruling(xs[-1], ys[0], ys[-1])]
            horizontal = [*horizontal, Ruling(ys[0], xs[0], xs[-1]), Ruling(ys[-1], xs[0], xs[-1])]
            grids.append(Grid(xs, ys, cells_between(xs, ys, horizontal, vertical)))
    grids.sort(key=lambda grid: (grid.ys[0], grid.xs[0]))
    return grids


def connected(across: Sequence[Ruling], down: Sequence[Ruling]) -> list[tuple[list[Ruling], list[Ruling]]]:
    """Group rulings that meet, directly or through others."""
    parent = list(range(len(across) + len(down)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for i, h in enumerate(across):
        low, high, at = h.low - SNAP_POINTS, h.high + SNAP_POINTS, h.at
        for j, v in enumerate(down, len(across)):
            if low <= v.at <= high and v.low - SNAP_POINTS <= at <= v.high + SNAP_POINTS:
                parent[root(j)] = root(i)
    groups: dict[int, tuple[list[Ruling], list[Ruling]]] = {}
    for i, h in enumerate(across):
        groups.setdefault(root(i), ([], []))[0].append(h)
    for j, v in enumerate(down, len(across)):
        groups.setdefault(root(j), ([], []))[1].append(v)
    return [group for group in groups.values() if group[0] and group[1]]


def _reaching(lines: list[Ruling], crossing: list[Ruling]) -> list[Ruling]:
    """Return the rulings whose ends touch a crossing ruling or the outermost position."""
    if not lines or not crossing:
        return []
    places = [line.at for line in crossing]
    places += [min(line.low for line in lines), max(line.high for line in lines)]
    return [
        line
        for line in lines
        if any(abs(line.low - at) <= 2 * SNAP_POINTS for at in places)
        and any(abs(line.high - at) <= 2 * SNAP_POINTS for at in places)
    ]


def _positions(lines: Iterable[Ruling], low: float, high: float) -> list[float]:
    """Return the positions of lines, near ones merged, and the ends of the crossing lines if a side is open."""
    places: list[float] = []
    for at in sorted(line.at for line in lines):
        if not places or at - places[-1] > 2 * SNAP_POINTS:
            places.append(at)
    if places[0] - low > MIN_OPEN_SIDE_POINTS:
        places.insert(0, low)
    if high - places[-1] > MIN_OPEN_SIDE_POINTS:
        places.append(high)
    return places


def cells_between(
    xs: Sequence[float], ys: Sequence[float], across: Sequence[Ruling], down: Sequence[Ruling]
) -> list[GridCell]:
    """Return the cells of the grid; neighbours with no line between them are one cell if they form a rectangle."""
    columns, rows = len(xs) - 1, len(ys) - 1
    walls = [[_covered(down, xs[c], ys[r], ys[r + 1]) for c in range(columns + 1)] for r in range(rows)]
    floors = [[_covered(across, ys[r], xs[c], xs[c + 1]) for c in range(columns)] for r in range(rows + 1)]
    taken = [[False] * columns for _ in range(rows)]
    grid_cells: list[GridCell] = []
    for r in range(rows):
        for c in range(columns):
            if taken[r][c]:
                continue
            wide = 1
            while c + wide < columns and not walls[r][c + wide] and not taken[r][c + wide]:
                wide += 1
            tall = 1
            while (
                r + tall < rows
                and not any(floors[r + tall][c : c + wide])
                and not any(walls[r + tall][c + 1 : c + wide])
            ):
                tall += 1
            for row in range(r, r + tall):
                taken[row][c : c + wide] = [True] * wide
            grid_cells.append(GridCell(r, c, tall, wide))
    return grid_cells


def _covered(lines: Sequence[Ruling], at: float, low: float, high: float) -> bool:
    """Return True if rulings at this position cover most of the distance from low to high."""
    covered = 0.0
    for line in lines:
        if abs(line.at - at) <= 2 * SNAP_POINTS:
            covered += max(0.0, min(high, line.high) - max(low, line.low))
    return covered > 0.5 * (high - low)
