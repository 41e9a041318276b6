"""Pages a minute of OCR on a GPU, for several batch sizes. It runs standalone, from the repository's root:

    pip install numpy opencv-python-headless pillow msgspec rapidocr onnxruntime-gpu
    python bench/ocr_gpu.py [--batches 1 4 8 16 32] [--pages 128] [--cpu]

The script draws the pages: A4 at 200 dpi, 45 lines of English each. Writes bench/results/ocr-gpu.json. ``--cpu`` runs
it on a machine without a GPU and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ocr_worker.engines.rapid import is_latin
from ocr_worker.networks import onnx_runtime, ppocr

WIDTH, HEIGHT, LINES, LETTERS = 1654, 2339, 45, 26
TARGET = 1000
RESULT = Path(__file__).parent / "results" / "ocr-gpu.json"
_WORDS = [
    "the",
    "mill",
    "stands",
    "where",
    "two",
    "rivers",
    "meet",
    "and",
    "has",
    "ground",
    "paper",
    "into",
    "leaves",
    "since",
    "1742",
    "every",
    "page",
    "is",
    "weighed",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 4, 8, 16, 32])
    parser.add_argument("--pages", type=int, default=128)
    parser.add_argument("--cpu", action="store_true")
    arguments = parser.parse_args()
    try:
        runtime = onnx_runtime.OnnxRuntime(cuda=not arguments.cpu)
    except ImportError as error:
        print(f"{error}. Run with --cpu on a machine without a GPU.")
        return 1
    detector, recognizer = runtime.detector(), runtime.recognizer(is_latin)
    device = "CPU" if arguments.cpu else "GPU"
    pages = [draw_page(number) for number in range(arguments.pages)]
    print(f"onnxruntime {onnx_runtime.VERSION}, {len(pages)} pages of {LINES} lines, on the {device}")
    figures = []
    for batch in arguments.batches:
        read(pages[:batch], batch, detector, recognizer)  # warms up
        started = time.monotonic()
        letters = read(pages, batch, detector, recognizer)
        pages_a_minute = len(pages) / (time.monotonic() - started) * 60
        figures.append({"what": f"batches of {batch}", "value": pages_a_minute, "unit": "pages/min", "target": TARGET})
        print(f"batches of {batch:3}: {pages_a_minute:8.1f} pages/min   (target {TARGET}; {letters} letters read)")
    if not arguments.cpu:
        RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def read(pages: list[ppocr.Gray], batch: int, detector: ppocr.Detector, recognizer: ppocr.Recognizer) -> int:
    """Find and read all lines, batch by batch, and return the number of letters read."""
    letters = 0
    for start in range(0, len(pages), batch):
        part = pages[start : start + batch]
        found = detector.find_in_all(part)
        strips = [ppocr.cut_out(page, line) for page, lines in zip(part, found, strict=True) for line in lines]
        letters += sum(len(strip.text) for strip in recognizer.read(strips))
    return letters


def draw_page(seed: int) -> ppocr.Gray:
    """Return an image of a page of text."""
    words = random.Random(seed)
    page = Image.new("L", (WIDTH, HEIGHT), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(LETTERS)
    for line in range(LINES):
        draw.text((120, 120 + line * 46), " ".join(words.choices(_WORDS, k=14)), fill=0, font=font)
    return np.asarray(page, np.uint8)


if __name__ == "__main__":
    sys.exit(main())
