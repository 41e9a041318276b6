"""The two networks of PP-OCR from the ``rapidocr`` wheel: detection finds lines, recognition reads them.

Three runtimes execute them: OpenVINO and ONNX Runtime on the CPU, ONNX Runtime on CUDA. The recognition network knows
18,708 characters and spends most of its time on choosing between them. If the language is known, the last layer is
reduced to the characters of its script, which is faster and makes fewer mistakes.
Sessions have threads and do not survive a fork: create them in the process that uses them.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Quad = NDArray[np.float32]
"""Four corners of a line in pixels, from its top left clockwise; shape (4, 2)."""

DETECTION_SIDE = 1280
# The detector marks the inner part of a line. A pixel is marked from the first probability, and a line is accepted
# from the second one, the mean of its pixels.
_PIXEL_THRESHOLD, _LINE_THRESHOLD = 0.3, 0.5
# A line extends beyond its marked part by this factor of the part's area over its circumference.
_EXPANSION = 1.6
_MIN_SIDE_PIXELS = 3
_STRIP_HEIGHT = 48
_MAX_STRIP_PIXELS = 3200
# Widths are rounded up to a multiple of this, because a new batch shape costs the runtime as much as reading a batch.
_WIDTH_STEP = 64


class Network(Protocol):
    """A loaded network. It takes one array (batch, 3, height, width) and returns its outputs."""

    def __call__(self, batch: NDArray[np.float32]) -> Sequence[NDArray[Any]]: ...


class Strip(NamedTuple):
    """The text of one line. ``places``: the position of each character, 0.0-1.0 of the line's width."""

    text: str
    confidence: float
    places: tuple[float, ...]
    confidences: tuple[float, ...]


@cache
def model_folder() -> Path:
    """Return the folder of the wheel's models. It is found without importing the wheel, which would load much more."""
    found = importlib.util.find_spec("rapidocr")
    if found is None or not found.origin:
        raise ModuleNotFoundError("rapidocr is not installed: pip install -r ocr_worker/requirements.txt")
    return Path(found.origin).parent / "models"


class Detector:
    """Finds the lines of a page."""

    def __init__(self, network: Network, *, side: int = DETECTION_SIDE) -> None:
        self._network = network
        self._side = side

    def find(self, image: Gray, *, side: int | None = None) -> list[Quad]:
        """Return the lines in pixels of the image, from the top; ``side``: pixels of the network's longer side."""
        return self.find_in_all([image], side=side)[0]

    def find_in_all(self, images: Sequence[Gray], *, side: int | None = None) -> list[list[Quad]]:
        """Return the lines of several images of the same size, read in one batch, which is faster on a GPU."""
        height, width = images[0].shape
        scale = (side or self._side) / max(height, width)
        rows, columns = (max(32, round(length * scale / 32) * 32) for length in (height, width))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        batch = np.empty((len(images), 3, rows, columns), np.float32)
        for number, image in enumerate(images):
            batch[number] = cv2.resize(image, (columns, rows), interpolation=how) / np.float32(127.5) - np.float32(1.0)
        probabilities = self._network(batch)[0]
        return [_lines(probability[0], width / columns, height / rows) for probability in probabilities]


