"""Tesseract, through tesserocr if it is installed (in this process, half the cost of a page) or else pytesseract (a
program for each page). It reads every script that has a language pack installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from apps.pages.model.text import languages as languages_
from apps.pages.model.text.languages import LATIN, Language
from ocr_worker import script_detection
from ocr_worker.engines.base import FoundLine, FoundWord, Gray, Needs, OcrEngine, needs
from ocr_worker.errors import LanguagePackMissing
from ocr_worker.language_packs import pack_folder, pack_of, package_of
from ocr_worker.lines.lost_lines import lost_lines, with_line
from ocr_worker.lines.unspaced_words import without_marks_alone
from ocr_worker.networks.ppocr import Quad, cut_out

_WORD_LEVEL = "5"
# Texts of every script contain names and terms in Latin letters.
BESIDE_OTHER_SCRIPTS = ("en",)
_MAX_LOADED = 4
_PSM, _PSM_ORIENTATION = 3, 0
# A single line; a line as it is, without a search for its letters, which fails where many touch.
_PSM_LINE, _PSM_RAW_LINE = 7, 13
# White around a line that is read alone.
_LINE_MARGIN_PIXELS = 20
_ORIENTATION_PACK = "osd"
_PROGRAM_SECONDS = 110
_HAS_LIBRARY = find_spec("tesserocr") is not None
# Tesseract's names of scripts -> ours.
_SCRIPTS = {
    "Latin": LATIN,
    "Fraktur": LATIN,
    "Cyrillic": languages_.CYRILLIC,
    "Greek": languages_.GREEK,
    "Arabic": languages_.ARABIC,
    "Hebrew": languages_.HEBREW,
    "Han": languages_.HAN,
    "Japanese": languages_.KANA,
    "Katakana": languages_.KANA,
    "Hiragana": languages_.KANA,
    "Korean": languages_.HANGUL,
    "Hangul": languages_.HANGUL,
    "Devanagari": languages_.DEVANAGARI,
    "Bengali": languages_.BENGALI,
    "Tamil": languages_.TAMIL,
    "Telugu": languages_.TELUGU,
    "Kannada": languages_.KANNADA,
    "Thai": languages_.THAI,
    "Georgian": languages_.GEORGIAN,
    "Armenian": languages_.ARMENIAN,
}


class Binding(Protocol):
    """A way to call Tesseract with a grey page and the names of packs. ``table`` returns its table of words (TSV).

    ``mode``: how it divides the page, by Tesseract's number.
    """

    version: str

    def table(self, page: Gray, packs: str, mode: int = _PSM) -> str: ...

    def script(self, page: Gray) -> str: ...


class TesserocrBinding:
    """The library in this process; the packs used last stay loaded."""

    def __init__(self) -> None:
        import tesserocr

        self._tesserocr = tesserocr
        self._loaded: dict[str, Any] = {}
        self.version = tesserocr.tesseract_version().split()[1]  # "tesseract 5.5.4 leptonica..."

    def table(self, page: Gray, packs: str, mode: int = _PSM) -> str:
        api = self._api(packs)
        api.SetPageSegMode(mode)
        height, width = page.shape
        api.SetImageBytes(np.ascontiguousarray(page).tobytes(), width, height, 1, width)
        try:
            return str(api.GetTSVText(0))
        finally:
            api.Clear()

    def script(self, page: Gray) -> str:
        api = self._api(_ORIENTATION_PACK)
        height, width = page.shape
        api.SetImageBytes(np.ascontiguousarray(page).tobytes(), width, height, 1, width)
        found = api.DetectOrientationScript()
        api.Clear()
        return str(found["script_name"]) if found else ""

    def _api(self, packs: str) -> Any:
        if packs not in self._loaded:
            while len(self._loaded) >= _MAX_LOADED:
                self._loaded.pop(next(iter(self._loaded))).End()
            mode = _PSM_ORIENTATION if packs == _ORIENTATION_PACK else _PSM
            self._loaded[packs] = self._tesserocr.PyTessBaseAPI(path=f"{pack_folder()}/", lang=packs, psm=mode)
        return self._loaded[packs]


class PytesseractBinding:
    """The program, started for each page."""

    def __init__(self) -> None:
        import pytesseract
        from PIL import Image

        Image.init()  # import the file formats that pytesseract needs while their modules may still be read
        self._pytesseract = pytesseract
        self.version = str(pytesseract.get_tesseract_version())

    def table(self, page: Gray, packs: str, mode: int = _PSM) -> str:
        config = f"--psm {mode} --tessdata-dir {pack_folder()}"
        return str(self._pytesseract.image_to_data(page, lang=packs, config=config, timeout=_PROGRAM_SECONDS))

    def script(self, page: Gray) -> str:
        try:
            found = self._pytesseract.image_to_osd(
                page,
                config=f"--tessdata-dir {pack_folder()}",
                timeout=_PROGRAM_SECONDS,
                output_type=self._pytesseract.Output.DICT,
            )
        except self._pytesseract.TesseractError:  # "too few characters"
            return ""
        return str(found["script"])


class TesseractEngine(OcrEngine):
    """Tesseract with the packs of the requested languages, and English beside every other script."""

    reads_old_print = True

    def __init__(self, binding: Binding, name: str) -> None:
        self._binding = binding
        self.name = name
        self.version = binding.version

    def knows(self, languages: Sequence[Language]) -> bool:
        return all(_packs_of(language) for language in languages)

    def missing_pack(self, languages: Sequence[Language]) -> LanguagePackMissing:
        language = next(language for language in languages if not _packs_of(language))
        missing = language.packs[0]
        return LanguagePackMissing(
            f"Tesseract has no language pack for {language.name} ({missing}). Install it where the OCR workers run "
            f"(Debian, Ubuntu: apt-get install {package_of(missing)}), or name another language."
        )

    def script_of(self, page: Gray) -> str:
        name = self._binding.script(page)
        return _SCRIPTS.get(name, name)

    def read_strips(self, strips: Sequence[Gray], languages: Sequence[Language]) -> str:
        """Stack the lines on a white page, read it and return its text."""
        page = script_detection.stacked(strips, lines=1)
        lines = _read_table(self._binding.table(page, packs_for(languages)))
        return "\n".join(line.text for line in lines)

    def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
        packs = packs_for(languages)
        found = _read_table(self._binding.table(page, packs))
        # Tesseract takes some lines for pictures, and their ends for other columns.
        for quad in lost_lines(lines, found):
            found = with_line(found, quad, self._read_alone(page, quad, packs))
        return without_marks_alone(found)

    def _read_alone(self, page: Gray, quad: Quad, packs: str) -> FoundLine | None:
        """Return one detected line of a straightened page, read by itself."""
        strip = np.pad(cut_out(page, quad), _LINE_MARGIN_PIXELS, constant_values=255)
        tables = (self._binding.table(strip, packs, mode) for mode in (_PSM_LINE, _PSM_RAW_LINE))
        read = next(filter(None, map(_read_table, tables)), [])
        left, top = float(quad[:, 0].min()) - _LINE_MARGIN_PIXELS, float(quad[:, 1].min()) - _LINE_MARGIN_PIXELS
        words = tuple(
            word._replace(x0=word.x0 + left, top=word.top + top, x1=word.x1 + left, bottom=word.bottom + top)
            for line in read
            for word in line.words
        )
        return FoundLine(words, read[0].confidence) if words else None


def packs_for(languages: Sequence[Language]) -> str:
    """Return Tesseract's name for these languages, which it must know: its packs, joined by "+"."""
    packs: list[str] = []
    for language in languages:
        packs += _packs_of(language)
    if languages and all(language.script != LATIN for language in languages):
        packs += [pack for code in BESIDE_OTHER_SCRIPTS for pack in _packs_of(languages_.find(code))]
    return "+".join(dict.fromkeys(packs))


