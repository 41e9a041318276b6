"""OpenDocument texts (odt, ott): ODF 1.3 part 3."""

from __future__ import annotations

from apps.pages.model.blocks import Block, BlockType, Page, Revision
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import DamagedDocument
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office import open_document_encryption, packages, xml_parts
from apps.pages.office.archive import Archive
from apps.pages.office.office_file import NOMINAL_HEIGHT, NOMINAL_WIDTH
from apps.pages.office.sources import Source
from apps.pages.office.words.odf_flow import OdfFlow, OdfPage
from apps.pages.office.words.odf_styles import OdfStyles
from apps.pages.office.xml_parts import Element

MAX_TITLE_CHARACTERS = 300
_POINTS = {"cm": 72 / 2.54, "mm": 72 / 25.4, "in": 72.0, "pt": 1.0}


class OpenDocumentText:
    """The whole text is turned into blocks when it is opened, because lists and changes go on from page to page."""

    def __init__(self, archive: Archive, options: OfficeOptions) -> None:
        content, styles = xml_parts.part(archive, "content.xml"), xml_parts.part(archive, "styles.xml")
        text = content.find("{*}body/{*}text") if content is not None else None
        if content is None or text is None:
            raise DamagedDocument("The file has no text part. Open it in the program that made it and save it again.")
        self._options = options
        self._flow = OdfFlow(OdfStyles(styles, content), archive)
        self._flow.read(text)
        self._size = _size(styles)
        self._running = _running(styles, OdfStyles(styles))
        meta = xml_parts.part(archive, "meta.xml")
        title = " ".join((meta.findtext("{*}meta/{*}title") or "").split()) if meta is not None else ""
        warnings: tuple[str, ...] = ("embedded_files_not_read",) if self._flow.objects else ()
        if self._flow.comments and not options.revisions:
            warnings += ("comments_left_out",)
        self.facts = DocumentFacts(
            packages.type_of_parts(archive), len(self._flow.pages), clean(title)[:MAX_TITLE_CHARACTERS], warnings
        )

    def page(self, number: int) -> Page:
        found: OdfPage = self._flow.pages[number - 1]
        running = [block for block in self._running if block.type is BlockType.PAGE_HEADER]
        blocks = [*running, *found.blocks, *found.notes]
        if number == len(self._flow.pages):
            blocks += self._flow.endnotes
        blocks += [block for block in self._running if block.type is BlockType.PAGE_FOOTER]
        revisions: tuple[Revision, ...] = tuple(found.revisions) if self._options.revisions else ()
        return Page(
            number=number,
            width=self._size[0],
            height=self._size[1],
            blocks=tuple(blocks),
            structured=True,
            warnings=(
                *(("pictures_not_read",) if found.pictures else ()),
                *(("text_truncated",) if found.is_cut else ()),
            ),
            revisions=revisions,
        )


def open_file(source: Source, password: str | None, options: OfficeOptions) -> OpenDocumentText:
    archive = open_document_encryption.unlocked(Archive(source, password), password)
    return OpenDocumentText(archive, options)


def _size(styles: Element | None) -> tuple[float, float]:
    layout = next(styles.iter("{*}page-layout-properties"), None) if styles is not None else None
    if layout is None:
        return NOMINAL_WIDTH, NOMINAL_HEIGHT
    width, height = (_points(xml_parts.attribute(layout, name)) for name in ("page-width", "page-height"))
    return (width, height) if width and height else (NOMINAL_WIDTH, NOMINAL_HEIGHT)


def _points(length: str) -> float:
    """Return a length such as "21.001cm" in points, 0 for one that is not known."""
    try:
        return max(0.0, round(float(length[:-2]) * _POINTS.get(length[-2:], 0.0), 1))
    except ValueError:
        return 0.0


def _running(styles: Element | None, known: OdfStyles) -> list[Block]:
    """Return the header and the footer of the usual pages."""
    master = next(styles.iter("{*}master-page"), None) if styles is not None else None
    blocks = []
    for name, kind in (("header", BlockType.PAGE_HEADER), ("footer", BlockType.PAGE_FOOTER)):
        element = master.find(f"{{*}}{name}") if master is not None else None
        if element is not None:
            flow = OdfFlow(known)
            flow.read(element)
            found = [block for page in flow.pages for block in page.blocks]
            texts = (block.text or " ".join(cell.text for cell in block.cells if cell.text) for block in found)
            blocks += [Block(kind, NO_BOX, text=text) for text in texts if text]
    return blocks
