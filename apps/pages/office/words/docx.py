"""Open XML texts (docx, docm, dotx, dotm): ECMA-376 part 1, section 17."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.blocks import Block, BlockType, Page, Revision
from apps.pages.model.document_facts import Attachment, DocumentFacts
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office import packages, xml_parts
from apps.pages.office.archive import Archive
from apps.pages.office.office_file import NOMINAL_HEIGHT, NOMINAL_WIDTH
from apps.pages.office.sources import Source
from apps.pages.office.words.flow import TABLE, Flow, P, content_of, with_joined_code
from apps.pages.office.words.inline import PageContext
from apps.pages.office.words.numbering import Numbering
from apps.pages.office.words.paging import PageParts, Paging
from apps.pages.office.words.parts import W, WordParts, is_on, number
from apps.pages.office.words.styles import Styles
from apps.pages.office.xml_parts import Element, Relationship

TWIPS_PER_POINT = 20
MAX_ATTACHMENTS = 100
_EMBEDDED = "word/embeddings/"


class WordFile:
    """The parts are parsed when the file is opened; a page is turned into blocks when it is asked for."""

    def __init__(self, archive: Archive, options: OfficeOptions) -> None:
        self._parts, self._options = WordParts(archive), options
        self._styles = Styles(self._parts.of_kind("styles"))
        self._links = self._parts.relationships(self._parts.main_name)
        self._comments = _comments(self._parts.of_kind("comments"))
        numbering = Numbering(self._parts.of_kind("numbering"), self._styles)
        self._paging = Paging(self._parts.body, PageContext(archive, self._styles, self._links, {}, {}), numbering)
        self._notes = {kind: self._notes_of(kind) for kind in ("footnote", "endnote")}
        settings = self._parts.of_kind("settings")
        self._has_even_headers = bool(is_on(settings, "evenAndOddHeaders"))
        embedded = [name for name in archive.names() if name.lower().startswith(_EMBEDDED)][:MAX_ATTACHMENTS]
        warnings: tuple[str, ...] = ("embedded_files_not_read",) if embedded else ()
        if self._comments and not options.revisions:
            warnings += ("comments_left_out",)
        self.facts = DocumentFacts(
            media_type=packages.type_of_parts(archive),
            page_count=len(self._paging.pages),
            title=clean(xml_parts.core_title(archive)),
            warnings=warnings,
            attachments=tuple(Attachment(clean(name.rpartition("/")[2])) for name in embedded),
        )

    def page(self, number: int) -> Page:
        parts = self._paging.pages[number - 1]
        context = self._context(self._links)
        flow = Flow(context, self._paging.markers.get)
        blocks = self._running(parts, number, "header")
        for part in parts.parts:
            if part.element.tag == P:
                blocks += flow.paragraph(part.element)
            else:
                blocks += flow.table(part.element, 0, part.first, part.last)
        blocks = with_joined_code(blocks)
        blocks += self._note_blocks("footnote", context.notes)
        if number == len(self._paging.pages):
            blocks += self._note_blocks("endnote", self._paging.endnotes)
        blocks += self._running(parts, number, "footer")
        width, height = self._size(parts.section)
        known = {
            "pictures_not_read": context.pictures,
            "hidden_text": context.hidden,
            "text_truncated": context.is_cut,
        }
        return Page(
            number=number,
            width=width,
            height=height,
            blocks=tuple(blocks),
            structured=True,
            hidden=tuple(context.hidden),
            warnings=tuple(code for code, applies in known.items() if applies),
            revisions=tuple(context.revisions) if self._options.revisions else (),
        )

    def _context(self, links: dict[str, Relationship]) -> PageContext:
        archive = self._parts.archive
        return PageContext(
            archive, self._styles, links, self._paging.note_marks, dict(self._comments), self._paging.has_title
        )

    def _section(self, index: int) -> Element | None:
        sections = self._paging.sections
        return sections[min(index, len(sections) - 1)]

    def _size(self, index: int) -> tuple[float, float]:
        section = self._section(index)
        size = section.find(f"{W}pgSz") if section is not None else None
        if size is None:
            return NOMINAL_WIDTH, NOMINAL_HEIGHT
        width, height = (number(size.get(f"{W}{name}", "0")) / TWIPS_PER_POINT for name in ("w", "h"))
        return (width, height) if width > 0 and height > 0 else (NOMINAL_WIDTH, NOMINAL_HEIGHT)

    def _running(self, parts: PageParts, page_number: int, kind: str) -> list[Block]:
        """Return the header or footer of a page. A section without one has that of the section before."""
        section = self._section(parts.section)
        wanted = "default"
        if parts.starts_section and is_on(section, "titlePg"):
            wanted = "first"
        elif self._has_even_headers and page_number % 2 == 0:
            wanted = "even"
        for index in range(min(parts.section, len(self._paging.sections) - 1), -1, -1):
            properties = self._paging.sections[index]
            for reference in properties.iterfind(f"{W}{kind}Reference") if properties is not None else ():
                if reference.get(f"{W}type", "default") == wanted:
                    return self._running_part(xml_parts.attribute(reference, "id"), kind)
        return []

    def _running_part(self, identity: str, kind: str) -> list[Block]:
        link = self._links.get(identity)
        root = self._parts.root(link.target) if link is not None and not link.is_external else None
        if link is None or root is None:
            return []
        context = self._context(self._parts.relationships(link.target))
        type_of_block = BlockType.PAGE_HEADER if kind == "header" else BlockType.PAGE_FOOTER
        found = Flow(context, lambda _paragraph: None).blocks(list(content_of(root, P, TABLE)))
        texts = (block.text or " ".join(cell.text for cell in block.cells if cell.text) for block in found)
        return [Block(type_of_block, NO_BOX, text=text) for text in texts if text]

    def _notes_of(self, kind: str) -> dict[str, Element]:
        root = self._parts.of_kind(f"{kind}s")
        return {note.get(f"{W}id", ""): note for note in root.iterfind(f"{W}{kind}")} if root is not None else {}

    def _note_blocks(self, kind: str, identities: Sequence[str]) -> list[Block]:
        """Return the notes with these ids, each with its mark before its text."""
        blocks = []
        for identity in identities:
            note = self._notes[kind].get(identity)
            if note is None:
                continue
            context = self._context(self._parts.relationships(self._parts.name_of_kind(f"{kind}s")))
            found = Flow(context, lambda _paragraph: None).blocks(list(content_of(note, P, TABLE)))
            text = " ".join(block.text.replace("\n", " ") for block in found if block.text)
            mark = self._paging.note_marks.get((kind, identity), "")
            blocks.append(Block(BlockType.FOOTNOTE, NO_BOX, text=f"{mark} {text}".strip()))
        return blocks


def open_file(source: Source, password: str | None, options: OfficeOptions) -> WordFile:
    return WordFile(Archive(source, password), options)


def _comments(root: Element | None) -> dict[str, Revision]:
    comments = {}
    for comment in root.iterfind(f"{W}comment") if root is not None else ():
        lines = ["".join(part.text or "" for part in line.iter(f"{W}t")) for line in comment.iter(P)]
        text, author = clean("\n".join(lines)).strip(), clean(comment.get(f"{W}author", ""))
        comments[comment.get(f"{W}id", "")] = Revision("comment", text, author=author)
    return comments
