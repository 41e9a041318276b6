"""Signatures on scanned forms: how many are found, and how many finds are none.

python -m bench.signatures [COUNT [SCANS]]

Draws COUNT (100) forms with a signature and as many without, whose lines are empty or have a typed name, a stamp, a
logo, a date or a table near them, reads them clean and degraded as the OCR workers do, and counts the signatures found.
Then it reads the scans of ../shared/corpus, which have none, or the first pages of SCANS of them, evenly spread.
"""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.model.page_images.ocr_image import OcrImage, encode_ocr_image
from apps.pages.model.recognition import RecognizedSignature, decode_recognition
from apps.pages.reading.page_reading import inspect_document, render_for_ocr
from bench.figures import CORPUS, Figure, report
from ocr_worker.engine import EngineProcess, OcrRequest
from ocr_worker.settings import settings

DPI, CORPUS_DPI = 150.0, 200.0
# A page has three forms.
SIZE, FORMS, PAGE_SIZE = (1240, 580), 3, (1240, 1754)
INK = 40
ENGINES = 3
# The thresholds were chosen on forms with smaller numbers.
FIRST_NUMBER = 1000
LABELS = ("Signature", "Signed by", "Unterschrift", "Firma", "Signature du client", "Sign here:", "Assinatura")
NAMES = ("Maria Keller", "J. B. Andersen", "Ahmed Rahimi", "Luc Fontaine")
SENTENCES = (
    "The tenant confirms that the rooms were handed over in good order on the day below.",
    "Both parties have read the terms of this agreement and accept them in full.",
    "The goods were delivered complete and without damage to the address named above.",
    "Please return one copy of this form to the office within fourteen days.",
    "Changes of this contract are valid only if they are made in writing.",
)
NEGATIVES = ("empty", "typed", "stamp", "logo", "table", "date")


