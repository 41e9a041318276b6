"""An opened PDF -> raw pages: text runs, drawings and pictures, read by PDFium from one loaded page.

PDFium is native code that reads untrusted bytes, so this runs only inside the sandboxed child.
docs/decisions/text-engine.md gives the reasons for the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec
import numpy as np

from apps.pages.model import errors
from apps.pages.model.blocks import Bookmark, PageFailure, Signature
from apps.pages.model.geometry import Box, Margins
from apps.pages.model.page_tags import PageTags
from apps.pages.model.raw_page import NO_PRINT, Char, Link, PicturePrint, RawPage, TextRun
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS, REPLACEMENT
from apps.pages.pdf import page_frame, unread_print
from apps.pages.pdf.drawings import DrawingReader, Drawings
from apps.pages.pdf.drawn_page import DrawnPage
from apps.pages.pdf.forms.annotations import field_runs, read_annotations
from apps.pages.pdf.forms.appearances import appearance_characters, appearance_page
from apps.pages.pdf.forms.signatures import signatures_of
from apps.pages.pdf.open_document import OpenDocument
from apps.pages.pdf.pdfium_library import pdfium
from apps.pages.pdf.structure.form_calls import MAX_FORM_CALLS, form_calls
from apps.pages.pdf.structure.outline import read_outline
from apps.pages.pdf.structure.structure_tree import MAX_TAGS, MIN_VAST_TREE_BYTES, is_vast_tree, read_tags
from apps.pages.pdf.text.character_boxes import Boxes, boxes_of
from apps.pages.pdf.text.characters import CharacterReader, Characters, Frame
from apps.pages.pdf.text.doubled_text import without_doubles
from apps.pages.pdf.text.text_runs import text_runs
from apps.pages.pdf.text.vertical_writing import mark_vertical

FONTS_MISSING = "fonts_missing"
"""Warning of a page with text in fonts that neither the file nor the machine has."""
SECOND_READER = "pdfminer"
TOO_MANY_FORMS = (
    f"The page draws forms inside of forms more than {MAX_FORM_CALLS:,} times, which needs more memory than allowed. "
    "Simplify the page."
)


class SecondReading(NamedTuple):
    """A page as pdfminer reads it; its size in points, as displayed."""

    characters: Characters
    width: float
    height: float


class PdfFile:
    """An opened PDF; ``pages`` may be called more than once. Close it, or use ``with``.

    ``careful``: read a bare copy without outline and forms, for a file that has crashed a reader before.
    ``suspect``: a page may draw forms inside of forms without end; count them before it is loaded.
    ``margins``: only what is inside of them is read. ``skip_diagonal``: diagonal text is not read.
    """

    def __init__(
        self,
        path: str,
        password: str | None = None,
        *,
        careful: bool = False,
        suspect: bool = False,
        margins: Margins | None = None,
        skip_diagonal: bool = False,
    ) -> None:
        self._skip_diagonal = skip_diagonal
        self._margins = margins
        self._careful = careful
        self._suspect = suspect
        self._library = pdfium()
        self._document = OpenDocument(path, password, careful=careful)
        self._characters = CharacterReader(self._library)
        self._opening = 0
        self._drawings = DrawingReader(self._library)
        self._last: tuple[int, Characters] | None = None
        self._second: tuple[int, SecondReading] | None = None
        self._badly_read: set[int] = set()

    def pages(self, numbers: Sequence[int]) -> Iterator[RawPage | PageFailure]:
        """Yield the pages asked for, in that order; a page that cannot be read is a ``PageFailure``."""
        for number in numbers:
            yield self._read(number)

    def upright(self, number: int, angle: int) -> RawPage | PageFailure:
        """Return a page whose text is turned by ``angle`` degrees clockwise, as if the sheet had been turned back."""
        return self._read(number, angle)

    def read_again(self, number: int) -> RawPage | PageFailure:
        """Return a page as the second reader reads it, if it can; ``upright`` and ``chars`` do so from now on too."""
        self._badly_read.add(number)
        return self._read(number)

    def trust(self, number: int) -> None:
        """Undo ``read_again`` for a page: the second reading was no better."""
        self._badly_read.discard(number)

    def chars(self, number: int, angle: int, width: float, height: float) -> list[Char]:
        """Return every character of a page with its box, then its blanks; [] when the page cannot be read.

        The page, of this size as displayed, is turned back by ``angle`` degrees. Blanks are known on pages with letters
        written to the left.
        """
        if self._last is None or self._last[0] != number:
            self._read(number)
        if self._last is None or self._last[0] != number:
            return []
        found = self._last[1]
        boxes = boxes_of(found, slice(None)).turned(angle, width, height)
        angles = (found.angle - angle) % 360
        if found.overhang is not None:
            before, after = np.where(angles == 0, found.overhang, 0.0)
            boxes = Boxes(boxes.x0 + before, boxes.top, boxes.x1 - after, boxes.bottom)
        edges = [array.tolist() for array in (boxes.x0, boxes.top, boxes.x1, boxes.bottom, angles)]
        letters = [Char(*char) for char in zip(found.text, *edges, strict=True)]
        blanks = [Box(*box) for box in found.blanks]
        return letters + [Char(" ", *msgspec.structs.astuple(box.turned(angle, width, height))) for box in blanks]

    def _read(self, number: int, turned: int = 0) -> RawPage | PageFailure:
        if self._suspect and form_calls(self._document.structure(), number) > MAX_FORM_CALLS:
            return PageFailure(number=number, code=errors.PageMemoryExceeded.code, detail=TOO_MANY_FORMS)
        try:
            page = self._document.loaded(number)
            return self._raw_page(page, number, turned) if page else page_frame.blank_page(number)
        except errors.PageError as error:
            second = self._second_reading(number)
            if second is None or not second.characters.text:
                return PageFailure(number=number, code=error.code, detail=error.detail)
            return self._page_without_drawings(number, second, turned)

    def _page_without_drawings(self, number: int, reading: SecondReading, turned: int) -> RawPage:
        """Return what the second reader knows of a page that PDFium cannot read."""
        width, height = reading.width, reading.height
        area = self._margins.area(width, height) if self._margins else None
        characters = mark_vertical(self._wanted(reading.characters, area))
        self._last = number, characters
        return RawPage(
            page_number=number,
            width=height if turned in (90, 270) else width,
            height=width if turned in (90, 270) else height,
            runs=text_runs(characters, width, height, turned=turned),
            rulings=[],
            fills=[],
            pictures=[],
            truncated=characters.truncated,
            text=characters.text,
            outside=characters.outside,
            reader=SECOND_READER,
            hidden=characters.hidden_text,
            area=area and area.turned(turned, width, height),
        )

    def _raw_page(self, page: int, number: int, turned: int) -> RawPage:
        frame = self._document.frame_of(page, number)
        width, height = frame.size
        drawings = self._drawings.read(page, frame, layers=self._document.layers)
        characters, warnings, reader = self._best_characters(page, number, frame, drawings)
        area = self._margins.area(width, height) if self._margins else None
        if area:
            drawings = page_frame.drawings_inside(drawings, area)
        characters = without_doubles(mark_vertical(self._wanted(characters, area)))
        self._last = number, characters

        def placed(boxes: list[Box]) -> list[Box]:
            return [box.turned(turned, width, height) for box in boxes] if turned else boxes

        runs = text_runs(characters, width, height, turned=turned)
        noted = read_annotations(self._library, self._document.handle, page, frame)
        over: list[TextRun] = []
        stamped = 0
        signatures: list[Signature] = []
        if noted.has_fields and not self._careful and (structure := self._document.structure()) is not None:
            found = signatures_of(structure, number, frame)
            signatures = [one for one in found if area is None or area.overlaps(one.box)]
        if (noted.has_fields or noted.has_appearances) and not self._careful:
            over, stamped = self._annotation_runs(number, frame, turned, placed, area)
            over = [run for run in over if not _is_drawn(run, runs)]
        content = drawings.content_box
        contents = {run.content_id for run in runs if run.content_id >= 0} if self._document.is_tagged else ()
        return RawPage(
            page_number=number,
            width=height if turned in (90, 270) else width,
            height=width if turned in (90, 270) else height,
            runs=runs + over,
            rulings=placed(drawings.rulings),
            fills=placed(drawings.fills),
            pictures=placed(drawings.pictures),
            dots=placed(drawings.dots),
            shapes=placed(drawings.shapes),
            content_box=content if content is None else placed([content])[0],
            truncated=characters.truncated,
            text=characters.text + "".join([run.text for run in over]),
            outside=characters.outside,
            doubled=characters.doubled,
            unmapped=placed(_unmapped_places(characters)),
            links=[
                Link(placed([link.box])[0], link.url) for link in noted.links if area is None or area.overlaps(link.box)
            ],
            struck=placed(noted.struck),
            stamp_characters=stamped,
            signatures=signatures,
            warnings=warnings,
            columns_share=float(characters.vertical.mean()) if characters.vertical.any() else 0.0,
            reader=reader,
            tags=self._tags(page, number) if 0 < len(contents) < MAX_TAGS else None,
            hidden=characters.hidden_text,
            area=placed([area])[0] if area else None,
        )

    def _wanted(self, characters: Characters, area: Box | None) -> Characters:
        """Return the characters that the request asks for. ``area``: the part of the page that is read."""
        if self._skip_diagonal:
            characters = page_frame.straight_characters(characters)
        return page_frame.characters_inside(characters, area) if area else characters

    def _tags(self, page: int, number: int) -> PageTags | None:
        """Return the tags of a page; None for a page without tags, or with too many to be read in time."""
        if self._document.size >= MIN_VAST_TREE_BYTES and not self._careful:
            structure = self._document.structure()
            if structure is not None and is_vast_tree(structure, number):
                return None
        return read_tags(self._library, page)

    def _best_characters(
        self, page: int, number: int, frame: Frame, drawings: Drawings
    ) -> tuple[Characters, list[str], str]:
        """Return the characters of a page, warnings about them, and the second reader if it read them."""
        if self._opening != self._document.openings:  # what the reader knows of fonts is of one opening
            self._characters = CharacterReader(self._library, tagged=self._document.is_tagged)
            self._opening = self._document.openings
        characters = self._pdfium_characters(page, frame, drawings)
        warnings: list[str] = []
        is_badly_read = number in self._badly_read
        asks_second = is_badly_read
        # Text objects without characters: a font is missing, or PDFium cannot read their text.
        silent = [handle for handle in drawings.texts if handle not in characters.objects]
        if silent:
            warnings = [FONTS_MISSING] if self._characters.has_silent_fonts(silent) else []
            asks_second |= bool(warnings) or self._characters.has_silent_groups(silent, characters.objects)
        second = self._second_reading(number) if asks_second else None
        if second and (is_badly_read or _readable(second.characters) > _readable(characters)):
            return second.characters, warnings, SECOND_READER
        return characters, warnings, ""

    def _pdfium_characters(self, page: int, frame: Frame, drawings: Drawings) -> Characters:
        """Return the characters of a page as PDFium reads them. Raise PageError."""
        text_page = self._library.FPDFText_LoadPage(page)
        if not text_page:
            raise errors.PageError
        try:
            return self._characters.read(
                page,
                text_page,
                frame,
                max_characters=MAX_TEXT_CHARACTERS,
                drawn=drawings.texts,
                hidden=frozenset(drawings.hidden),
            )
        finally:
            self._library.FPDFText_ClosePage(text_page)

    def _second_reading(self, number: int) -> SecondReading | None:
        """Return a page as pdfminer reads it; None when it cannot."""
        if self._second is None or self._second[0] != number:
            try:
                from apps.pages.pdf.text.second_reader import second_characters

                with self._document.source() as (file, password):
                    self._second = number, SecondReading(*second_characters(file, password, number))
            except (errors.PageError, ImportError):  # the program's own folders may be closed to this process
                return None
        return self._second[1]

    def _annotation_runs(
        self,
        number: int,
        frame: Frame,
        turned: int,
        placed: Callable[[list[Box]], list[Box]],
        area: Box | None,
    ) -> tuple[list[TextRun], int]:
        """Return the text of the fields, notes and stamps of a page, and how many characters are of stamps.

        There is none when pikepdf cannot read the document. ``area``: the part of the page that is read.
        """
        structure = self._document.structure()
        if structure is None:
            return [], 0
        runs = field_runs(structure, number, frame, placed)
        content = appearance_page(structure, number, frame)
        characters = appearance_characters(self._library, content, frame) if content else None
        drawn = [] if characters is None else text_runs(characters, *frame.size, turned=turned)
        if area:
            (area,) = placed([area])
            runs, drawn = page_frame.runs_inside(runs, area), page_frame.runs_inside(drawn, area)
        return runs + drawn, sum(len(run.text) for run in drawn)

    def print_in_pictures(self, raw: RawPage, *, min_unread: int) -> PicturePrint:
        """Return how much print the pictures of a page show; none if less than ``min_unread`` squares lack text."""
        try:
            page = self._document.loaded(raw.page_number)
        except errors.PageError:
            return NO_PRINT
        return unread_print.print_in_pictures(raw, self._library, page, min_unread=min_unread) if page else NO_PRINT

    def drawn(self, number: int) -> AbstractContextManager[DrawnPage | None]:
        """Yield a page to be drawn; None for one that the document lacks. Raise PageError."""
        return self._document.drawn(number)

    def outline(self) -> tuple[Bookmark, ...]:
        """Return the bookmarks; () for a document that has crashed a reader or that pikepdf cannot read."""
        structure = None if self._careful else self._document.structure()
        return () if structure is None else read_outline(structure)

    def close(self) -> None:
        self._document.close()

    def __enter__(self) -> PdfFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _readable(characters: Characters) -> int:
    """Return how many characters are not just a sign for a lost one."""
    return len(characters.text) - characters.text.count(REPLACEMENT)


def _unmapped_places(characters: Characters) -> list[Box]:
    """Return the boxes of the characters whose code points are numbers of glyphs."""
    if not np.count_nonzero(characters.unmapped):
        return []
    which = characters.unmapped & (characters.code >= 0x100)
    edges = (characters.x0, characters.top, characters.x1, characters.bottom)
    return [Box(*edge) for edge in zip(*(side[which].tolist() for side in edges), strict=True)]


def _is_drawn(value: TextRun, runs: Sequence[TextRun]) -> bool:
    """Return True if the page itself draws the value of a field at its place, as flattened forms do."""
    middle = (value.top + value.bottom) / 2
    return any(
        run.top <= middle <= run.bottom and run.x0 < value.x1 and value.x0 < run.x1 and value.text in run.text
        for run in runs
    )
