"""Decide whether the text layer of a page is good enough or the page needs OCR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from apps.pages.layout.quality.garbled_text import garbled_characters
from apps.pages.model.geometry import Box
from apps.pages.model.ocr_reasons import BACKGROUND_SHARE, GARBLED_TEXT, NO_TEXT_LAYER, TEXT_IN_PICTURE
from apps.pages.model.raw_page import RawPage

# A stamp or page number on a scan is no text layer: up to this many characters are ignored on a mostly pictured page.
MAX_STAMP_CHARACTERS = 40
MIN_SCAN_SHARE = 0.5
# Pictures over this share of a page with text may contain text.
MIN_PICTURES_SHARE = 0.25
MIN_GARBLED_SHARE = 0.25
# This many are not bullets, even where they are a small share of the page.
MIN_GARBLED_CHARACTERS = 60


class Verdict(NamedTuple):
    """``needs_ocr``: why the page or its pictures need OCR; "" when the text layer is enough or the page is blank.
    ``is_unreliable``: part of the text is probably not what the page shows."""

    needs_ocr: str
    is_unreliable: bool


def verdict(page: RawPage) -> Verdict:
    """Judge the text of a page as the file has it, before it is cleaned."""
    garbled = max(garbled_characters(page.runs), page.unmapped)
    needs_ocr = reason_for_ocr(page, page.pictures, garbled)
    return Verdict(needs_ocr, needs_ocr == GARBLED_TEXT or garbled >= MIN_GARBLED_CHARACTERS)


def reason_for_ocr(page: RawPage, pictures: Sequence[Box], garbled: int) -> str:
    """Return why the page or its pictures need OCR. ``garbled``: how many characters are not what the page shows."""
    characters = sum(len(run.text) for run in page.runs)
    if characters - page.stamp_characters <= MAX_STAMP_CHARACTERS and picture_share(page, pictures) >= MIN_SCAN_SHARE:
        return NO_TEXT_LAYER
    if characters == 0:
        content = page.content_box
        has_ink = pictures or page.rulings or page.fills or (content and content.width > 1 and content.height > 1)
        return NO_TEXT_LAYER if has_ink else ""
    if garbled >= MIN_GARBLED_SHARE * characters:
        return GARBLED_TEXT
    figures = [box for box in pictures if box.width * box.height < BACKGROUND_SHARE * page.width * page.height]
    return TEXT_IN_PICTURE if picture_share(page, figures) >= MIN_PICTURES_SHARE else ""


def picture_share(page: RawPage, pictures: Sequence[Box]) -> float:
    """Return the share of the page that pictures cover, 0.0-1.0; overlaps count twice."""
    area = page.width * page.height
    return min(1.0, sum(box.width * box.height for box in pictures) / area) if area > 0 else 0.0
