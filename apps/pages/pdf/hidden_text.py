"""Text that people cannot see, told apart from text that they can: it is for no prompt and no result.

The page is drawn with and without its text. A word that changes nothing is hidden, whatever the trick: the colour of
the ground, no opacity, a picture or a box on top, a clip, a layer that is off, a place beside the sheet. An invisible
word is kept where a picture shows something at its place, or where outlines look like print, because that is how OCR
layers and letters turned into shapes are made searchable. Runs only inside the isolated child.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from apps.pages.model.geometry import Box, union
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.model.safe_text import clean
from apps.pages.pdf import rasters
from apps.pages.pdf.page_objects import FIRST_CLIPPING_MODE, INVISIBLE, PageObjects, TextObject
from apps.pages.pdf.visibility import RenderedRegion

KEEP, REMOVE = "keep", "remove"
HIDDEN_TEXT, UNCHECKED = "hidden_text", "hidden_text_unchecked"
"""Warnings of a page."""
# Letters of less than this many points are tiny: footnotes are set from 5, the smallest print on a package from 3.
TINY_POINTS = 2.0
MAX_REPORTED_TEXTS, MAX_REPORTED_CHARACTERS = 50, 2_000
COARSE_DPI, MAX_COARSE_PIXELS = 72.0, 4_000_000
FINE_DPI, MAX_FINE_PIXELS = 200.0, 16_000_000
# Levels of 255 by which text must differ from what is behind it: clearly, at a coarse look, and just, at a fine one.
CLEAR_CONTRAST, MIN_CONTRAST = 32, 16
# Points; PDF's own limit is 14,400, and beyond it letters get lost between the numbers that place them.
MAX_SIDE_POINTS = 20_000.0
# Letters below this many pixels cannot be judged by their ink.
MIN_LETTER_PIXELS = 2.0
# The contrast of print in a picture, and the share of a page that makes a picture the scan of it.
MIN_PRINT_CONTRAST = 40
MIN_SCAN_SHARE = 0.6
_MIN_VISIBLE_ALPHA = 12

Place = Callable[[Box], Box]


class _Candidate(msgspec.Struct, gc=False):
    """A word of a run, or a run whose words are not known. ``box`` on the page as displayed."""

    run: int
    word: int | None
    text: str
    box: Box
    tiny: bool
    hidden: bool = False


def remove_hidden_text(raw: RawPage, document: Any, *, place: Place, keep_tiny: bool) -> tuple[str, ...] | None:
    """Remove the runs and words that cannot be seen, in place, and return what they said.

    ``place`` maps the boxes of the runs to the page as displayed; ``document`` is pypdfium2's. None when the page could
    not be looked at; then only tiny text is gone.
    """
    candidates = list(_candidates(raw.runs, place, keep_tiny))
    for candidate in candidates:
        candidate.hidden = candidate.tiny
    dropped = _find_hidden(document, raw.page_number, candidates)
    texts = [*_remove_hidden(raw, candidates), *(dropped or ())]
    return None if dropped is None else _reported(texts)


def _candidates(runs: Sequence[TextRun], place: Place, keep_tiny: bool) -> Iterator[_Candidate]:
    for number, run in enumerate(runs):
        tiny = run.size < TINY_POINTS and not keep_tiny
        words = run.words or ()
        if len(words) < 2:
            yield _Candidate(number, None, run.text, place(Box(run.x0, run.top, run.x1, run.bottom)), tiny)
            continue
        for index, word in enumerate(words):
            box = Box(word.x, word.y, word.x + word.width, word.y + word.height)
            yield _Candidate(number, index, word.text, place(box), tiny)


def _find_hidden(document: Any, number: int, candidates: Sequence[_Candidate]) -> list[str] | None:
    """Mark what is hidden; returns the hidden text that is in no candidate. None when the page cannot be drawn."""
    from apps.pages.model.errors import PageError

    if document is None:
        return None
    try:
        with rasters.loaded_page(document, number, fields=True) as page:
            objects = PageObjects(page)
            if not objects.complete or max(page.get_size()) > MAX_SIDE_POINTS:
                return None
            return _HiddenTextFinder(page, objects).judge(candidates)
    except PageError:
        return None


class _HiddenTextFinder:
    """Looks at one page, first coarsely, then finely where that leaves a doubt."""

    def __init__(self, page: Any, objects: PageObjects) -> None:
        self._page = page
        self._objects = objects
        self._whole = Box(0.0, 0.0, *page.get_size())
        self._scanned = objects.pictured_share(self._whole) >= MIN_SCAN_SHARE
        self._sight = RenderedRegion(page, objects, dpi=COARSE_DPI, part=self._whole, max_pixels=MAX_COARSE_PIXELS)

    def judge(self, candidates: Sequence[_Candidate]) -> list[str]:
        judged = [candidate for candidate in candidates if not candidate.hidden and _letters(candidate.text)]
        unseen = [
            candidate for candidate in judged if not self._sight.is_clear(_core_of(candidate.box), CLEAR_CONTRAST)
        ]
        fine = self._fine(unseen)
        for candidate in unseen:
            candidate.hidden = not self._is_visible(candidate, fine)
        suspects = [item for item in self._objects.texts if self._is_invisible(item)]
        # Patterns and soft masks report colours that nobody sees, so the suspects have to leave no trace.
        invisible = self._sight.without_trace(suspects) if suspects else []
        if not invisible:
            return []
        said = dict(zip(map(id, invisible), self._objects.contents(invisible), strict=True))
        self._hide_covered(judged, said)
        return self._text_without_candidate(candidates, invisible, said)

    def _fine(self, unseen: Sequence[_Candidate]) -> RenderedRegion | None:
        """A close look at the part of the page where something was not seen; not worth it for an OCR layer."""
        boxes = [
            box for candidate in unseen if (box := _wider(candidate.box, 2.0).intersection(self._whole)) is not None
        ]
        if not boxes or not any(item.mode != INVISIBLE for box in boxes for item in self._objects.texts_at(box)):
            return None
        return RenderedRegion(self._page, self._objects, dpi=FINE_DPI, part=union(boxes), max_pixels=MAX_FINE_PIXELS)

    def _is_visible(self, candidate: _Candidate, fine: RenderedRegion | None) -> bool:
        box = candidate.box.intersection(self._whole)
        if box is None:
            return False
        items = self._objects.texts_at(box)
        if not items:  # what a form field or a note says is drawn, but not by the page
            return self._sight.contrast(box) >= MIN_CONTRAST
        if all(item.mode == INVISIBLE for item in items):
            return self._is_in_picture(box) or self._sight.has_print(_core_of(box))
        if fine is not None and (fine.ink(box) >= MIN_CONTRAST or _height(box) * fine.dpi / 72 < MIN_LETTER_PIXELS):
            return True
        if any(item.mode >= FIRST_CLIPPING_MODE for item in items) and self._sight.contrast(box) >= MIN_CONTRAST:
            return True
        closest = fine or self._sight
        return self._is_in_scan(box) or closest.has_print(_core_of(box)) or self._has_no_shape(candidate, items)

    def _is_in_picture(self, box: Box) -> bool:
        """Whether a picture shows something like print where this text lies."""
        return self._sight.picture_ink(_wider(box, 0.25 * _height(box))) >= MIN_PRINT_CONTRAST

    def _is_in_scan(self, box: Box) -> bool:
        """Some programs write the OCR layer of a scan as plain text below it, or without opacity."""
        return self._scanned and self._is_in_picture(box)

    def _has_no_shape(self, candidate: _Candidate, items: Sequence[TextObject]) -> bool:
        letter = _letters(candidate.text)[0]
        return any(not self._is_invisible(item) and not self._objects.can_draw(item, letter) for item in items)

    def _is_invisible(self, item: TextObject) -> bool:
        """Whether this text says of itself that it is not seen, whatever else stands at its place."""
        box = _wider(item.box, 0.1).intersection(self._whole)  # without its font it has no height
        if box is None:
            return True
        if item.mode == INVISIBLE:
            return not (self._is_in_picture(box) or self._sight.has_print(_core_of(box)))
        if item.mode != 0 or item.colour is None:
            return False
        red, green, blue, alpha = item.colour
        if alpha < _MIN_VISIBLE_ALPHA:
            return not self._is_in_scan(box)
        ground = self._sight.flat_ground(box) if min(red, green, blue) > 0 else None
        return (
            ground is not None
            and max(abs(red - ground[0]), abs(green - ground[1]), abs(blue - ground[2])) < MIN_CONTRAST
        )

    def _hide_covered(self, candidates: Sequence[_Candidate], said: dict[int, str]) -> None:
        """Hide what was only taken for seen because visible text stands at the same place."""
        for candidate in candidates:
            if candidate.hidden:
                continue
            items = self._objects.texts_at(candidate.box)
            if not any(id(item) in said for item in items):
                continue
            letters = _letters(candidate.text)
            seen = [item for item in items if id(item) not in said]
            if not seen and self._is_in_scan(candidate.box):
                continue
            unseen = [item for item in items if id(item) in said]
            if letters not in _letters("".join(said[id(item)] for item in unseen)):
                continue
            contents = self._objects.contents(seen)
            # PDFium says nothing for what is drawn a second time at the same place: a shadow, or white below black.
            again = any(not content and _is_copy(item, unseen) for item, content in zip(seen, contents, strict=True))
            candidate.hidden = not again and letters not in _letters("".join(contents))

    def _text_without_candidate(
        self, candidates: Sequence[_Candidate], invisible: Sequence[TextObject], said: dict[int, str]
    ) -> list[str]:
        """Invisible text that the other library has left out by itself."""
        known = _letters("".join(candidate.text for candidate in candidates))
        lines = _as_lines(invisible, said)
        return [line for line in lines if (letters := _letters(line)) and letters not in known]


def _is_copy(item: TextObject, others: Sequence[TextObject]) -> bool:
    box = item.box
    return any(_wider(other.box, 2.0).contains(box) and _wider(box, 2.0).contains(other.box) for other in others)


def _as_lines(items: Sequence[TextObject], said: dict[int, str]) -> list[str]:
    lines: list[str] = []
    last: Box | None = None
    for item in items:
        text, box = said[id(item)], item.box
        height = max(box.height, last.height if last else 0.0)
        if last is not None and abs(box.bottom - last.bottom) < 0.5 * height and abs(box.x0 - last.x1) < 2 * height:
            lines[-1] += text if box.x0 - last.x1 < 0.2 * height else f" {text}"
        else:
            lines.append(text)
        last = box
    return lines


def _remove_hidden(raw: RawPage, candidates: Sequence[_Candidate]) -> list[str]:
    """Take the hidden candidates out of the page's runs; what they said, by run."""
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
        elif all(candidate.hidden or not _letters(candidate.text) for candidate in own):
            texts.append(run.text)
        else:
            texts.append(" ".join(candidate.text for candidate in hidden))
            runs += _stretches(run, own)
    raw.runs[:] = runs
    return texts


