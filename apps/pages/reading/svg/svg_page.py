"""The page of an SVG picture: its text with places, and pictures and outlined letters for OCR."""

from __future__ import annotations

import os

import msgspec

from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.geometry import Margins
from apps.pages.model.ocr_reasons import NO_TEXT_LAYER, TEXT_IN_PICTURE
from apps.pages.reading.svg import svg_file, svg_text
from apps.pages.reading.svg.svg_file import MEDIA_TYPE, SvgFile

HIDDEN_TEXT, CUT = "hidden_text", "text_truncated"
MAX_HIDDEN_CHARACTERS = 10_000


def opened(path: str) -> SvgFile:
    """Return the picture. Raise DamagedDocument, TooManyElements, ImageTooLarge."""
    facts = os.stat(path)  # noqa: PTH116 (the path may be a descriptor)
    return svg_file.opened(path, (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns))


def facts_of(path: str) -> DocumentFacts:
    """Raise as ``opened`` does."""
    return DocumentFacts(MEDIA_TYPE, 1, opened(path).title)


def read_page(path: str, margins: Margins | None = None) -> Page:
    """Return the page. Without text of its own it needs OCR; with embedded pictures, their text does.

    Raise as ``opened`` does.
    """
    picture = opened(path)
    width, height = round(picture.width, 2), round(picture.height, 2)
    area = (margins or Margins()).area(width, height)
    text = svg_text.read(picture)
    texts = [lines for lines in text.texts if any(area.intersection(line.box) is not None for line in lines)]
    has_pictures = next(picture.root.iter("{*}image"), None) is not None
    blocks = svg_text.blocks_of(texts)
    if not texts or has_pictures:
        blocks.append(Block(type=BlockType.PICTURE, box=area, description="" if texts else picture.title))
    warnings = (*picture.left_out, *((CUT,) if text.is_cut else ()))
    page = Page(1, width, height, tuple(blocks), warnings=warnings)
    hidden = "\n".join(text.hidden)[:MAX_HIDDEN_CHARACTERS]
    if hidden:
        page = msgspec.structs.replace(page, hidden=tuple(hidden.split("\n")), warnings=(*page.warnings, HIDDEN_TEXT))
    reason = TEXT_IN_PICTURE if has_pictures else ""
    return msgspec.structs.replace(page, needs_ocr=reason if texts else NO_TEXT_LAYER)
