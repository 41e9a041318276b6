"""Tables with pipes: blanks beside the pipes, and line breaks in cells."""

from __future__ import annotations

from apps.pages.model.blocks import Cell
from apps.pages.output.render import RenderOptions, table

CELLS = (
    Cell(0, 0, "Cargo", header=True),
    Cell(0, 1, "Tons", header=True),
    Cell(1, 0, "Coal\nor coke"),
    Cell(1, 1, "9"),
)


def test_lines_of_a_cell_are_parted_by_a_tag() -> None:
    assert table(CELLS, RenderOptions("pipe")) == "| Cargo | Tons |\n| --- | --- |\n| Coal<br>or coke | 9 |"


def test_a_compact_table_has_no_blanks_and_lines_are_parted_as_asked() -> None:
    options = RenderOptions("pipe", compact_tables=True, cell_line_break=" / ")
    assert table(CELLS, options) == "|Cargo|Tons|\n|---|---|\n|Coal / or coke|9|"
