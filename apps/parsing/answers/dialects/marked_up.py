"""Markdown with additions: olmOCR, Nanonets-OCR and PaddleOCR-VL."""

from __future__ import annotations

import re
from html import escape

import msgspec

from apps.pages.model.blocks import BlockType
from apps.parsing.answers.dialects import otsl
from apps.parsing.answers.dialects.page_scale import PageScale
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.markup import markdown
from apps.parsing.answers.markup.html import text_of

# Between the rows of a table.
MAX_BLANKS = 40

_FRONT_MATTER = re.compile(r"\s{0,20}---[ \t]*\n(?:[a-z_]{1,40}:[^\n]{0,200}\n){0,20}---[ \t]*(?:\n|$)")
_OLMOCR_PICTURE = re.compile(r"!\[[^\]\n]{0,2000}\]\(page_(\d{1,5})_(\d{1,5})_(\d{1,5})_(\d{1,5})\.png\)")
_NANONETS_PICTURE = re.compile(r"<img>((?:[^<]|<(?!/?img)){0,4000})</img>", re.IGNORECASE)
_NANONETS_NOTE = re.compile(r"<(watermark|page_number)>([^<]{0,500})</\1>", re.IGNORECASE)


def read_olmocr(text: str, scale: PageScale) -> list[Draft]:
    """Read Markdown with facts about the page in front. A picture's address has its place in pixels of the picture."""
    found = _FRONT_MATTER.match(text)
    body = text[found.end() :] if found else text
    boxes = []
    for place in _OLMOCR_PICTURE.finditer(body):
        x0, top, width, height = map(float, place.groups())
        boxes.append(scale.box([x0, top, x0 + width, top + height], scale.picture_width, scale.picture_height))
    drafts = markdown.drafts_of(body)
    pictures = [number for number, draft in enumerate(drafts) if draft.type is BlockType.PICTURE]
    for number, box in zip(pictures, boxes, strict=False):
        drafts[number] = msgspec.structs.replace(drafts[number], box=box)
    return drafts


def read_nanonets(text: str, scale: PageScale) -> list[Draft]:
    """Read Markdown with pictures, page numbers and watermarks in tags of its own."""
    notes: list[Draft] = []
    for found in _NANONETS_NOTE.finditer(text):
        kind = BlockType.PAGE_FOOTER if found.group(1).lower() == "page_number" else BlockType.PARAGRAPH
        notes.append(Draft(kind, " ".join(found.group(2).split())))
    text = _NANONETS_NOTE.sub("\n\n", text)
    text = _NANONETS_PICTURE.sub(lambda found: f'\n\n<img alt="{escape(text_of(found.group(1)))}">\n\n', text)
    return [*markdown.drafts_of(text), *(note for note in notes if note.text)]


def read_paddleocr(text: str, scale: PageScale) -> list[Draft]:
    """Read plain text and LaTeX, with tables in OTSL."""
    drafts: list[Draft] = []
    start, begin = 0, -1
    for found in otsl.TOKEN.finditer(text):
        begin = found.start() if begin < 0 else begin
        goes_on = otsl.TOKEN.match(text[found.end() : found.end() + MAX_BLANKS].lstrip())
        if found.group(1) == "nl" and not goes_on:  # the table ends with the row after which no cell follows
            drafts += [*markdown.drafts_of(text[start:begin]), otsl.table_of(text[begin : found.end()])]
            start, begin = found.end(), -1
    if begin >= 0:
        return [*drafts, *markdown.drafts_of(text[start:begin]), otsl.table_of(text[begin:])]
    return drafts + markdown.drafts_of(text[start:])