def _lines(probability: NDArray[np.float32], x_scale: float, y_scale: float) -> list[Quad]:
    """Return the lines of a map of probabilities. Source: differentiable binarization (Liao et al., 2020)."""
    mask = cv2.dilate((probability > _PIXEL_THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _hierarchy = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    lines = []
    for contour in contours:
        if len(contour) < 3:
            continue
        centre, (a, b), angle = cv2.minAreaRect(contour)
        if min(a, b) < _MIN_SIDE_PIXELS:
            continue
        marked = cv2.boxPoints((centre, (a, b), angle))
        low = np.maximum(np.floor(marked.min(axis=0)).astype(int), 0)
        high = np.ceil(marked.max(axis=0)).astype(int) + 1
        part = probability[low[1] : high[1], low[0] : high[0]]
        inside = np.zeros(part.shape, np.uint8)
        cv2.fillPoly(inside, [(marked - low).astype(np.int32)], 1)
        if cv2.mean(part, inside)[0] < _LINE_THRESHOLD:
            continue
        reach = a * b * _EXPANSION / (a + b)
        corners = (cv2.boxPoints((centre, (a + reach, b + reach), angle)) * (x_scale, y_scale)).astype(np.float32)
        by_x = corners[np.argsort(corners[:, 0])]
        left, right = (side[np.argsort(side[:, 1])] for side in (by_x[:2], by_x[2:]))
        lines.append(np.array([left[0], right[0], right[1], left[1]], np.float32))
    return sorted(lines, key=lambda quad: float(quad[0][1]))


def length_of(line: Quad) -> float:
    """Return the length of a line in pixels."""
    return float(np.linalg.norm(line[1] - line[0]))


def height_of(line: Quad) -> float:
    """Return the height of a line in pixels; at least 1."""
    return max(1.0, float(np.linalg.norm(line[3] - line[0])))


def cut_out(image: Gray, quad: Quad) -> Gray:
    """Return the line as an upright strip."""
    width = max(1, round(max(length_of(quad), float(np.linalg.norm(quad[3] - quad[2])))))
    height = round(max(height_of(quad), float(np.linalg.norm(quad[1] - quad[2]))))
    goal = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = cv2.getPerspectiveTransform(quad, goal)
    strip = cv2.warpPerspective(image, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(strip, np.uint8)


class Recognizer:
    """Reads lines that were cut out, ``batch_size`` at a time: one on a CPU, where larger batches gain nothing."""

    def __init__(self, network: Network, characters: Sequence[str], *, batch_size: int = 1) -> None:
        self._network = network
        self._characters = characters
        self._batch_size = batch_size

    def read(self, strips: Sequence[Gray]) -> list[Strip]:
        """Return the text of the strips, in their order. Strips of similar width share a batch."""
        widths = [_STRIP_HEIGHT * strip.shape[1] / strip.shape[0] for strip in strips]
        order = sorted(range(len(strips)), key=widths.__getitem__)
        found: list[Strip] = [Strip("", 0.0, (), ())] * len(strips)
        for start in range(0, len(order), self._batch_size):
            part = order[start : start + self._batch_size]
            full_width = math.ceil(max(1.0, min(_MAX_STRIP_PIXELS, widths[part[-1]])) / _WIDTH_STEP) * _WIDTH_STEP
            used_widths = [min(full_width, max(1, math.ceil(widths[index]))) for index in part]
            batch = np.zeros((len(part), 3, _STRIP_HEIGHT, full_width), np.float32)
            for row, (index, width) in enumerate(zip(part, used_widths, strict=True)):
                scaled = cv2.resize(strips[index], (width, _STRIP_HEIGHT)).astype(np.float32)
                batch[row, :, :, :width] = scaled / 127.5 - 1.0
            best, choice = self._network(batch)
            for row, (index, width) in enumerate(zip(part, used_widths, strict=True)):
                found[index] = self._decode(best[row, :, 0], choice[row, :, 0], full_width / width)
        return found

    def _decode(self, best: NDArray[np.float32], choice: NDArray[np.int32], stretch: float) -> Strip:
        """Merge equal neighbouring choices to one character; choice 0 is the gap between characters (CTC decoding)."""
        kept = choice != 0
        kept[1:] &= choice[1:] != choice[:-1]
        steps = np.nonzero(kept)[0]
        if not len(steps):
            return Strip("", 0.0, (), ())
        places = np.minimum((steps + 0.5) / len(choice) * stretch, 1.0)
        return Strip(
            "".join(self._characters[number] for number in choice[steps]),
            float(best[steps].mean()),
            tuple(places.tolist()),
            tuple(best[steps].tolist()),
        )


def kept_characters(all_characters: Sequence[str], keep: Callable[[str], bool] | None) -> list[int]:
    """Return the numbers of the characters to keep; always 0, the gap."""
    return [n for n, character in enumerate(all_characters) if n == 0 or keep is None or keep(character)]
