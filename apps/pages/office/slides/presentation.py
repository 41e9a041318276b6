"""Open XML presentations (pptx, pptm, their templates and shows): slides in order, with the sections that they form."""

from __future__ import annotations

import re

from apps.pages.model.blocks import Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import DamagedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office import packages
from apps.pages.office.archive import Archive
from apps.pages.office.slides import comments, slide
from apps.pages.office.slides.geometry import points
from apps.pages.office.sources import Source
from apps.pages.office.xml_parts import Element, core_title, part, relationships

HIDDEN_SLIDES = "hidden_slides_left_out"
DEFAULT_WIDTH, DEFAULT_HEIGHT = 720.0, 540.0
_HIDDEN = re.compile(rb"<(?:\w+:)?sld\s[^>]*\bshow\s*=\s*[\"'](?:0|false)[\"']")


class OpenXmlSlides:
    """``slides``: the parts of the slides that are pages."""

    def __init__(self, source: Source, password: str | None, options: OfficeOptions) -> None:
        self._archive, self._options = Archive(source, password), options
        main = next(
            (one.target for one in relationships(self._archive, "").values() if one.kind == "officeDocument"), ""
        )
        root = part(self._archive, main)
        if root is None:
            raise DamagedDocument
        links = relationships(self._archive, main)
        size = root.find("{*}sldSz")
        self._width = points(size, "cx") or DEFAULT_WIDTH
        self._height = points(size, "cy") or DEFAULT_HEIGHT
        names = [
            (entry.get("id", ""), links[_relation(entry)].target)
            for entry in root.iterfind("{*}sldIdLst/{*}sldId")
            if _relation(entry) in links
        ]
        self._authors = comments.authors_of(self._archive, links)
        sections = _sections(root)
        present = [(number, name) for number, name in names if name in self._archive]
        shown = [
            (sections.get(number, ""), name)
            for number, name in present
            if options.hidden_slides or not self._is_hidden(name)
        ]
        self._slides = shown
        warnings = (HIDDEN_SLIDES,) if len(shown) < len(present) else ()
        media_type = packages.type_of_parts(self._archive)
        title = clean(core_title(self._archive))
        self.facts = DocumentFacts(media_type, len(shown), title=title, warnings=warnings)

    def _is_hidden(self, name: str) -> bool:
        with self._archive.opened(name) as source:
            return _HIDDEN.search(source.read(8_192)) is not None

    def page(self, number: int) -> Page:
        section, name = self._slides[number - 1]
        read = slide.SlideReader(self._archive, name, (self._width, self._height), self._options).read()
        said = comments.comments_of(self._archive, name, self._authors)
        return Page(
            number=number,
            width=round(self._width, 2),
            height=round(self._height, 2),
            blocks=(*read.blocks, *(comments.block_of(comment) for comment in said)),
            warnings=tuple(read.warnings),
            hidden=tuple(read.hidden),
            structured=True,
            speaker_notes=slide.notes_of(self._archive, name),
            slide_section=section,
            revisions=tuple(said) if self._options.revisions else (),
        )


def open_file(source: Source, password: str | None, options: OfficeOptions) -> OpenXmlSlides:
    return OpenXmlSlides(source, password, options)


def _relation(entry: Element) -> str:
    """Return the id of the relationship of a slide; the id of the slide has the same name without a namespace."""
    return next((str(value) for key, value in entry.attrib.items() if key.endswith("}id")), "")


def _sections(root: Element) -> dict[str, str]:
    """Return the name of the section of each slide, by the slide's id."""
    return {
        entry.get("id", ""): clean(section.get("name", ""))
        for section in root.iter("{*}section")
        for entry in section.iter("{*}sldId")
    }
