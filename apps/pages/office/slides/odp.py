"""OpenDocument presentations (odp, otp): ODF 1.3 part 3, chapters 10 and 15."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from apps.pages.model.blocks import Block, BlockType, Cell, Page, Revision
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import DamagedDocument
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office import open_document_encryption, packages, spanned_text
from apps.pages.office.archive import Archive
from apps.pages.office.drawing.pictures import alternative_text, image_of_frame
from apps.pages.office.sheets import ods, open_document_text
from apps.pages.office.slides import comments
from apps.pages.office.slides.presentation import DEFAULT_HEIGHT, DEFAULT_WIDTH, HIDDEN_SLIDES
from apps.pages.office.slides.slide import (
    EMBEDDED_FILES,
    OUTSIDE_CONTENT,
    PICTURES_NOT_READ,
    SlideContent,
    is_subtitle,
)
from apps.pages.office.sources import Source
from apps.pages.office.words.odf_flow import OdfFlow
from apps.pages.office.words.odf_styles import OdfStyles
from apps.pages.office.xml_parts import Element, attribute, local_name, part

_POINTS = {"cm": 72 / 2.54, "mm": 72 / 25.4, "in": 72.0, "pt": 1.0}
_RUNNING = ("footer", "date-time", "page-number")
_ASIDE = frozenset({"notes", "forms", "annotation", "animations", "par", "seq", "iterate", "title", "desc"})


class OpenDocumentPresentation:
    """``_slides``: the slides that are pages."""

    def __init__(self, archive: Archive, options: OfficeOptions) -> None:
        content, styles = part(archive, "content.xml"), part(archive, "styles.xml")
        shown = content.find("{*}body/{*}presentation") if content is not None else None
        if content is None or shown is None:
            raise DamagedDocument("The file has no slides part. Open it in the program that made it and save it again.")
        self._archive, self._options = archive, options
        self._styles = OdfStyles(styles, content)
        hidden = {
            attribute(style, "name")
            for style in content.iter("{*}style")
            for properties in style.iterfind("{*}drawing-page-properties")
            if attribute(properties, "visibility") == "hidden"
        }
        slides = shown.findall("{*}page")
        self._width, self._height = _size(styles, attribute(slides[0], "master-page-name") if slides else "")
        self._slides = [
            slide for slide in slides if options.hidden_slides or attribute(slide, "style-name") not in hidden
        ]
        self.facts = DocumentFacts(
            packages.type_of_parts(archive),
            len(self._slides),
            title=open_document_text.title(archive),
            warnings=(HIDDEN_SLIDES,) if len(self._slides) < len(slides) else (),
        )

    def page(self, number: int) -> Page:
        slide, found = self._slides[number - 1], SlideContent()
        for shape in _shapes(slide):
            self._read_shape(shape, found)
        titles = [block for block in found.blocks if block.type is BlockType.HEADING and block.level == 1]
        rest = [block for block in found.blocks if block not in titles]
        said = [
            Revision("comment", text, author=clean(note.findtext("{*}creator") or ""))
            for note in slide.iterfind("{*}annotation")
            if (text := "\n".join(open_document_text.text_of(line) for line in note.iter("{*}p")).strip())
        ]
        return Page(
            number=number,
            width=round(self._width, 2),
            height=round(self._height, 2),
            blocks=(*titles, *rest, *(comments.block_of(comment) for comment in said)),
            warnings=tuple(found.warnings),
            structured=True,
            speaker_notes="\n".join(
                text
                for frame in slide.iterfind("{*}notes/{*}frame")
                if attribute(frame, "class") == "notes"
                for line in frame.iter("{*}p")
                if (text := open_document_text.text_of(line).strip())
            ),
            revisions=tuple(said) if self._options.revisions else (),
        )

    def _read_shape(self, shape: Element, found: SlideContent) -> None:
        box = _box(shape)
        kind = attribute(shape, "class")
        blocks = self._frame_blocks(shape, found) if local_name(shape) == "frame" else self._flow_blocks(shape)
        if kind in ("title", "subtitle") and blocks:
            text, spans = spanned_text.joined([(block.text, block.spans) for block in blocks], " ")
            level = 1 if kind == "title" else 2
            if level == 1 or (len(blocks) == 1 and is_subtitle(text)):
                blocks = [
                    Block(type=BlockType.HEADING, box=box, text=text.replace("\n", " "), spans=spans, level=level)
                ]
        elif kind in _RUNNING:
            blocks = [msgspec.structs.replace(block, type=BlockType.PAGE_FOOTER) for block in blocks]
        is_outside = box != NO_BOX and (
            box.x1 <= 0 or box.bottom <= 0 or box.x0 >= self._width or box.top >= self._height
        )
        if blocks and is_outside and not self._options.outside_content:
            found.warn(OUTSIDE_CONTENT)
            return
        found.blocks += [msgspec.structs.replace(block, box=box) for block in blocks]
        if any(block.type is BlockType.PICTURE for block in blocks):
            found.warn(PICTURES_NOT_READ)

    def _frame_blocks(self, frame: Element, found: SlideContent) -> list[Block]:
        for content in frame:  # the first that is known; the others stand in for it
            kind = local_name(content)
            if kind == "text-box":
                return self._flow_blocks(content)
            if kind == "table":
                return self._flow_blocks(frame)
            if kind == "object":
                blocks = ods.object_blocks(self._archive, attribute(content, "href"))
                if blocks and (blocks[0].latex or not self._options.skips_embedded_data):
                    return blocks
                if not blocks:
                    found.warn(EMBEDDED_FILES)
                return [_picture(frame)]
            if kind in ("object-ole", "plugin"):
                found.warn(EMBEDDED_FILES)
                return [_picture(frame)]
            if kind == "image":
                return [_picture(frame)]
        return []

    def _flow_blocks(self, element: Element) -> list[Block]:
        flow = OdfFlow(self._styles)
        flow.read(element)
        blocks = [block for page in flow.pages for block in page.blocks]
        return [msgspec.structs.replace(block, cells=tuple(map(_without_bullet, block.cells))) for block in blocks]


def _without_bullet(cell: Cell) -> Cell:
    """Return a cell without the bullet that programs declare for its only paragraph and do not show."""
    if not cell.text.startswith("- ") or "\n" in cell.text:
        return cell
    text, spans = spanned_text.shifted((cell.text[2:], cell.spans), 2)
    return msgspec.structs.replace(cell, text=text, spans=spans)


def open_file(source: Source, password: str | None, options: OfficeOptions) -> OpenDocumentPresentation:
    archive = open_document_encryption.unlocked(Archive(source, password), password)
    return OpenDocumentPresentation(archive, options)


def _size(styles: Element | None, master_name: str) -> tuple[float, float]:
    """Return the size of slides with this master; handouts and notes have sizes of their own."""
    masters = styles.iter("{*}master-page") if styles is not None else ()
    names = {attribute(master, "name"): attribute(master, "page-layout-name") for master in masters}
    for layout in styles.iter("{*}page-layout") if styles is not None else ():
        if attribute(layout, "name") == names.get(master_name):
            properties = layout.find("{*}page-layout-properties")
            width, height = points(properties, "page-width"), points(properties, "page-height")
            if width and height:
                return width, height
    return DEFAULT_WIDTH, DEFAULT_HEIGHT


def _shapes(parent: Element, depth: int = 0) -> Iterator[Element]:
    """Yield the shapes of a slide, also those in groups, whose places are places on the slide, too."""
    for shape in parent:
        if local_name(shape) in ("g", "a") and depth < 100:
            yield from _shapes(shape, depth + 1)
        elif local_name(shape) not in _ASIDE:
            yield shape


def _picture(frame: Element) -> Block:
    text = frame.findtext("{*}desc") or frame.findtext("{*}title") or ""
    return Block(type=BlockType.PICTURE, box=NO_BOX, description=alternative_text(text), image=image_of_frame(frame))


def _box(shape: Element) -> Box:
    """Return the place of a shape. The attributes of a turned shape do not contain its place."""
    if attribute(shape, "transform"):
        return NO_BOX
    x, y, width, height = (points(shape, name) for name in ("x", "y", "width", "height"))
    if not width or not height:
        return NO_BOX
    return Box(*(round(edge, 2) for edge in (x, y, x + width, y + height)))


def points(element: Element | None, name: str) -> float:
    """Return a length such as "21.001cm" in points; 0 if there is none, or one that is not known."""
    length = attribute(element, name) if element is not None else ""
    try:
        return float(length[:-2]) * _POINTS.get(length[-2:], 0.0)
    except ValueError:
        return 0.0
