"""Remove text that people cannot see, so that it reaches no prompt and no result.

The page is drawn with and without its text. A word that changes no pixel is hidden, for any reason: the colour of the
background, no opacity, a picture or a box on top, a clip, a layer that is off, a place outside the page. An invisible
word is kept if a picture shows something at its place, or if outlines there look like print, because OCR layers and
letters converted to shapes are made searchable in this way. Runs only inside the sandboxed child.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import msgspec
import numpy as np

from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box, union
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.model.text.safe_text import clean
from apps.pages.pdf.drawn_page import DrawnPage
from apps.pages.pdf.page_objects import FIRST_CLIPPING_MODE, INVISIBLE, PageObjects, TextObject
from apps.pages.pdf.visibility import RenderedRegion

KEEP, REMOVE = "keep", "remove"
HIDDEN_TEXT, UNCHECKED = "hidden_text", "hidden_text_unchecked"
"""Warnings of a page."""
# Letters smaller than this are tiny: footnotes have 5 points or more, the smallest print on a package has 3.
TINY_POINTS = 2.0
MAX_REPORTED_TEXTS, MAX_REPORTED_CHARACTERS = 50, 2_000
QUICK_DPI, COARSE_DPI, MAX_COARSE_PIXELS = 48.0, 72.0, 4_000_000
FINE_DPI, MAX_FINE_PIXELS = 200.0, 16_000_000
# Levels (0-255) by which text must differ from its background: in the coarse and in the fine rendering.
CLEAR_CONTRAST, MIN_CONTRAST = 32, 16
# PDF's own limit is 14,400 points; on larger pages coordinates are too imprecise to place letters.
MAX_SIDE_POINTS = 20_000.0
# Smaller letters cannot be judged by their ink.
MIN_LETTER_PIXELS = 2.0
# The contrast of print in a picture; a picture that covers this share of a page is a scan of it.
MIN_PRINT_CONTRAST = 40
MIN_SCAN_SHARE = 0.6
_MIN_VISIBLE_ALPHA = 12

Place = Callable[[Box], Box]
Drawn = AbstractContextManager[DrawnPage | None]


class _Candidate(msgspec.Struct, gc=False):
    """A word of a run, or a run whose words are unknown. ``box``: on the page as displayed."""

    run: int
    word: int | None
    text: str
    box: Box
    hidden: bool = False


def remove_hidden_text(raw: RawPage, drawn: Drawn, *, place: Place, keep_tiny: bool) -> tuple[str, ...] | None:
    """Remove the runs and words that cannot be seen, in place, and return their texts.

    ``place`` maps the boxes of the runs to the page as displayed; ``drawn`` is that page. Return None if it cannot be
    drawn; then only tiny text is removed.
    """
    candidates: list[_Candidate] = []
    for number, run in enumerate(raw.runs):
        tiny = run.size < TINY_POINTS and not keep_tiny
        words = run.words or ()
        if len(words) < 2:
            box = place(Box(run.x0, run.top, run.x1, run.bottom))
            candidates.append(_Candidate(number, None, run.text, box, hidden=tiny))
            continue
        for index, word in enumerate(words):
            box = place(Box(word.x, word.y, word.x + word.width, word.y + word.height))
            candidates.append(_Candidate(number, index, word.text, box, hidden=tiny))
    dropped = None  # the other hidden texts of the page
    with suppress(PageError), drawn as page:
        if page is not None and max(page.size) <= MAX_SIDE_POINTS:
            objects = PageObjects(page)
            dropped = _HiddenTextFinder(page, objects).judge(candidates) if objects.complete else None
    texts = [*_remove_candidates(raw, candidates), *(dropped or ())]
    if dropped is None:
        return None
    reported: list[str] = []
    left = MAX_REPORTED_CHARACTERS
    for text in texts:
        text = " ".join(clean(text).split())[:left]
        if text and left > 0 and len(reported) < MAX_REPORTED_TEXTS:
            reported.append(text)
            left -= len(text)
    return tuple(reported)


class _HiddenTextFinder:
    """Find the hidden text of one page in a coarse rendering, and in a fine one where the coarse one is not clear.

    On most pages a quick rendering shows that nothing is hidden.
    """

    def __init__(self, page: DrawnPage, objects: PageObjects) -> None:
        self._page = page
        self._objects = objects
        self._whole = Box(0.0, 0.0, *page.size)
        self._scanned = objects.pictured_share(self._whole) >= MIN_SCAN_SHARE
        self._coarse = self._rendered(QUICK_DPI)

    def _rendered(self, dpi: float) -> RenderedRegion:
        return RenderedRegion(self._page, self._objects, dpi=dpi, part=self._whole, max_pixels=MAX_COARSE_PIXELS)

    def judge(self, candidates: Sequence[_Candidate]) -> list[str]:
        """Mark the hidden candidates; return the invisible texts of the page that are in no candidate."""
        judged = [
            candidate
            for candidate in candidates
            if not candidate.hidden and (candidate.text.isalnum() or _letters(candidate.text))
        ]
        cores = _cores_of([candidate.box for candidate in judged])
        is_all_clear = all(self._coarse.are_clear(cores, CLEAR_CONTRAST, within=True))
        if is_all_clear and not any(self._is_invisible(item) for item in self._objects.texts):
            return []
        self._coarse = self._rendered(COARSE_DPI)
        clear = self._coarse.are_clear(cores, CLEAR_CONTRAST)
        unseen = [candidate for candidate, is_clear in zip(judged, clear, strict=True) if not is_clear]
        boxes = [
            box for candidate in unseen if (box := _wider(candidate.box, 2.0).intersection(self._whole)) is not None
        ]
        fine = None
        # An OCR layer is invisible by its rendering mode, so a fine rendering is not worth its time.
        if any(item.mode != INVISIBLE for box in boxes for item in self._objects.texts_at(box)):
            part = union(boxes)
            fine = RenderedRegion(self._page, self._objects, dpi=FINE_DPI, part=part, max_pixels=MAX_FINE_PIXELS)
        for candidate in unseen:
            candidate.hidden = not self._is_visible(candidate, fine)
        suspects = [item for item in self._objects.texts if self._is_invisible(item)]
        # Patterns and soft masks report colours that are not drawn, so the suspects must also leave no trace.
        invisible = self._coarse.without_trace(suspects) if suspects else []
        if not invisible:
            return []
        contents = dict(zip(map(id, invisible), self._objects.contents(invisible), strict=True))
        self._hide_covered(judged, contents)
        return self._text_without_candidate(candidates, invisible, contents)

    def _is_visible(self, candidate: _Candidate, fine: RenderedRegion | None) -> bool:
        box = candidate.box.intersection(self._whole)
        if box is None:
            return False
        items = self._objects.texts_at(box)
        if not items:  # the text of a form field or an annotation is drawn, but is no object of the page
            return self._coarse.contrast(box) >= MIN_CONTRAST
        if all(item.mode == INVISIBLE for item in items):
            return self._is_in_picture(box) or self._coarse.has_print(_core_of(box))
        if fine is not None and (fine.ink(box) >= MIN_CONTRAST or _height(box) * fine.dpi / 72 < MIN_LETTER_PIXELS):
            return True
        if any(item.mode >= FIRST_CLIPPING_MODE for item in items) and self._coarse.contrast(box) >= MIN_CONTRAST:
            return True
        closest = fine or self._coarse
        if self._is_in_scan(box) or closest.has_print(_core_of(box)):
            return True
        # PDFium draws nothing for a letter that its font lacks; other programs may draw it.
        letter = _letters(candidate.text)[0]
        return any(not self._is_invisible(item) and not self._objects.can_draw(item, letter) for item in items)

    def _is_in_picture(self, box: Box) -> bool:
        """Return whether a picture shows something like print at this place."""
        return self._coarse.picture_ink(_wider(box, 0.25 * _height(box))) >= MIN_PRINT_CONTRAST

    def _is_in_scan(self, box: Box) -> bool:
        """Return whether a scan shows print here: some OCR layers are plain text below the scan, or transparent."""
        return self._scanned and self._is_in_picture(box)

    def _is_invisible(self, item: TextObject) -> bool:
        """Return whether the text's own mode or colour makes it invisible, whatever else is at its place."""
        box = _wider(item.box, 0.1).intersection(self._whole)  # text whose font is missing has no height
        if box is None:
            return True
        if item.mode == INVISIBLE:
            return not (self._is_in_picture(box) or self._coarse.has_print(_core_of(box)))
        if item.mode != 0 or item.colour is None:
            return False
        red, green, blue, alpha = item.colour
        if alpha < _MIN_VISIBLE_ALPHA:
            return not self._is_in_scan(box)
        ground = self._coarse.flat_ground(box) if min(red, green, blue) > 0 else None
        return (
            ground is not None
            and max(abs(red - ground[0]), abs(green - ground[1]), abs(blue - ground[2])) < MIN_CONTRAST
        )

    def _hide_covered(self, candidates: Sequence[_Candidate], contents: dict[int, str]) -> None:
        """Hide the candidates that look visible only because visible text is at the same place.

        ``contents``: the texts of the invisible objects, by the object's id.
        """
        for candidate in candidates:
            if candidate.hidden:
                continue
            items = self._objects.texts_at(candidate.box)
            seen = [item for item in items if id(item) not in contents]
            unseen = [item for item in items if id(item) in contents]
            if not unseen or (not seen and self._is_in_scan(candidate.box)):
                continue
            letters = _letters(candidate.text)
            if letters not in _letters("".join(contents[id(item)] for item in unseen)):
                continue
            seen_texts = self._objects.contents(seen)
            # PDFium returns no text for a second drawing at the same place: a shadow, or white below black.
            is_drawn_again = any(
                _wider(other.box, 2.0).contains(item.box) and _wider(item.box, 2.0).contains(other.box)
                for item, text in zip(seen, seen_texts, strict=True)
                if not text
                for other in unseen
            )
            candidate.hidden = not is_drawn_again and letters not in _letters("".join(seen_texts))

    def _text_without_candidate(
        self, candidates: Sequence[_Candidate], invisible: Sequence[TextObject], contents: dict[int, str]
    ) -> list[str]:
        """Return the lines of invisible text that is in no run of the page."""
        lines: list[str] = []
        last: Box | None = None
        for item in invisible:
            text, box = contents[id(item)], item.box
            height = max(box.height, last.height if last else 0.0)
            if last is not None and abs(box.bottom - last.bottom) < 0.5 * height and abs(box.x0 - last.x1) < 2 * height:
                lines[-1] += text if box.x0 - last.x1 < 0.2 * height else f" {text}"
            else:
                lines.append(text)
            last = box
        known = _letters("".join(candidate.text for candidate in candidates))
        return [line for line in lines if (letters := _letters(line)) and letters not in known]