def form(number: int, *, signed: bool) -> tuple[Image.Image, Box | None]:
    """Return a form, and where it is signed, in points."""
    chance = random.Random(number * 2 + signed)
    image = Image.new("L", SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.text((90, 20), f"Agreement {4000 + number}", fill=0, font_size=34)
    for row in range(3):
        draw.text((90, 76 + 36 * row), chance.choice(SENTENCES)[: chance.randint(45, 90)], fill=0, font_size=22)
    x, y = chance.randint(80, 620), chance.randint(370, 430)
    wide = chance.randint(320, 460)
    below = chance.random() < 0.6
    label = chance.choice(LABELS)
    if below:
        draw.line((x, y, x + wide, y), fill=0, width=chance.randint(1, 3))
        draw.text((x + 4, y + 8), label, fill=0, font_size=19)
    else:
        draw.text((x, y - 22), label, fill=0, font_size=22)
        x += round(draw.textlength(label, font_size=22)) + 12
        draw.line((x, y, x + wide, y), fill=0, width=chance.randint(1, 3))
    draw.text((90, 510), "Place, date: Bergen, 3 March 2026", fill=0, font_size=20)
    if signed:
        return image, _sign(draw, chance, x + chance.randint(5, 60), y, wide)
    _other_mark(draw, chance, NEGATIVES[number % len(NEGATIVES)], x, y, wide)
    return image, None


def _sign(draw: ImageDraw.ImageDraw, chance: random.Random, x: float, y: float, wide: float) -> Box:
    """Draw a signature over a line: a large first letter, smaller ones, often a flourish; one or two strokes."""
    length, height = wide * chance.uniform(0.4, 0.85), chance.uniform(30, 60)
    slope, pen, letters = chance.uniform(-0.14, 0.06), chance.randint(2, 4), chance.randint(5, 10)
    strokes: list[list[tuple[float, float]]] = [[]]
    gap = chance.randint(2, 4) if chance.random() < 0.4 else 0
    for letter in range(letters):
        if letter and letter == gap:
            strokes.append([])
        left, step = x + length * letter / letters, length / letters
        base = y - chance.uniform(2, 8) + slope * (left - x)
        rise = height * (chance.uniform(0.9, 1.5) if letter in (0, gap) else chance.uniform(0.12, 0.75))
        shape = chance.choice(("loop", "hump", "zigzag", "tail"))
        if shape == "loop":
            path = [(0.1, 0), (0.7, 0.6), (0.5, 1), (0.15, 0.7), (0.45, 0.05), (0.9, 0)]
        elif shape == "hump":
            path = [(0.05, 0), (0.3, 0.9), (0.6, 1), (0.75, 0.1), (0.95, 0.05)]
        elif shape == "zigzag":
            path = [(0, 0.1), (0.2, 0.8), (0.35, 0.1), (0.55, 0.9), (0.7, 0), (1, 0.2)]
        else:
            path = [(0.1, 0.1), (0.5, 0.8), (0.4, -0.7), (0.2, -0.5), (0.7, 0.1), (1, 0.1)]
        for across, up in path:
            jitter = chance.uniform(-0.08, 0.08)
            strokes[-1].append((left + (across + jitter) * step, base - (up + jitter) * rise))
    if chance.random() < 0.4:
        shares = np.linspace(0.0, 1.1, 6).tolist()
        strokes.append([(x + length * share, y + chance.uniform(-6, 12)) for share in shares])
    curves = [_smooth(stroke) for stroke in strokes if len(stroke) > 2]
    for curve in curves:
        draw.line(curve, fill=INK, width=pen, joint="curve")
    xs, ys = [x for curve in curves for x, _ in curve], [y for curve in curves for _, y in curve]
    return Box(*(edge * 72 / DPI for edge in (min(xs), min(ys), max(xs), max(ys))))


def _smooth(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a curve through the points: a Catmull-Rom spline."""
    ends = np.array([points[0], *points, points[-1]])
    steps = np.linspace(0, 1, 12, endpoint=False)[:, None]
    curve = []
    for before, first, second, after in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        linear, square = second - before, 2 * before - 5 * first + 4 * second - after
        cubic = 3 * first - before - 3 * second + after
        curve += (first + 0.5 * (linear * steps + square * steps**2 + cubic * steps**3)).tolist()
    return [(x, y) for x, y in curve]


def _other_mark(draw: ImageDraw.ImageDraw, chance: random.Random, kind: str, x: int, y: int, wide: int) -> None:
    if kind == "typed":
        draw.text((x + 30, y - 32), chance.choice(NAMES), fill=0, font_size=chance.choice((22, 26, 30)))
    elif kind == "stamp":
        at = (x + 40, y - 110, x + 190, y - 5)
        (draw.ellipse if chance.random() < 0.5 else draw.rectangle)(at, outline=60, width=4)
        draw.text((x + 66, y - 80), "RECEIVED", fill=60, font_size=20)
        draw.text((x + 66, y - 52), "04 MAR 2026", fill=60, font_size=17)
    elif kind == "logo":
        draw.ellipse((x + 30, y - 90, x + 100, y - 20), fill=70)
        draw.polygon([(x + 110, y - 20), (x + 150, y - 90), (x + 190, y - 20)], fill=110)
        draw.rectangle((x + 200, y - 90, x + 260, y - 20), outline=70, width=10)
    elif kind == "table":
        for row in range(4):
            draw.line((x, y - 120 + 40 * row, x + wide, y - 120 + 40 * row), fill=0, width=2)
            if row:
                draw.text(
                    (x + 10, y - 112 + 40 * (row - 1)), f"Item {row}   {chance.randint(10, 99)}", fill=0, font_size=20
                )
        for column in (0, wide // 2, wide):
            draw.line((x + column, y - 120, x + column, y), fill=0, width=2)
    elif kind == "date":
        draw.text((x + 20, y - 30), f"{chance.randint(1, 28)}.{chance.randint(1, 12)}.2026", fill=0, font_size=26)


def degraded(image: Image.Image, number: int) -> Image.Image:
    """Return a form as a poor scanner gives it: crooked, blurred, grey, with specks."""
    chance = random.Random(number)
    image = image.rotate(chance.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, fillcolor=255)
    image = image.filter(ImageFilter.GaussianBlur(chance.uniform(0.6, 1.1)))
    pixels = np.asarray(image, np.float64)
    noise = np.random.default_rng(number)
    pixels = 225 - (255 - pixels) * chance.uniform(0.6, 0.85) + noise.normal(0, 10, pixels.shape)
    pixels[noise.random(pixels.shape) < 0.0008] = 30
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=45)
    return Image.open(out).convert("L")


def main(arguments: Sequence[str]) -> None:
    count, scans = (*map(int, arguments), *(100, 0)[len(arguments) :])
    engines: SimpleQueue[EngineProcess] = SimpleQueue()
    for _ in range(ENGINES):
        engines.put(EngineProcess(settings()))

    def signatures_if_read(image: OcrImage) -> tuple[RecognizedSignature, ...] | None:
        try:
            return signatures(image)
        except PageError as error:  # a script without a language pack here
            print(f"A scan was not read: {error}", file=sys.stderr)
            return None

    def signatures(image: OcrImage) -> tuple[RecognizedSignature, ...]:
        engine = engines.get()
        try:
            return decode_recognition(engine.recognize(encode_ocr_image(image), OcrRequest((), False))).signatures
        finally:
            engines.put(engine)

    figures: list[Figure] = []
    forms = [(number, signed) for number in range(FIRST_NUMBER, FIRST_NUMBER + count) for signed in (True, False)]
    with ThreadPoolExecutor(ENGINES) as threads:
        for name, change in (("clean", _as_it_is), ("degraded", degraded)):
            sheets = [forms[first : first + FORMS] for first in range(0, len(forms), FORMS)]
            found = threads.map(signatures, (_page_image(change(_sheet(sheet), sheet[0][0])) for sheet in sheets))
            figures += _figures(name, count, zip(sheets, found, strict=True))
        pages = [bool(found) for found in threads.map(signatures_if_read, corpus_pages(scans)) if found is not None]
    if pages:
        figures.append(Figure(f"pages with finds, of {len(pages)} pages of scans that were read", sum(pages), "pages"))
    for _ in range(ENGINES):
        engines.get().close()
    report("signatures", figures)


def _sheet(forms: Sequence[tuple[int, bool]]) -> Image.Image:
    sheet = Image.new("L", PAGE_SIZE, "white")
    for row, (number, signed) in enumerate(forms):
        sheet.paste(form(number, signed=signed)[0], (0, row * SIZE[1]))
    return sheet


def _figures(
    name: str, count: int, read: Iterable[tuple[Sequence[tuple[int, bool]], Sequence[RecognizedSignature]]]
) -> list[Figure]:
    hits = extra = false = 0
    high = SIZE[1] * 72 / DPI
    for forms, found in read:
        for row, (number, signed) in enumerate(forms):
            place = form(number, signed=signed)[1]
            here = [one.box for one in found if row * high <= one.box.middle < (row + 1) * high]
            right = [box for box in here if place and box.overlaps(_lower(place, row * high))]
            hits += bool(right)
            extra += len(here) - len(right) if place else 0
            false += bool(here) and not place
    return [
        Figure(f"{name}: signatures found, of {count}", hits, "forms"),
        Figure(f"{name}: other finds on these forms", extra, "finds"),
        Figure(f"{name}: finds on forms without a signature, of {count}", false, "forms"),
    ]


def _lower(box: Box, by: float) -> Box:
    return Box(box.x0, box.top + by, box.x1, box.bottom + by)


def _as_it_is(image: Image.Image, _number: int) -> Image.Image:
    return image


def _page_image(image: Image.Image) -> OcrImage:
    return OcrImage(image.width, image.height, DPI, image.tobytes())


def corpus_pages(scans: int) -> Iterator[OcrImage]:
    """Yield the pages of the scans, or the first pages of this many of them."""
    documents = [one for one in sorted(CORPUS.glob("scans/*")) if one.suffix in (".pdf", ".tif", ".jpg", ".png")]
    chosen = documents if not scans else documents[:: max(1, len(documents) // scans)][:scans]
    for document in chosen:
        facts = inspect_document(str(document), max_pages=100)
        for number in range(1, 2 if scans else facts.page_count + 1):
            yield render_for_ocr(str(document), number, media_type=facts.media_type, dpi=CORPUS_DPI)


if __name__ == "__main__":
    main(sys.argv[1:])
