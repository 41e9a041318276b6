"""Charts as PNG and as SVG."""

from __future__ import annotations

import io
from xml.etree import ElementTree

from PIL import Image

from apps.capacity.chart import Curve, Panel, as_png, as_svg

PANELS = [
    Panel("Pages a minute", [Curve("in", [0.0, 40_000.0, 12_000.0] * 40), Curve("done", [10_000.0] * 120)]),
    Panel("Pods <all>", [Curve("parse & OCR", [3.0] * 120)]),
]


def test_the_svg_has_labels_and_a_line_for_each_curve() -> None:
    root = ElementTree.fromstring(as_svg(PANELS))

    words = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    for label in ("Pages a minute", "in", "done", "40,000", "0:00", "2:00", "hours since the start", "Pods <all>"):
        assert label in words
    lines = [line.get("points", "") for line in root.iter("{http://www.w3.org/2000/svg}polyline")]
    assert sum(len(points.split()) == 120 for points in lines) == 3


def test_the_png_is_a_picture_with_the_curves_colours() -> None:
    picture = Image.open(io.BytesIO(as_png(PANELS)))

    assert picture.format == "PNG"
    assert picture.size == (1920, 920)
    colours = {colour for _, colour in picture.convert("RGB").getcolors(1_000_000) or []}
    assert {(0x1F, 0x77, 0xB4), (0xD9, 0x5F, 0x02)} <= colours


def test_a_curve_of_zeros_can_be_drawn() -> None:
    assert "<svg" in as_svg([Panel("Pods", [Curve("parse", [0.0])])])


def test_a_long_load_keeps_its_peaks() -> None:
    values = [0.0] * 10_000
    values[5_001] = 7.0

    [curve] = [
        line.get("points", "")
        for line in ElementTree.fromstring(as_svg([Panel("Pods", [Curve("parse", values)])])).iter()
        if line.get("stroke") == "#1f77b4" and line.get("stroke-width") == "1.5"
    ]

    heights = [float(point.split(",")[1]) for point in curve.split()]
    assert min(heights) < max(heights) - 100
    assert len(heights) < 2_500
