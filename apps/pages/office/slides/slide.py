"""Read a slide: its shapes in the order that the file gives to screen readers, titles first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office.archive import Archive
from apps.pages.office.drawing import charts, diagrams, tables, texts
from apps.pages.office.drawing.pictures import alternative_text, image_of
from apps.pages.office.slides import numbering
from apps.pages.office.slides.geometry import Scale, box_of, scale_of
from apps.pages.office.slides.placeholders import TITLES, Inheritance, placeholder
from apps.pages.office.xml_parts import Element, attribute, local_name, part, relationships

PICTURES_NOT_READ = "pictures_not_read"
EMBEDDED_FILES = "embedded_files_not_read"
OUTSIDE_CONTENT = "outside_content_left_out"
HIDDEN_TEXT = "hidden_text"
MAX_DEPTH = 100
MAX_SUBTITLE_CHARACTERS, MIN_SENTENCE_WORDS = 200, 6
_SENTENCE_END = re.compile(r"[.!?。！？]['\")\]”’»]*$")
_RUNNING = {
    "dt": BlockType.PAGE_FOOTER,
    "ftr": BlockType.PAGE_FOOTER,
    "sldNum": BlockType.PAGE_FOOTER,
    "hdr": BlockType.PAGE_HEADER,
}


def is_subtitle(text: str) -> bool:
    """Return whether the only paragraph of a subtitle is a heading. A long one, or a whole sentence, is a paragraph."""
    is_sentence = len(text.split()) >= MIN_SENTENCE_WORDS and _SENTENCE_END.search(text.rstrip())
    return len(text) <= MAX_SUBTITLE_CHARACTERS and not is_sentence


@dataclass
class SlideContent:
    """``hidden``: the text of hidden shapes. ``warnings`` are public codes."""

    blocks: list[Block] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def warn(self, code: str) -> None:
        if code not in self.warnings:
            self.warnings.append(code)


class SlideReader:
    """``size``: width and height of the slide in points."""

    def __init__(self, archive: Archive, name: str, size: tuple[float, float], options: OfficeOptions) -> None:
        self._archive, self._name, self._size, self._options = archive, name, size, options
        self._links = relationships(archive, name)
        self._inheritance = Inheritance(archive, name)
        self._found = SlideContent()

    def read(self) -> SlideContent:
        root = part(self._archive, self._name)
        tree = root.find("{*}cSld/{*}spTree") if root is not None else None
        if tree is not None:
            self._read_shapes(tree, Scale(), 0)
        titles = [block for block in self._found.blocks if block.type is BlockType.HEADING and block.level == 1]
        self._found.blocks = [*titles, *(block for block in self._found.blocks if block not in titles)]
        return self._found

    def _read_shapes(self, parent: Element, scale: Scale, depth: int) -> None:
        for shape in parent:
            kind = local_name(shape)
            if kind == "grpSp" and depth < MAX_DEPTH:
                self._read_shapes(shape, scale_of(shape.find("{*}grpSpPr/{*}xfrm"), scale), depth + 1)
            elif kind == "AlternateContent":
                before = len(self._found.blocks)
                for choice in shape:
                    if len(self._found.blocks) == before:  # what this reader does not know has a replacement
                        self._read_shapes(choice, scale, depth + 1)
            elif kind in ("sp", "pic", "graphicFrame", "contentPart"):
                self._read_shape(shape, kind, scale)

    def _read_shape(self, shape: Element, kind: str, scale: Scale) -> None:
        transform = shape.find("{*}xfrm") if kind == "graphicFrame" else shape.find("{*}spPr/{*}xfrm")
        box = box_of(transform, scale) or self._inheritance.box(shape) or NO_BOX
        if kind == "sp":
            blocks = self._text_blocks(shape, box)
        elif kind == "graphicFrame":
            blocks = self._frame_blocks(shape, box)
        else:
            blocks = [self._picture(shape, box)]
        if not blocks:
            return
        properties = shape.find("*/{*}cNvPr")
        if properties is not None and properties.get("hidden") in ("1", "true"):
            self._found.hidden += [block.text for block in blocks if block.text]
            self._found.warn(HIDDEN_TEXT)
        elif self._is_outside(box) and not self._options.outside_content:
            self._found.warn(OUTSIDE_CONTENT)
        else:
            self._found.blocks += blocks
            if any(block.type is BlockType.PICTURE for block in blocks):
                self._found.warn(PICTURES_NOT_READ)

    def _is_outside(self, box: Box) -> bool:
        width, height = self._size
        return box != NO_BOX and (box.x1 <= 0 or box.bottom <= 0 or box.x0 >= width or box.top >= height)

    def _text_blocks(self, shape: Element, box: Box) -> list[Block]:
        paragraphs = texts.paragraphs_of(shape.find("{*}txBody"), self._links)
        mark = placeholder(shape)
        kind = mark.get("type", "") if mark is not None else "other"
        if kind in TITLES and paragraphs:
            text, spans = texts.joined(paragraphs, " ")
            return [Block(type=BlockType.HEADING, box=box, text=text.replace("\n", " "), spans=spans, level=1)]
        if kind in _RUNNING:
            return [Block(type=_RUNNING[kind], box=box, text=paragraph.text) for paragraph in paragraphs]
        if kind == "subTitle" and len(paragraphs) == 1 and is_subtitle(paragraphs[0].text):
            text, spans = texts.joined(paragraphs, " ")
            return [Block(type=BlockType.HEADING, box=box, text=text.replace("\n", " "), spans=spans, level=2)]
        blocks = []
        numbers = numbering.Numbers()
        for paragraph in paragraphs:
            bullet, scheme = self._inheritance.bullet(shape, paragraph)
            marker = numbers.marker(paragraph.level, bullet, scheme)
            is_item = bool(marker)
            blocks.append(
                Block(
                    type=BlockType.LIST_ITEM if is_item else BlockType.PARAGRAPH,
                    box=box,
                    text=paragraph.text.replace("\n", " ") if is_item else paragraph.text,
                    spans=paragraph.spans,
                    level=paragraph.level + 1 if is_item else 0,
                    marker=marker,
                )
            )
        return blocks

    def _frame_blocks(self, shape: Element, box: Box) -> list[Block]:
        data = shape.find("{*}graphic/{*}graphicData")
        blocks: list[Block] = []
        for element in data if data is not None else ():
            kind = local_name(element)
            if kind == "tbl":
                blocks += tables.blocks_of_table(element, self._links, box)
            elif kind == "chart":
                blocks += self._chart(attribute(element, "id"), box)
            elif kind == "relIds" and (link := self._links.get(attribute(element, "dm"))):
                blocks += diagrams.blocks_of_diagram(self._archive, link.target, box)
            elif element.find(".//{*}oleObj") is not None or kind == "oleObj":
                self._found.warn(EMBEDDED_FILES)
                blocks.append(self._picture(shape, box))
        return blocks

    def _chart(self, name: str, box: Box) -> list[Block]:
        link = self._links.get(name)
        blocks = charts.blocks_of_chart(self._archive, link.target, box) if link else []
        if not self._options.skips_embedded_data:
            return blocks
        titles = [block.text for block in blocks if block.type is BlockType.CAPTION]
        return [Block(type=BlockType.PICTURE, box=box, description=" ".join(titles))]

    def _picture(self, shape: Element, box: Box) -> Block:
        properties = shape.find("*/{*}cNvPr")
        text = (properties.get("descr") or properties.get("title") or "") if properties is not None else ""
        media = ("audioFile", "videoFile", "wavAudioFile", "quickTimeFile")
        if shape.find("*/{*}nvPr") is not None and any(
            local_name(element) in media for element in shape.find("*/{*}nvPr")
        ):
            self._found.warn(EMBEDDED_FILES)
        image = image_of(shape, self._links)
        return Block(type=BlockType.PICTURE, box=box, description=alternative_text(text), image=image)


def notes_of(archive: Archive, name: str) -> str:
    """Return what the speaker notes of a slide say."""
    notes = next((link.target for link in relationships(archive, name).values() if link.kind == "notesSlide"), "")
    root = part(archive, notes) if notes else None
    lines = []
    for shape in root.iter("{*}sp") if root is not None else ():
        mark = placeholder(shape)
        if mark is not None and mark.get("type", "") == "body":
            lines += [paragraph.text for paragraph in texts.paragraphs_of(shape.find("{*}txBody"))]
    return "\n".join(lines)
