"""Read a page image: straighten it, choose an engine, and try another way if the result is poor.

docs/benchmarking.md has the measurements behind each choice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from apps.pages.model.blocks import Barcode
from apps.pages.model.geometry import Box
from apps.pages.model.recognition import OcrAttempt, Recognition
from apps.pages.model.text import languages as languages_
from apps.pages.model.text.languages import HAN, HANGUL, KANA, LATIN, Language
from ocr_worker import script_detection
from ocr_worker.engines.base import FoundLine, Gray, OcrEngine
from ocr_worker.errors import LanguagePackMissing
from ocr_worker.images import preparation
from ocr_worker.images.barcodes import find_barcodes
from ocr_worker.images.checkboxes import find_checkboxes, with_marks, without_outlines
from ocr_worker.images.rulings import find_rulings
from ocr_worker.images.signatures import find_signatures
from ocr_worker.images.straightening import Straight, lies_on_its_side, straightened
from ocr_worker.lines import punctuation, unspaced_words
from ocr_worker.lines.lost_lines import lost_share
from ocr_worker.lines.strange_lines import lines_inside, strange_lines, without_lines
from ocr_worker.networks.ppocr import DETECTION_SIDE, Detector, Quad, cut_out, height_of, length_of
from ocr_worker.points import line_in_points, signature_in_points

# The sample that shows a page's orientation and script: this many lines, whose length is about this many heights.
# Short lines show little and long lines cost more.
_SAMPLE_LINES = 8
_SAMPLE_SHAPE = 8.0
_HIGH_RESOLUTION_SIDE = 1920
# If the lines run across but cannot be read, the page may be upside down.
QUARTER_TURNS_TO_TRY = (2,)
# A reading is poor below this confidence, ...
_MIN_CONFIDENCE = 0.7
# ... or if it has fewer characters than this share of the line heights that fit into the length of the lines.
_MIN_FILLING = 0.3
# A sample below either value is in a script that the network does not know, whatever it read.
_MIN_KNOWN_CONFIDENCE, _MIN_KNOWN_DENSITY = 0.7, 0.35
# A page counts as read if this share of its lines has this many letters per line height and this confidence.
_MIN_READ_SHARE, _MIN_READ_DENSITY, _MIN_READ_CONFIDENCE = 0.6, 0.35, 0.7
# A page of which this share of the lines was not read at all has a warning.
_MIN_LOST_SHARE = 0.35
# More lines than this share are no exception on their page.
_MAX_STRANGE_SHARE = 0.6
# Latin text may be an old print if its confidence is below this, or if f is more frequent than in any language.
_CLEAN_PRINT = 0.975
_MAX_F_SHARE = 0.035
# It is an old print if long s is more frequent than this.
_LONG_S_SHARE = 0.008


SCRIPT_NOT_READ = "script_not_read"
"""Warning: text in a script that was not recognised, or that no engine here reads."""


class Request(NamedTuple):
    """How to read a page. ``dpi`` of the image; without ``languages`` the script is detected.

    ``only_barcodes``: no text is read.
    """

    dpi: float
    languages: tuple[Language, ...] = ()
    high_resolution: bool = False
    only_barcodes: bool = False


class Reading(NamedTuple):
    """The result of one attempt."""

    lines: list[FoundLine]
    engine: OcrEngine
    attempt: OcrAttempt

    @property
    def worth(self) -> float:
        """The value by which attempts are compared: the number of characters, weighted by confidence."""
        return self.attempt.confidence**2 * self.attempt.characters


class PageReader:
    """Reads pages with the given engines, the preferred one first. It belongs to the process that made it."""

    def __init__(self, detector: Detector, engines: Sequence[OcrEngine]) -> None:
        self._detector = detector
        self._engines = engines
        self._old_print_engine = next((engine for engine in engines if engine.reads_old_print), None)

    def recognize(self, image: Gray, request: Request) -> Recognition:
        """Read one page. Raise LanguagePackMissing if no engine knows the languages."""
        started = time.monotonic()
        barcodes, image = find_barcodes(image, request.dpi)
        if request.only_barcodes:
            return _without_text(image, request.dpi, barcodes, round(time.monotonic() - started, 3))
        page, sample = self._upright(image, request)
        boxes = [] if _has_square_letters(request, sample) else find_checkboxes(page.image, page.lines)
        rulings = find_rulings(page.image) if page.lines else []
        page = page._replace(image=without_outlines(page.image, boxes))
        readings: list[Reading] = []
        warnings: tuple[str, ...] = ()
        if page.lines and request.languages:
            readings = self._readings(page, request.languages)
        elif page.lines:
            readings, warnings = self._readings_of_any_script(page, sample)
        seconds = round(time.monotonic() - started, 3)
        best = readings[0] if readings else None
        if best and not request.languages and not warnings:
            best, warnings = self._with_strange_lines(page, best)
        if best and not warnings and lost_share(page.lines, best.lines) >= _MIN_LOST_SHARE:
            warnings = (SCRIPT_NOT_READ,)
        scale = 72.0 / request.dpi
        height, width = page.image.shape
        lines = with_marks(best.lines, boxes) if best else []
        signatures = find_signatures(page.image, best.lines, rulings) if best else []
        return Recognition(
            lines=tuple(line_in_points(line, scale, page.lines) for line in lines),
            rulings=tuple(Box(*(round(edge * scale, 2) for edge in ruling)) for ruling in rulings if best),
            width=round(width * scale, 2),
            height=round(height * scale, 2),
            orientation=page.orientation,
            skew=page.skew,
            engine=best.engine.name if best else "",
            version=best.engine.version if best else "",
            languages=tuple(best.attempt.languages.split("+")) if best else (),
            confidence=best.attempt.confidence if best else 0.0,
            seconds=seconds,
            attempts=tuple(reading.attempt for reading in readings),
            warnings=warnings,
            barcodes=barcodes or (),
            lacks_barcodes=barcodes is None,
            signatures=tuple(signature_in_points(one, scale) for one in signatures),
        )

    def _upright(self, image: Gray, request: Request) -> tuple[Straight, script_detection.Sample]:
        """Return the straightened page, and the sample of its lines."""
        side = _HIGH_RESOLUTION_SIDE if request.high_resolution else DETECTION_SIDE

        def look(quarter_turns: int) -> tuple[int, Gray, list[Quad], script_detection.Sample]:
            turned = np.ascontiguousarray(np.rot90(image, -quarter_turns))
            lines = self._detector.find(turned, side=side)
            typical = sorted(lines, key=lambda line: abs(length_of(line) / height_of(line) - _SAMPLE_SHAPE))
            strips = [cut_out(turned, line) for line in typical[:_SAMPLE_LINES]]
            read = next(filter(None, (engine.read_any_script(strips) for engine in self._engines)), [])
            return quarter_turns, turned, lines, script_detection.sample_of(strips, read)

        found = look(0)
        if lies_on_its_side(found[2]):
            found = max((look(1), look(3)), key=lambda turned: turned[3].confidence)
        elif not found[3].is_readable:
            found = next((turned for turned in map(look, QUARTER_TURNS_TO_TRY) if turned[3].is_readable), found)
        quarter_turns, turned, lines, sample = found
        return straightened(turned, lines, quarter_turns * 90), sample

    def _readings_of_any_script(
        self, page: Straight, sample: script_detection.Sample
    ) -> tuple[list[Reading], tuple[str, ...]]:
        """Return the attempts to read a page whose script is unknown, and warnings.

        Raise LanguagePackMissing if the script is recognised and no engine knows it.
        """
        script = sample.script if sample.is_readable else self._script_of(page)
        if not script:
            is_known = sample.confidence >= _MIN_KNOWN_CONFIDENCE and sample.density >= _MIN_KNOWN_DENSITY
            if sample.taken and not (sample.script and is_known):
                return [], (SCRIPT_NOT_READ,)
            readings = self._readings(page, (languages_.any_language_of(sample.script or LATIN),))
            return readings, (SCRIPT_NOT_READ,) if is_poor(readings[0], page) else ()
        readings = self._readings(page, (_any_language_of(script),))
        if read_share(readings[0], page) >= _MIN_READ_SHARE:
            return readings, ()
        other = self._script_of(page) if sample.is_readable else script
        if other in ("", script):
            return readings, (SCRIPT_NOT_READ,) if is_poor(readings[0], page) else ()
        try:
            readings += self._readings(page, (_any_language_of(other),))
        except LanguagePackMissing:
            return readings, (SCRIPT_NOT_READ,)
        return sorted(readings, key=lambda reading: reading.worth, reverse=True), ()

    def _with_strange_lines(self, page: Straight, reading: Reading) -> tuple[Reading, tuple[str, ...]]:
        """Return the reading with its lines in another script read in that script, and warnings.

        Lines in a script that no engine reads are left out, with a warning.
        """
        strange = strange_lines(page.lines, reading.lines)
        if not strange or len(strange) > _MAX_STRANGE_SHARE * len(page.lines):
            return reading, ()
        script = self._script_of(page, strange)
        # The language of a page in an unknown language may be a script.
        of_page = next((name for name in languages_.SCRIPTS if name.lower() == reading.attempt.languages), "")
        if script in ("", of_page):
            return reading, ()
        rest = without_lines(reading.lines, strange)
        try:
            language = _any_language_of(script)
            engine = next((engine for engine in self._engines if engine.knows((language,))), None)
        except LanguagePackMissing:
            engine = None
        if engine is None or engine is reading.engine:
            return reading._replace(lines=rest), (SCRIPT_NOT_READ,)
        found = _read(engine, page, (language,), preparation.AS_IT_IS, "lines in another script").lines
        return reading._replace(lines=[*rest, *lines_inside(found, strange)]), ()

    def _script_of(self, page: Straight, lines: Sequence[Quad] = ()) -> str:
        """Return the script of a page, or of some lines of it; a page of few lines is shown again as many."""
        for image in (None,) if lines else (page.image, None):
            for engine in self._engines:
                if image is None:
                    sample = (lines or page.lines)[:_SAMPLE_LINES]
                    image = script_detection.stacked([cut_out(page.image, line) for line in sample])
                if script := engine.script_of(image):
                    return script
        return ""

    def _readings(self, page: Straight, languages: Sequence[Language]) -> list[Reading]:
        """Return the attempts to read the page, the best first. Another way is tried while the result is poor."""
        able = [engine for engine in self._engines if engine.knows(languages)]
        if not able:
            missing = next(filter(None, (engine.missing_pack(languages) for engine in self._engines)), None)
            names = ", ".join(language.name for language in languages)
            raise missing or LanguagePackMissing(
                f"Only Tesseract reads {names}, and it is not installed where the OCR workers run "
                "(Debian, Ubuntu: apt-get install tesseract-ocr and the language's package)."
            )
        readings = [_read(able[0], page, languages, preparation.AS_IT_IS, "first choice")]
        old_print = self._old_print_languages(page, languages, readings[0])
        if old_print and self._old_print_engine:
            reason = "long s: an old print"
            readings.append(_read(self._old_print_engine, page, old_print, preparation.AS_IT_IS, reason))
            return readings[1:] + readings[:1] if not is_poor(readings[1], page) else readings
        for engine in [*able[1:], able[0]]:
            if not is_poor(readings[-1], page):
                break
            readings.append(_read(engine, page, languages, preparation.EVEN_LIGHT, "the previous result was poor"))
        return sorted(readings, key=lambda reading: reading.worth, reverse=True)

    def _old_print_languages(
        self, page: Straight, languages: Sequence[Language], first: Reading
    ) -> tuple[Language, ...]:
        """Return the languages for reading a print with long s (Fraktur, and all print before 1800), or () for others.

        ``first``: the first attempt to read the page.
        """
        if (
            self._old_print_engine is None
            or first.engine is self._old_print_engine
            or not may_be_old_print(first)
            or any(language.script != LATIN for language in languages)
        ):
            return ()
        old = languages_.fraktur_languages(languages)
        if not self._old_print_engine.knows(old):
            return ()
        longest = sorted(page.lines, key=length_of, reverse=True)[:_SAMPLE_LINES]
        text = self._old_print_engine.read_strips([cut_out(page.image, line) for line in longest], old)
        letters = sum(character.isalpha() for character in text)
        return old if text.count("ſ") > _LONG_S_SHARE * max(letters, 1) else ()


def _has_square_letters(request: Request, sample: script_detection.Sample) -> bool:
    """Return whether letters of the page may look like check boxes, as 口 and ロ do."""
    scripts = {language.script for language in request.languages} or {sample.script}
    return bool(scripts & {HAN, KANA, HANGUL})


def _without_text(image: Gray, dpi: float, barcodes: tuple[Barcode, ...] | None, seconds: float) -> Recognition:
    """Return the recognition of an image of which only bar codes were read."""
    height, width = (round(pixels * 72.0 / dpi, 2) for pixels in image.shape)
    empty = Recognition((), (), width, height, 0, 0.0, "", "", (), 0.0, seconds, ())
    return msgspec.structs.replace(empty, barcodes=barcodes or (), lacks_barcodes=barcodes is None)


def _any_language_of(script: str) -> Language:
    """Return a placeholder for the languages of a script. Raise LanguagePackMissing for one without languages here."""
    if script not in languages_.SCRIPTS:
        raise LanguagePackMissing(f"The page is written in {script} letters, which no OCR engine here reads.")
    return languages_.any_language_of(script)


def read_share(reading: Reading, page: Straight) -> float:
    """Return the share of the detected lines, by length, that was read: enough letters, and sure of them."""
    detected = sum(length_of(line) / height_of(line) for line in page.lines)
    read = 0.0
    for line in reading.lines:
        height = max(1.0, max(word.bottom for word in line.words) - min(word.top for word in line.words))
        heights = (max(word.x1 for word in line.words) - min(word.x0 for word in line.words)) / height
        letters = sum(character.isalnum() for character in line.text)
        if letters >= _MIN_READ_DENSITY * heights and line.confidence >= _MIN_READ_CONFIDENCE:
            read += heights
    return min(1.0, read / detected) if detected else 1.0


def may_be_old_print(first: Reading) -> bool:
    """Return True if the confidence in Latin text is low, or if it has too many f, which may be misread long s."""
    text = "".join(word.text for line in first.lines for word in line.words)
    return first.attempt.confidence < _CLEAN_PRINT or text.count("f") + text.count("ſ") > _MAX_F_SHARE * max(
        len(text), 1
    )


def is_poor(reading: Reading, page: Straight) -> bool:
    """Return True for low confidence, or for far less text than fits into the detected lines."""
    heights = sum(length_of(line) / height_of(line) for line in page.lines)
    return reading.attempt.confidence < _MIN_CONFIDENCE or reading.attempt.characters < _MIN_FILLING * heights


def _read(
    engine: OcrEngine, page: Straight, languages: Sequence[Language], prepare: preparation.Preparation, reason: str
) -> Reading:
    found = engine.recognize(prepare(page.image), page.lines, languages)
    lines = [punctuation.joined(unspaced_words.with_words_joined(line), languages) for line in found]
    characters = sum(len(word.text) for line in lines for word in line.words)
    weighted = sum(word.confidence * len(word.text) for line in lines for word in line.words)
    attempt = OcrAttempt(
        engine=engine.name,
        preparation=prepare.name,
        languages="+".join(language.code for language in languages),
        reason=reason,
        confidence=round(weighted / characters, 4) if characters else 0.0,
        characters=characters,
    )
    return Reading(lines, engine, attempt)