def _remove_candidates(raw: RawPage, candidates: Sequence[_Candidate]) -> list[str]:
    """Remove the hidden candidates from the page's runs and return their texts, one for each run."""
    of_run: dict[int, list[_Candidate]] = {}
    for candidate in candidates:
        of_run.setdefault(candidate.run, []).append(candidate)
    runs: list[TextRun] = []
    texts: list[str] = []
    for number, run in enumerate(raw.runs):
        own = of_run[number]
        hidden = [candidate for candidate in own if candidate.hidden]
        if not hidden:
            runs.append(run)
            continue
        if all(candidate.hidden or not _letters(candidate.text) for candidate in own):
            texts.append(run.text)
            continue
        texts.append(" ".join(candidate.text for candidate in hidden))
        # Visible neighbours form a run of their own.
        for is_hidden, group in itertools.groupby(own, key=lambda candidate: candidate.hidden):
            if not is_hidden:
                words = [run.words[candidate.word] for candidate in group]
                runs.append(
                    msgspec.structs.replace(
                        run,
                        text=" ".join(word.text for word in words),
                        x0=min(word.x for word in words),
                        x1=max(word.x + word.width for word in words),
                        words=words,
                    )
                )
    raw.runs[:] = runs
    return texts


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _height(box: Box) -> float:
    return min(box.width, box.height)


def _core_of(box: Box) -> Box:
    """Return the middle of a word, which contains its own letters and none of its neighbours'."""
    across, down = (0.0, 0.25 * box.height) if box.width >= box.height else (0.25 * box.width, 0.0)
    if box.width < 2 * box.height and box.height < 2 * box.width:
        across, down = 0.0, 0.15 * box.height
    return Box(box.x0 + across, box.top + down, box.x1 - across, box.bottom - down)


def _cores_of(boxes: Sequence[Box]) -> Any:
    """Return the middles of words as ``_core_of`` does: a row of x0, top, x1 and bottom for each."""
    edges = np.array([(box.x0, box.top, box.x1, box.bottom) for box in boxes]).reshape(-1, 4)
    width, height = edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]
    is_square = (width < 2 * height) & (height < 2 * width)
    across = np.where((width < height) & ~is_square, 0.25 * width, 0.0)
    down = np.where(is_square, 0.15 * height, np.where(width >= height, 0.25 * height, 0.0))
    return edges + np.stack((across, down, -across, -down), axis=1)


def _wider(box: Box, by: float) -> Box:
    return Box(box.x0 - by, box.top - by, box.x1 + by, box.bottom + by)
