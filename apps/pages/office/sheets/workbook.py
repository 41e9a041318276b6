"""A workbook: its sheets in order, each on one page, or on several if it is long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import AS_USUAL, OfficeOptions
from apps.pages.office.office_file import NOMINAL_HEIGHT, NOMINAL_WIDTH
from apps.pages.office.sheets import content, tables
from apps.pages.office.sheets.content import SheetContent

PICTURES_NOT_READ = "pictures_not_read"
HIDDEN_SHEETS = "hidden_sheets_left_out"
DRAWINGS_NOT_READ = "drawings_not_read"
NOT_COMPUTED = "formula_not_computed"
SHEET_HEADING_LEVEL = 2


class SheetSource(NamedTuple):
    """A sheet that is read when a page of it is. ``is_short``: it certainly has one page."""

    name: str
    load: Callable[[], SheetContent]
    is_short: bool = False


class Workbook:
    """Keeps the sheet that was read last."""

    def __init__(
        self,
        media_type: str,
        sheets: Sequence[SheetSource],
        *,
        title: str = "",
        warnings: tuple[str, ...] = (),
        options: OfficeOptions = AS_USUAL,
    ) -> None:
        self._sheets, self._options = sheets, options
        self._kept: tuple[int, SheetContent] | None = None
        self._pages: list[tuple[int, slice]] = []
        for index, sheet in enumerate(sheets):
            slices = [slice(None)] if sheet.is_short else content.page_slices(self._content(index).cells)
            self._pages += [(index, part) for part in slices]
        self.facts = DocumentFacts(media_type, len(self._pages), title=title, warnings=warnings)

    def _content(self, index: int) -> SheetContent:
        if self._kept is None or self._kept[0] != index:
            self._kept = None  # so that no two are in memory
            self._kept = index, self._sheets[index].load()
        return self._kept[1]

    def page(self, number: int) -> Page:
        index, part = self._pages[number - 1]
        sheet, name = self._content(index), self._sheets[index].name
        is_first = number == 1 or self._pages[number - 2][0] != index
        is_last = number == len(self._pages) or self._pages[number][0] != index
        blocks: list[Block] = []
        if is_first:
            heading = Block(type=BlockType.HEADING, box=NO_BOX, text=name, level=SHEET_HEADING_LEVEL)
            blocks += [heading, *sheet.before] if name else sheet.before
        if cells := sheet.cells[part]:
            blocks += tables.blocks_of(
                cells, sheet.merged, sheet.links, has_start=is_first, has_end=is_last, parted=self._options.sub_tables
            )
        if is_last:
            blocks += sheet.after
            blocks += [
                Block(type=BlockType.FOOTNOTE, box=NO_BOX, text=f"{note.target} ({note.author}): {note.content}")
                if note.author
                else Block(type=BlockType.FOOTNOTE, box=NO_BOX, text=f"{note.target}: {note.content}")
                for note in sheet.comments
            ]
        return Page(
            number=number,
            width=NOMINAL_WIDTH,
            height=NOMINAL_HEIGHT,
            blocks=tuple(blocks),
            warnings=tuple(sheet.warnings),
            structured=True,
            sheet_name=name,
            revisions=tuple(sheet.comments) if self._options.revisions and is_last else (),
        )
