"""A page image in, what it says out: straighten it, choose an engine, read it, and try another way where the first
answer is poor. docs/benchmarking.md has the measurements behind each choice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from apps.pages.model import languages as languages_
from apps.pages.model.geometry import Box
from apps.pages.model.languages import LATIN, Language
from apps.pages.model.recognition import OcrAttempt, Recognition, RecognizedLine, RecognizedWord
from ocr_worker import punctuation, script_detection
from ocr_worker.engines.base import FoundLine, Gray, OcrEngine
from ocr_worker.engines.rapid import RapidEngine
from ocr_worker.engines.tesseract import TesseractEngine
from ocr_worker.errors import LanguagePackMissing
from ocr_worker.images import preparation
from ocr_worker.images.rulings import find_rules
from ocr_worker.images.straightening import Straight, lies_on_its_side, straightened
from ocr_worker.networks.ppocr import DETECTION_SIDE, Detector, Quad, cut_out, height_of, length_of

# So many lines of a page, about so many times as long as high, say which way up it is and in which script.
_SAMPLE = 8
_SAMPLE_SHAPE = 8.0
_HIGH_RESOLUTION_SIDE = 1920
# Where the lines run across and cannot be read, the page may be upside down.
QUARTER_TURNS_TO_TRY = (2,)
# Below this confidence another way is tried; ...
_POOR = 0.7
# ... and so is where the lines hold fewer letters than this for each line height of their length.
_MIN_FILLING = 0.3
# Where Latin letters are read with less confidence than this, or as many an f as no language has, it is looked whether
# they are those of an old print: this share of long s says so.
_CLEAN_PRINT = 0.975
_MAX_F_SHARE = 0.035
_LONG_S_SHARE = 0.008


class Request(NamedTuple):
    """How a page is to be read. ``dpi`` of the image; without ``languages`` they are found out."""

    dpi: float
    languages: tuple[Language, ...] = ()
    high_resolution: bool = False


class Reading(NamedTuple):
    """What one attempt gave."""

    lines: list[FoundLine]
    engine: OcrEngine
    attempt: OcrAttempt

    @property
    def worth(self) -> float:
        """Attempts are compared by the letters that they are sure of."""
        return self.attempt.confidence**2 * self.attempt.characters


class Upright(NamedTuple):
    """A straightened page and what a sample of its lines says to the network."""

    page: Straight
    sample: script_detection.Sample


class PageReader:
    """Reads pages with the engines it was given, the preferred one first. Belongs to the process that made it."""

    def __init__(self, detector: Detector, engines: Sequence[OcrEngine]) -> None:
        self._detector = detector
        self._engines = engines
        self._rapid = next((engine for engine in engines if isinstance(engine, RapidEngine)), None)
        self._tesseract = next((engine for engine in engines if isinstance(engine, TesseractEngine)), None)

    def recognize(self, image: Gray, request: Request) -> Recognition:
        """Read one page. Raises OcrFailed when no engine could, LanguagePackMissing when a language is not there."""
        started = time.monotonic()
        upright = self._upright(image, request)
        readings = self._readings(upright, request) if upright.page.lines else []
        return _in_points(upright.page, request, readings, seconds=time.monotonic() - started)

    def _upright(self, image: Gray, request: Request) -> Upright:
        side = _HIGH_RESOLUTION_SIDE if request.high_resolution else DETECTION_SIDE

        def look(quarter_turns: int) -> tuple[int, Gray, list[Quad], script_detection.Sample]:
            turned = np.ascontiguousarray(np.rot90(image, -quarter_turns))
            lines = self._detector.find(turned, side=side)
            return quarter_turns, turned, lines, self._sample(turned, lines)

        found = look(0)
        if lies_on_its_side(found[2]):
            found = max((look(1), look(3)), key=lambda turned: turned[3].confidence)
        elif not found[3].is_sure:
            found = next((turned for turned in map(look, QUARTER_TURNS_TO_TRY) if turned[3].is_sure), found)
        turns, turned, lines, sample = found
        return Upright(straightened(turned, lines, turns * 90), sample)

    def _sample(self, image: Gray, lines: Sequence[Quad]) -> script_detection.Sample:
        """What the network makes of some lines, neither short ones nor long ones, which cost more."""
        if self._rapid is None:
            return script_detection.NOTHING
        likely = sorted(lines, key=lambda line: abs(length_of(line) / height_of(line) - _SAMPLE_SHAPE))
        strips = [cut_out(image, line) for line in likely[:_SAMPLE]]
        return script_detection.sample_of(strips, self._rapid.read(strips, only_latin=False))

    def _readings(self, upright: Upright, request: Request) -> list[Reading]:
        """The first attempt, and others while the answer is poor and another way is left."""
        page, sample = upright
        languages = request.languages or self._guessed(page, sample)
        able = [engine for engine in self._engines if engine.knows(languages)]
        if not able:
            raise _nobody_knows(languages, self._tesseract)
        readings = [_read(able[0], page, languages, preparation.AS_IT_IS, "first choice")]
        old_print = self._old_print(page, languages, readings[0])
        if old_print and self._tesseract:
            readings.append(_read(self._tesseract, page, old_print, preparation.AS_IT_IS, "long s: an old print"))
            return readings[1:] + readings[:1] if not is_poor(readings[1], page) else readings
        for engine in [*able[1:], able[0]]:
            if not is_poor(readings[-1], page):
                break
            readings.append(_read(engine, page, languages, preparation.EVEN_LIGHT, "the answer before was poor"))
        return sorted(readings, key=lambda reading: reading.worth, reverse=True)

    def _guessed(self, page: Straight, sample: script_detection.Sample) -> tuple[Language, ...]:
        """Some language of the script that the page is written in."""
        if sample.is_sure:
            return (languages_.any_language_of(sample.script),)
        script = self._tesseract.script_of(page.image) if self._tesseract else ""
        return (languages_.any_language_of(script or sample.script or LATIN),)

    def _old_print(self, page: Straight, languages: Sequence[Language], first: Reading) -> tuple[Language, ...]:
        """The languages to read a page with that was printed with long s, as Fraktur and all print before 1800 was;
        none where it was not."""
        if (
            self._tesseract is None
            or first.engine is self._tesseract
            or not may_be_old_print(first)
            or any(language.script != LATIN for language in languages)
        ):
            return ()
        old = languages_.fraktur_languages(languages)
        if not self._tesseract.knows(old):
            return ()
        longest = sorted(page.lines, key=length_of, reverse=True)[:_SAMPLE]
        text = self._tesseract.read_strips([cut_out(page.image, line) for line in longest], old)
        letters = sum(character.isalpha() for character in text)
        return old if text.count("ſ") > _LONG_S_SHARE * max(letters, 1) else ()


def may_be_old_print(first: Reading) -> bool:
    """Whether the network is unsure of Latin letters, or takes long s for f."""
    text = "".join(word.text for line in first.lines for word in line.words)
    return first.attempt.confidence < _CLEAN_PRINT or text.count("f") + text.count("ſ") > _MAX_F_SHARE * max(
        len(text), 1
    )


def _nobody_knows(languages: Sequence[Language], tesseract: TesseractEngine | None) -> LanguagePackMissing:
    if tesseract is not None:
        return tesseract.missing(languages)
    names = ", ".join(language.name for language in languages)
    return LanguagePackMissing(
        f"Only Tesseract reads {names}, and it is not installed where the OCR workers run "
        "(Debian, Ubuntu: apt-get install tesseract-ocr and the language's package)."
    )


def is_poor(reading: Reading, page: Straight) -> bool:
    """Little confidence, or far less text than the lines found have room for."""
    room = sum(length_of(line) / height_of(line) for line in page.lines)
    return reading.attempt.confidence < _POOR or reading.attempt.characters < _MIN_FILLING * room


def _read(
    engine: OcrEngine, page: Straight, languages: Sequence[Language], prepare: preparation.Preparation, reason: str
) -> Reading:
    found = engine.recognize(prepare(page.image), page.lines, languages)
    lines = [punctuation.joined(line, languages) for line in found]
    characters = sum(len(word.text) for line in lines for word in line.words)
    sure = sum(word.confidence * len(word.text) for line in lines for word in line.words)
    attempt = OcrAttempt(
        engine=engine.name,
        preparation=prepare.name,
        languages="+".join(language.code for language in languages),
        reason=reason,
        confidence=round(sure / characters, 4) if characters else 0.0,
        characters=characters,
    )
    return Reading(lines, engine, attempt)


def _in_points(page: Straight, request: Request, readings: Sequence[Reading], *, seconds: float) -> Recognition:
    """Pixels become points; the first reading is the answer."""
    scale = 72.0 / request.dpi
    height, width = page.image.shape
    best = readings[0] if readings else None
    return Recognition(
        lines=tuple(_line_in_points(line, scale, page.lines) for line in best.lines) if best else (),
        rulings=tuple(
            Box(*(round(edge * scale, 2) for edge in rule)) for rule in (find_rules(page.image) if best else ())
        ),
        width=round(width * scale, 2),
        height=round(height * scale, 2),
        orientation=page.orientation,
        skew=page.skew,
        engine=best.engine.name if best else "",
        version=best.engine.version if best else "",
        languages=tuple(best.attempt.languages.split("+")) if best else (),
        confidence=best.attempt.confidence if best else 0.0,
        seconds=round(seconds, 3),
        attempts=tuple(reading.attempt for reading in readings),
    )


def _line_in_points(line: FoundLine, scale: float, found: Sequence[Quad]) -> RecognizedLine:
    x0, top = min(word.x0 for word in line.words), min(word.top for word in line.words)
    x1, bottom = max(word.x1 for word in line.words), max(word.bottom for word in line.words)
    top, bottom = _height_of_line((x0 + x1) / 2, (top + bottom) / 2, found) or (top, bottom)
    words = tuple(
        RecognizedWord(
            word.text,
            round(word.x0 * scale, 2),
            round(word.top * scale, 2),
            round(word.x1 * scale, 2),
            round(word.bottom * scale, 2),
            round(min(1.0, max(0.0, word.confidence)), 3),
        )
        for word in line.words
    )
    box = Box(round(x0 * scale, 2), round(top * scale, 2), round(x1 * scale, 2), round(bottom * scale, 2))
    return RecognizedLine(words, box, round(min(1.0, max(0.0, line.confidence)), 3))


def _height_of_line(x: float, y: float, found: Sequence[Quad]) -> tuple[float, float] | None:
    """Top and bottom of the detected line around a point: they do not depend on which letters the line has."""
    for quad in found:
        top, bottom = float(quad[:2, 1].mean()), float(quad[2:, 1].mean())
        if top <= y <= bottom and quad[:, 0].min() <= x <= quad[:, 0].max():
            return top, bottom
    return None
