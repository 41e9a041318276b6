"""Decide whether the text layer of a page is good enough or the page needs OCR."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun

NO_TEXT_LAYER = "no_text_layer"
GARBLED_TEXT = "garbled_text"
TEXT_IN_PICTURE = "text_in_picture"
WHOLE_PAGE_REASONS = (NO_TEXT_LAYER, GARBLED_TEXT)
"""Why OCR has to read a whole page."""
# A stamp or page number on a scan is no text layer: up to this many characters are ignored on a mostly pictured page.
MAX_STAMP_CHARACTERS = 40
MIN_SCAN_SHARE = 0.5
# Pictures over this share of a page with text may contain text; one over nearly the whole page is its background.
MIN_PICTURES_SHARE = 0.25
BACKGROUND_SHARE = 0.8
MIN_GARBLED_SHARE = 0.25
# Replacement characters, the private use area and controls. Symbol fonts put bullets there, so a few mean nothing.
_GARBLED = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0b-\x1f]")


def reason_for_ocr(page: RawPage, pictures: Sequence[Box]) -> str:
    """Return why the page or its pictures need OCR; "" when the text layer is enough or the page is blank."""
    characters = sum(len(run.text) for run in page.runs)
    if characters <= MAX_STAMP_CHARACTERS and picture_share(page, pictures) >= MIN_SCAN_SHARE:
        return NO_TEXT_LAYER
    if characters == 0:
        content = page.content_box
        has_ink = pictures or page.rulings or page.fills or (content and content.width > 1 and content.height > 1)
        return NO_TEXT_LAYER if has_ink else ""
    if garbled_share(page.runs) >= MIN_GARBLED_SHARE:
        return GARBLED_TEXT
    figures = [box for box in pictures if box.width * box.height < BACKGROUND_SHARE * page.width * page.height]
    return TEXT_IN_PICTURE if picture_share(page, figures) >= MIN_PICTURES_SHARE else ""


def picture_share(page: RawPage, pictures: Sequence[Box]) -> float:
    """Return the share of the page that pictures cover, 0.0-1.0; overlaps count twice."""
    area = page.width * page.height
    return min(1.0, sum(box.width * box.height for box in pictures) / area) if area > 0 else 0.0


def garbled_share(runs: Sequence[TextRun]) -> float:
    """Return the share of garbled characters: unmapped, private use, controls."""
    text = "".join([run.text for run in runs])
    return len(_GARBLED.findall(text)) / len(text) if text else 0.0
