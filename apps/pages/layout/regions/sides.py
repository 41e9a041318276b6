"""The lines on both sides of a gutter."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.layout.regions import flows
from apps.pages.model.segments import Segment

# Lines with fewer letters on average are not taken for text.
MIN_LETTERS = 6


class Side:
    """Number and extent of the lines on one side of a strip."""

    __slots__ = ("bottom", "letters", "lines", "top")

    def __init__(self) -> None:
        self.lines, self.letters, self.top, self.bottom = 0.0, 0, 1e9, -1e9

    def add(self, segment: Segment, line_height: float) -> None:
        height = segment.bottom - segment.top
        # A table or a figure counts as the lines that it replaces.
        if height > 2 * line_height:
            lines = height / line_height
            self.lines += lines
            self.letters += int(MIN_LETTERS * lines) + 1
        else:
            self.lines += 1.0
            self.letters += len(segment.text)
        if segment.top < self.top:
            self.top = segment.top
        if segment.bottom > self.bottom:
            self.bottom = segment.bottom


class Sides:
    """The lines left and right of a strip: text, if each side has ``flows.MIN_LINES`` or a figure that is as tall."""

    __slots__ = ("left", "right")

    def __init__(self) -> None:
        self.left, self.right = Side(), Side()

    @property
    def height(self) -> float:
        """Return the height over which there is text on both sides."""
        return min(self.left.bottom, self.right.bottom) - max(self.left.top, self.right.top)

    @property
    def are_tall(self) -> bool:
        left, right = self.left, self.right
        return (
            left.lines >= flows.MIN_LINES
            and right.lines >= flows.MIN_LINES
            and left.letters >= MIN_LETTERS * left.lines
            and right.letters >= MIN_LETTERS * right.lines
            and self.height > 0
        )


def sides_of(segments: Sequence[Segment], x: float) -> tuple[list[Segment], list[Segment]]:
    left = [s for s in segments if s.x0 < x]
    return left, [s for s in segments if s.x0 >= x]


def sides_at(segments: Sequence[Segment], x: float, line_height: float) -> Sides:
    sides = Sides()
    for segment in segments:
        (sides.right if segment.x0 >= x else sides.left).add(segment, line_height)
    return sides


def has_columns(segments: Sequence[Segment], x: float, line_height: float) -> bool:
    return sides_at(segments, x, line_height).are_tall
