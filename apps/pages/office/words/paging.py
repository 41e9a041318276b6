"""Divide an Open XML text into pages, where its program broke them, and number its lists and notes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from apps.pages.office.numerals import roman
from apps.pages.office.words.flow import TABLE, P, content_of, paragraph_style
from apps.pages.office.words.inline import PageContext
from apps.pages.office.words.numbering import Numbering
from apps.pages.office.words.parts import W, is_on, value
from apps.pages.office.xml_parts import Element

CHARACTERS_PER_PAGE = 3_000
"""About where a page ends in a text whose program has broken no pages."""
MAX_CHARACTERS_PER_PAGE = 30_000
MAX_ROWS_PER_PAGE = 1_000
_RENDERED, _BREAK, _TEXT = f"{W}lastRenderedPageBreak", f"{W}br", f"{W}t"
_FALLBACK = "{*}Fallback"
_DRAWN = (f"{W}drawing", f"{W}pict", f"{W}object")
_SECTION_STAYS = ("continuous", "nextColumn")


@dataclass(slots=True)
class PagePart:
    """A paragraph, or rows of a table."""

    element: Element
    first: int = 0
    last: int | None = None


@dataclass(slots=True)
class PageParts:
    """The parts of a page. ``section``: the index of its section; ``starts_section``: it is the first page of it."""

    section: int
    starts_section: bool
    parts: list[PagePart] = field(default_factory=list)
    characters: int = 0


class Paging:
    """``pages``; ``sections``: their properties; ``markers`` of paragraphs in lists; ``note_marks``; ``has_title``."""

    def __init__(self, body: Element, context: PageContext, numbering: Numbering) -> None:
        self.sections: list[Element | None] = []
        self.markers: dict[Element, str] = {}
        self.note_marks: dict[tuple[str, str], str] = {}
        self.endnotes: list[str] = []
        self._note_counts: Counter[str] = Counter()
        self.has_title = False
        self._context, self._numbering = context, numbering
        self._is_rendered = next(body.iter(_RENDERED), None) is not None
        self.pages = [PageParts(0, starts_section=True)]
        self._starts_section = False
        for element in content_of(body, P, TABLE):
            if element.tag == P:
                self._add_paragraph(element)
            else:
                self._add_table(element)
        self.sections.append(body.find(f"{W}sectPr"))
        if len(self.pages) > 1 and not self.pages[-1].characters:
            self.pages.pop()

    def _add_paragraph(self, paragraph: Element) -> None:
        style, _list_number = paragraph_style(paragraph, self._context)
        self.has_title = self.has_title or style.is_title
        self._number(paragraph)
        properties = paragraph.find(f"{W}pPr")
        own = is_on(properties, "pageBreakBefore")
        breaks_before, breaks_after, characters = self._breaks(paragraph)
        page = self.pages[-1]
        is_full = page.characters >= (MAX_CHARACTERS_PER_PAGE if self._is_rendered else CHARACTERS_PER_PAGE)
        nearly = not self._is_rendered and page.characters >= CHARACTERS_PER_PAGE * 2 // 3 and style.level > 0
        if breaks_before or is_full or nearly or (style.breaks_page if own is None else own):
            self._break()
        self.pages[-1].parts.append(PagePart(paragraph))
        self.pages[-1].characters += characters
        if breaks_after:
            self._break()
        section = properties.find(f"{W}sectPr") if properties is not None else None
        if section is not None:
            self.sections.append(section)
            self._starts_section = True
            # The type of a section says how it begins, so that of the next one counts; most begin on a new page.
            if value(_following(paragraph), "type") not in _SECTION_STAYS:
                self._break()

    def _breaks(self, paragraph: Element) -> tuple[bool, bool, int]:
        """Return whether a page ends before the text of a paragraph, or inside or after it, and its characters."""
        before = after = False
        characters = 0
        for element in paragraph.iter(_RENDERED, _BREAK, _TEXT, *_DRAWN):
            if element.tag == _TEXT:
                characters += len(element.text or "")
            elif element.tag in _DRAWN:
                characters += 1
            elif element.tag == _BREAK and element.get(f"{W}type") != "page":
                continue
            elif characters:
                after = True
            else:
                before = True
        return before, after, characters

    def _add_table(self, table: Element) -> None:
        rows = list(content_of(table, f"{W}tr"))
        before = False
        self._number(table)
        if rows and (first := next(rows[0].iter(_RENDERED, _TEXT), None)) is not None:
            before = first.tag == _RENDERED
        page = self.pages[-1]
        if before or page.characters >= (MAX_CHARACTERS_PER_PAGE if self._is_rendered else CHARACTERS_PER_PAGE):
            self._break()
        for start in range(0, max(1, len(rows)), MAX_ROWS_PER_PAGE):
            end = start + MAX_ROWS_PER_PAGE
            if start:
                self._break()
            self.pages[-1].parts.append(PagePart(table, start, end))
            texts = (text.text or "" for row in rows[start:end] for text in row.iter(_TEXT))
            self.pages[-1].characters += 1 + sum(map(len, texts))
        if any(True for row in rows[1:] for _ in row.iter(_RENDERED)):
            self._break()

    def _break(self) -> None:
        # A break and the one that the program rendered for it are often in two paragraphs.
        if self.pages[-1].characters:
            self.pages.append(PageParts(len(self.sections), self._starts_section))
            self._starts_section = False
        elif self._starts_section:
            self.pages[-1].section, self.pages[-1].starts_section = len(self.sections), True
            self._starts_section = False

    def _number(self, element: Element) -> None:
        """Count the paragraphs of lists and the notes in a paragraph or table, also those in its text boxes."""
        for paragraph in element.iter(P):
            style, list_number = paragraph_style(paragraph, self._context)
            if not list_number or (
                paragraph is not element and next(paragraph.iterancestors(_FALLBACK), None) is not None
            ):
                continue
            marker = self._numbering.next_marker(list_number, style.numbering[1])
            if marker is not None:
                self.markers[paragraph] = marker
        for reference in element.iter(f"{W}footnoteReference", f"{W}endnoteReference"):
            kind = "footnote" if reference.tag.endswith("footnoteReference") else "endnote"
            identity = reference.get(f"{W}id", "")
            if (kind, identity) not in self.note_marks:
                self._note_counts[kind] += 1
                count = self._note_counts[kind]
                self.note_marks[(kind, identity)] = str(count) if kind == "footnote" else roman(count)
                if kind == "endnote":
                    self.endnotes.append(identity)


def _following(paragraph: Element) -> Element | None:
    """Return the properties of the section after the one that a paragraph ends."""
    for sibling in paragraph.itersiblings():
        section = sibling if sibling.tag == f"{W}sectPr" else next(sibling.iter(f"{W}sectPr"), None)
        if section is not None:
            return section
    return None