def _packs_of(language: Language) -> list[str]:
    """Return the installed packs for a language; none if it cannot be read."""
    if languages_.is_guess(language):  # one pack is enough
        return next(([pack] for name in language.packs if (pack := pack_of(name))), [])
    own = pack_of(language.packs[0]) or pack_of(language.script)
    return [own, *(pack for name in language.packs[1:] if (pack := pack_of(name)))] if own else []


def _read_table(table: str) -> list[FoundLine]:
    """Return the lines of Tesseract's table; the confidence of a line is the mean over its letters."""
    lines: dict[tuple[str, ...], list[FoundWord]] = {}
    for row in table.splitlines():
        cells = row.split("\t")
        if len(cells) < 12 or cells[0] != _WORD_LEVEL or not cells[11].strip():
            continue
        left, top, width, height = (float(cell) for cell in cells[6:10])
        confidence = min(1.0, max(0.0, float(cells[10]) / 100))
        word = FoundWord(cells[11].strip(), left, top, left + width, top + height, confidence)
        lines.setdefault(tuple(cells[1:5]), []).append(word)
    return [
        FoundLine(
            tuple(words),
            sum(word.confidence * len(word.text) for word in words) / sum(len(word.text) for word in words),
        )
        for words in lines.values()
    ]


@needs(Needs.NOTHING if _HAS_LIBRARY else Needs.PROGRAMS)
def make() -> TesseractEngine:
    """Load Tesseract through the fastest binding that is installed.

    A library that cannot be loaded raises: the process was confined for it, and may start no programs.
    """
    return make_tesserocr() if _HAS_LIBRARY else make_pytesseract()


def make_tesserocr() -> TesseractEngine:
    return TesseractEngine(TesserocrBinding(), "tesseract")


@needs(Needs.PROGRAMS)
def make_pytesseract() -> TesseractEngine:
    return TesseractEngine(PytesseractBinding(), "pytesseract")