def _stretches(run: TextRun, candidates: Sequence[_Candidate]) -> Iterator[TextRun]:
    """The words of a run that are seen, in runs of neighbours."""
    stretch: list[Any] = []
    for candidate in [*candidates, None]:
        if candidate is not None and not candidate.hidden:
            stretch.append(run.words[candidate.word])
        elif stretch:
            yield msgspec.structs.replace(
                run,
                text=" ".join(word.text for word in stretch),
                x0=min(word.x for word in stretch),
                x1=max(word.x + word.width for word in stretch),
                words=stretch,
            )
            stretch = []


def _reported(texts: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    left = MAX_REPORTED_CHARACTERS
    for text in texts:
        text = " ".join(clean(text).split())[:left]
        if text and left > 0 and len(found) < MAX_REPORTED_TEXTS:
            found.append(text)
            left -= len(text)
    return tuple(found)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _height(box: Box) -> float:
    return min(box.width, box.height)


def _core_of(box: Box) -> Box:
    """The middle of a word, where its own letters are and those of its neighbours are not."""
    across, down = (0.0, 0.25 * box.height) if box.width >= box.height else (0.25 * box.width, 0.0)
    if box.width < 2 * box.height and box.height < 2 * box.width:
        across, down = 0.0, 0.15 * box.height
    return Box(box.x0 + across, box.top + down, box.x1 - across, box.bottom - down)


def _wider(box: Box, by: float) -> Box:
    return Box(box.x0 - by, box.top - by, box.x1 + by, box.bottom + by)
