"""Decide whether the text layer of a page is good enough or the page needs OCR."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from apps.pages.layout.quality.garbled_text import garbled_text
from apps.pages.model.geometry import Box
from apps.pages.model.ocr_reasons import (
    BACKGROUND_SHARE,
    GARBLED_PARTS,
    GARBLED_TEXT,
    NO_TEXT_LAYER,
    TEXT_IN_PICTURE,
    WHOLE_PAGE_REASONS,
)
from apps.pages.model.raw_page import NO_PRINT, PicturePrint, RawPage

# A stamp or page number on a scan is no text layer: up to this many characters are ignored on a mostly pictured page.
MAX_STAMP_CHARACTERS = 40
MIN_SCAN_SHARE = 0.5
# Pictures over this share of a page with text may contain text; smaller ones only if they show print.
MIN_PICTURES_SHARE, MIN_SEARCHED_SHARE = 0.25, 0.04
# Of a page of which this share is garbled, the second reader may read more; ...
MIN_GARBLED_SHARE = 0.25
# ... and from this share on, or with more parts, OCR reads the whole page and not the garbled parts alone.
MIN_MOSTLY_GARBLED_SHARE, MAX_PARTS, MIN_PART_CHARACTERS = 0.5, 2_000, 4
# This many are not bullets, even where they are a small share of the page.
MIN_GARBLED_CHARACTERS = 60
# Print in pictures, in squares (see ``PicturePrint``): less may be a logo or a signature.
MIN_UNREAD_SQUARES, MIN_UNREAD_ROWS = 40, 4
# Of the print of a scan, this share may be outside its text layer: handwriting, stamps, boxes that do not fit.
MAX_UNREAD_SHARE = 0.3
# One for each outcome: no print, print that is mostly read, half of it, none.
_EXTREMES = (
    NO_PRINT,
    PicturePrint(10 * MIN_UNREAD_SQUARES, MIN_UNREAD_SQUARES, MIN_UNREAD_ROWS),
    PicturePrint(MIN_UNREAD_SQUARES, MIN_UNREAD_SQUARES, MIN_UNREAD_ROWS),
    PicturePrint(0, MIN_UNREAD_SQUARES, MIN_UNREAD_ROWS),
)
# Share of the words that have a digit or a sign inside: OCR of poor quality has more than any text of words.
MIN_SPOILED_SHARE, MIN_WORDS = 0.15, 20
_WORD = re.compile(r"\S{3,}")
_SPOILED = re.compile(r"[^\W\d_][^\w\s'’.,/&@:()-]+[^\W\d_]|[a-z]\d+[a-z]|[a-z][A-Z]+[a-z]")


class Verdict(NamedTuple):
    """``needs_ocr``: why the page or its pictures need OCR; "" when the text layer is enough or the page is blank.
    ``is_unreliable``: part of the text is probably not what the page shows. ``has_wrong_letters``: for its fonts.
    ``garbled``: the places of such text, if it is not most of the page."""

    needs_ocr: str
    is_unreliable: bool
    has_wrong_letters: bool
    garbled: tuple[Box, ...] = ()


def verdict(page: RawPage, found: PicturePrint = NO_PRINT) -> Verdict:
    """Judge the text of a page as the file has it, before it is cleaned. ``found``: the print in its pictures."""
    text = garbled_text(page.runs)
    count, characters = max(text.characters, len(page.unmapped)), sum([len(run.text) for run in page.runs])
    placed = max(sum([len(run.text) for run in text.runs]), len(page.unmapped))
    is_wrong = count >= MIN_GARBLED_SHARE * characters > 0
    is_most = count >= MIN_MOSTLY_GARBLED_SHARE * characters or placed < count or placed > MAX_PARTS
    needs_ocr = reason_for_ocr(page, found, garbled=is_wrong and is_most)
    if needs_ocr in WHOLE_PAGE_REASONS or placed < MIN_PART_CHARACTERS:
        unreliable = needs_ocr == GARBLED_TEXT or count >= MIN_GARBLED_CHARACTERS
        return Verdict(needs_ocr, unreliable, is_wrong)
    parts = (*(Box(run.x0, run.top, run.x1, run.bottom) for run in text.runs), *page.unmapped)
    return Verdict(needs_ocr or GARBLED_PARTS, True, is_wrong, parts)


def reason_for_ocr(page: RawPage, found: PicturePrint = NO_PRINT, *, garbled: bool = False) -> str:
    """Return why the page or its pictures need OCR. ``garbled``: most of its text is not what the page shows."""
    characters = sum([len(run.text) for run in page.runs])
    invisible = sum([len(run.text) for run in page.runs if run.style.invisible])
    share = picture_share(page, page.pictures)
    if share >= MIN_SCAN_SHARE and characters - page.stamp_characters <= MAX_STAMP_CHARACTERS:
        return GARBLED_TEXT if invisible else NO_TEXT_LAYER
    if characters == 0:
        content = page.content_box
        has_ink = page.pictures or page.rulings or page.fills or (content and content.width > 1 and content.height > 1)
        return NO_TEXT_LAYER if has_ink else ""
    if garbled:
        return GARBLED_TEXT
    if found.unread >= MIN_UNREAD_SQUARES and found.rows >= MIN_UNREAD_ROWS:
        is_scan = share >= MIN_SCAN_SHARE and found.unread > MAX_UNREAD_SHARE * (found.read + found.unread)
        if is_scan and invisible:
            return GARBLED_TEXT
        if is_scan and share >= BACKGROUND_SHARE and found.unread > found.read:
            return NO_TEXT_LAYER
        if is_scan or share < MIN_SCAN_SHARE:
            return TEXT_IN_PICTURE
    if share >= MIN_SCAN_SHARE and 2 * invisible > characters:
        # The text layer of a poor OCR has words with signs, digits and capitals inside.
        words = _WORD.findall(" ".join([run.text for run in page.runs]))
        spoiled = sum(1 for word in words if _SPOILED.search(word))
        if len(words) >= MIN_WORDS and spoiled >= MIN_SPOILED_SHARE * len(words):
            return GARBLED_TEXT
    background = BACKGROUND_SHARE * _area_of(page)
    figures = [box for box in page.pictures if box.width * box.height < background]
    return TEXT_IN_PICTURE if picture_share(page, figures) >= MIN_PICTURES_SHARE else ""


def may_hide_print(page: RawPage) -> bool:
    """Return True if the pictures of a page with text are large, and the print in them decides whether it needs OCR."""
    if not (page.pictures and page.runs) or picture_share(page, page.pictures) < MIN_SEARCHED_SHARE:
        return False
    reasons = {reason_for_ocr(page, found) for found in _EXTREMES}
    # Garbled text that is invisible may be removed, which changes the reason.
    return len(reasons) > 1 or GARBLED_TEXT in reasons


def picture_share(page: RawPage, pictures: Sequence[Box]) -> float:
    """Return the share of the page, or of its part that is read, that pictures cover; overlaps count twice."""
    area = _area_of(page)
    return min(1.0, sum(box.width * box.height for box in pictures) / area) if area > 0 else 0.0


def _area_of(page: RawPage) -> float:
    return page.area.width * page.area.height if page.area else page.width * page.height
