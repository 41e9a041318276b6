"""Charts of curves over time, one below the other, as PNG (with Pillow) and as SVG from the same drawing code."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from xml.sax.saxutils import escape

WIDTH, PANEL_HEIGHT = 960, 230
LEFT, RIGHT, TOP, BOTTOM = 84, 20, 34, 40
LETTERS = 13
INK, FAINT, GROUND = "#222222", "#dddddd", "#ffffff"
COLOURS = ("#1f77b4", "#d95f02", "#2a9d4a", "#7b4ab5")
_ROUND_STEPS = (1, 2, 2.5, 5, 10)
_HOUR_STEPS = (1 / 60, 2 / 60, 5 / 60, 10 / 60, 0.25, 0.5, 1, 2, 3, 4, 6, 12, 24)
_PNG_SCALE = 2
Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """``values``: one per minute."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """Curves that share an axis; ``title`` is the quantity on it."""

    title: str
    curves: Sequence[Curve]


class Canvas(Protocol):
    def line(self, points: Sequence[Point], colour: str, width: float) -> None: ...

    def text(self, at: Point, words: str, colour: str, anchor: Anchor) -> None:
        """``at``: the vertical middle of the text, and its start, middle or end (``anchor``)."""


def as_svg(panels: Sequence[Panel]) -> str:
    """Return an ``svg`` element, usable as a file or in a page."""
    height = PANEL_HEIGHT * len(panels)
    canvas = _Svg()
    _draw(canvas, panels)
    title = escape("; ".join(panel.title for panel in panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'font-family="sans-serif" font-size="{LETTERS}"><title>{title}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="{GROUND}"/>{"".join(canvas.parts)}</svg>'
    )


def as_png(panels: Sequence[Panel]) -> bytes:
    """Return a PNG file."""
    canvas = _Picture(WIDTH, PANEL_HEIGHT * len(panels))
    _draw(canvas, panels)
    out = io.BytesIO()
    canvas.image.save(out, "PNG", optimize=True)
    return out.getvalue()


class _Svg:
    def __init__(self) -> None:
        self.parts: list[str] = []

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>')

    def text(self, at: Point, words: str, colour: str, anchor: Anchor) -> None:
        x, y = at
        self.parts.append(
            f'<text x="{x:.1f}" y="{y + LETTERS / 3:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'
        )


class _Picture:
    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw, ImageFont

        self.image = Image.new("RGB", (width * _PNG_SCALE, height * _PNG_SCALE), GROUND)
        self._draw = ImageDraw.Draw(self.image)
        self._font = ImageFont.load_default(LETTERS * _PNG_SCALE)

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        scaled = [(x * _PNG_SCALE, y * _PNG_SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=max(1, round(width * _PNG_SCALE)), joint="curve")

    def text(self, at: Point, words: str, colour: str, anchor: Anchor) -> None:
        position = at[0] * _PNG_SCALE, at[1] * _PNG_SCALE
        anchors = {"start": "lm", "middle": "mm", "end": "rm"}
        self._draw.text(position, words, fill=colour, font=self._font, anchor=anchors[anchor])


def _draw(canvas: Canvas, panels: Sequence[Panel]) -> None:
    for number, panel in enumerate(panels):
        _Axes(canvas, panel, top=number * PANEL_HEIGHT).draw()


class _Axes:
    """One panel's frame and its curves."""

    def __init__(self, canvas: Canvas, panel: Panel, *, top: int) -> None:
        self._canvas = canvas
        self._panel = panel
        self._top, self._bottom = top + TOP, top + PANEL_HEIGHT - BOTTOM
        self._minutes = max(1, *(len(curve.values) for curve in panel.curves))
        highest = max((max(curve.values, default=0.0) for curve in panel.curves), default=0.0)
        self._step = 1.0
        if highest > 0:  # a round number, four or five of which reach the highest value
            magnitude = 10.0 ** math.floor(math.log10(highest / 5))
            self._step = next(step * magnitude for step in _ROUND_STEPS if step * magnitude * 5 >= highest * 0.999)
        self._highest = max(self._step, math.ceil(highest / self._step - 1e-9) * self._step)

    def draw(self) -> None:
        # Levels.
        for index in range(round(self._highest / self._step) + 1):
            value = index * self._step
            x, y = self._at(0, value)
            self._canvas.line([(LEFT, y), (WIDTH - RIGHT, y)], FAINT, 1)
            self._canvas.text((x - 8, y), f"{value:,.6g}" if value < 1e6 else f"{value:,.0f}", INK, "end")
        # Hours.
        hours = self._minutes / 60
        step = next((each for each in _HOUR_STEPS if hours / each <= 12), hours / 12)
        for index in range(int(hours / step + 1e-9) + 1):
            at = index * step
            x, y = self._at(at * 60, 0)
            self._canvas.line([(x, y), (x, y + 4)], INK, 1)
            self._canvas.text((x, y + 14), f"{int(at + 1e-9)}:{round(at % 1 * 60) % 60:02}", INK, "middle")
        self._canvas.text((WIDTH - RIGHT, self._bottom + 29), "hours since the start", INK, "end")
        self._canvas.line([(LEFT, self._top), (LEFT, self._bottom), (WIDTH - RIGHT, self._bottom)], INK, 1)
        for number, curve in enumerate(self._panel.curves):
            colour = COLOURS[number % len(COLOURS)]
            self._canvas.line([self._at(minute, value) for minute, value in points_of(curve.values)], colour, 1.5)
        # The title, and the legend from right to left.
        y = self._top - 18
        self._canvas.text((LEFT, y), self._panel.title, INK, "start")
        x = WIDTH - RIGHT
        for number, curve in reversed(list(enumerate(self._panel.curves))):
            colour = COLOURS[number % len(COLOURS)]
            self._canvas.text((x, y), curve.name, colour, "end")
            x -= len(curve.name) * LETTERS * 0.56 + 8
            self._canvas.line([(x - 18, y), (x, y)], colour, 2.5)
            x -= 34

    def _at(self, minute: float, value: float) -> Point:
        x = LEFT + (WIDTH - LEFT - RIGHT) * minute / self._minutes
        return x, self._bottom - (self._bottom - self._top) * value / self._highest


def points_of(values: Sequence[float]) -> list[Point]:
    """Return minutes and values. Of several values on the same pixel, only the lowest and the highest are kept."""
    bunch = max(1, len(values) // (WIDTH - LEFT - RIGHT))
    if bunch == 1:
        return [(minute + 1.0, value) for minute, value in enumerate(values)]
    points: list[Point] = []
    for start in range(0, len(values), bunch):
        part = range(start, min(start + bunch, len(values)))
        ends = sorted({min(part, key=values.__getitem__), max(part, key=values.__getitem__)})
        points += [(minute + 1.0, values[minute]) for minute in ends]
    return points
