"""Rich Text Format: a text with control words, which many programs write."""

from __future__ import annotations

from apps.pages.model.blocks import BlockType, Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office.office_file import NOMINAL_HEIGHT, NOMINAL_WIDTH
from apps.pages.office.rtf.reader import RtfReader
from apps.pages.office.sources import Source, bytes_of
from apps.pages.office.words.flow import with_joined_code

MAX_TITLE_CHARACTERS = 300


class RtfFile:
    """The whole text is turned into blocks when it is opened, because every control word applies to what follows."""

    def __init__(self, content: bytes, options: OfficeOptions) -> None:
        self._options, self._reader = options, RtfReader(content)
        warnings: tuple[str, ...] = ("embedded_files_not_read",) if self._reader.has_objects else ()
        if self._reader.has_comments and not options.revisions:
            warnings += ("comments_left_out",)
        title = self._reader.prelude.title[:MAX_TITLE_CHARACTERS]
        self.facts = DocumentFacts("application/rtf", len(self._reader.pages), title, warnings)

    def page(self, number: int) -> Page:
        found, running = self._reader.pages[number - 1], self._reader.running
        warnings = ("pictures_not_read",) if found.pictures else ()
        blocks = [block for block in running if block.type is BlockType.PAGE_HEADER]
        blocks += with_joined_code(found.blocks) + found.notes
        blocks += [block for block in running if block.type is BlockType.PAGE_FOOTER]
        return Page(
            number=number,
            width=NOMINAL_WIDTH,
            height=NOMINAL_HEIGHT,
            blocks=tuple(blocks),
            structured=True,
            hidden=tuple(found.hidden),
            warnings=(*warnings, *(("hidden_text",) if found.hidden else ())),
            revisions=tuple(found.revisions) if self._options.revisions else (),
        )


def open_file(source: Source, _password: str | None, options: OfficeOptions) -> RtfFile:
    return RtfFile(bytes_of(source), options)
