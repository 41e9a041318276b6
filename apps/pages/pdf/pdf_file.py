"""An opened PDF -> raw pages: text runs, drawings and pictures, read by PDFium from one loaded page.

PDFium is native code that reads untrusted bytes, so this runs only inside the sandboxed child.
docs/decisions/text-engine.md gives the reasons for the engine.
"""

from __future__ import annotations

import ctypes
import io
import mmap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import numpy as np

from apps.pages.model import errors
from apps.pages.model.blocks import Bookmark, PageFailure
from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import Char, Link, RawPage, TextRun
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS
from apps.pages.pdf import rasters
from apps.pages.pdf.annotations import field_runs, read_annotations
from apps.pages.pdf.appearances import appearance_characters, appearance_page
from apps.pages.pdf.drawings import DrawingReader
from apps.pages.pdf.page_frame import blank_page, frame_of, turned_box
from apps.pages.pdf.pdfium_library import pdfium
from apps.pages.pdf.repair import repaired
from apps.pages.pdf.structure.catalog import may_have_layers
from apps.pages.pdf.structure.layers import MAX_COPIED_BYTES, LayerMarks, copy_with_marks
from apps.pages.pdf.structure.outline import read_outline
from apps.pages.pdf.structure.structure_tree import read_tags
from apps.pages.pdf.text.character_boxes import boxes_of
from apps.pages.pdf.text.characters import CharacterReader, Characters, Frame
from apps.pages.pdf.text.text_runs import text_runs
from apps.pages.pdf.text.vertical_writing import mark_vertical

_HEADER = b"%PDF-"
_LOOP = "Loop detected"  # how qpdf names it
# PDFium's text reader takes memory for each point of the width and the height of a page.
MAX_SIDE_POINTS = 200_000.0
FONTS_MISSING = "fonts_missing"
"""Warning of a page with text in fonts that neither the file nor the machine has."""


SECOND_READER = "pdfminer"


class SecondReading(NamedTuple):
    """A page as pdfminer reads it; its size in points, as displayed."""

    characters: Characters
    width: float
    height: float


class PdfFile:
    """An opened PDF; ``pages`` may be called more than once. Close it, or use ``with``.

    ``careful``: read a bare copy without outline and forms, for a file that has crashed a reader before.
    """

    def __init__(self, path: str, password: str | None = None, *, careful: bool = False) -> None:
        self._path = path
        self._password = password
        self._careful = careful
        self._library = pdfium()
        self._document = 0
        self._bytes: Any = None
        self._repaired: bytes | None = None
        self._is_irreparable = False
        self._rendered: Any = None
        self._structure: Any = None  # pikepdf's document
        self._is_tagged = False
        self._layers: LayerMarks | None = None
        self._vast: dict[int, Frame] = {}
        self._characters = CharacterReader(self._library)
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
        edges = [array.tolist() for array in (boxes.x0, boxes.top, boxes.x1, boxes.bottom, (found.angle - angle) % 360)]
        letters = [Char(*char) for char in zip(found.text, *edges, strict=True)]
        blanks = [Box(*box) for box in found.blanks]
        blanks = [turned_box(box, angle, width, height) for box in blanks] if angle else blanks
        return letters + [Char(" ", *msgspec.structs.astuple(box)) for box in blanks]

    def rendered(self) -> Any:
        """Return the document as pypdfium2 opens it, for rendering; None when it cannot be opened."""
        if self._rendered is None:
            of_file = self._repaired is None
            self._rendered = rasters.open_document(self._repaired or self._path, self._password if of_file else None)
        return self._rendered

    def _read(self, number: int, turned: int = 0) -> RawPage | PageFailure:
        try:
            with self._loaded(number) as page:
                return self._raw_page(page, number, turned) if page else blank_page(number)
        except errors.PageError as error:
            second = self._second_reading(number)
            if second is None or not second.characters.text:
                return PageFailure(number=number, code=error.code, detail=error.detail)
            return self._page_without_drawings(number, second, turned)

    def _page_without_drawings(self, number: int, reading: SecondReading, turned: int) -> RawPage:
        """Return what the second reader knows of a page that PDFium cannot read."""
        characters = mark_vertical(reading.characters)
        self._last = number, characters
        width, height = reading.width, reading.height
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
        )

    @contextmanager
    def _loaded(self, number: int) -> Iterator[int]:
        """Load a page; 0 for one that the page tree counts and that does not exist. Raise PageError."""
        library = self._library
        if not self._document:
            self._open()
        page = self._page(number)
        count = library.FPDF_GetPageCount(self._document)
        if not page and self._repaired is None and not self._is_irreparable:
            # qpdf repairs more than PDFium does; only broken files pay for this second chance.
            try:
                self._open_repaired()
            except errors.PageError as error:
                self._is_irreparable = True
                # A tree that loops has no such page; one without pages shows an empty sheet, as viewers do.
                if number > count or _LOOP in error.detail:
                    raise
            else:
                page, count = self._page(number), library.FPDF_GetPageCount(self._document)
        if not page and number > count:
            raise errors.PageError
        try:
            yield page
        finally:
            if page:
                library.FPDF_ClosePage(page)

    def _page(self, number: int) -> int:
        """Load a page; return 0 if that fails. A vast page is cut to a box that PDFium can hold, not its contents."""
        library = self._library
        page: int = library.FPDF_LoadPage(self._document, number - 1) or 0
        if page and number not in self._vast and max((frame := frame_of(library, page)).size) > MAX_SIDE_POINTS:
            self._vast[number] = frame
            library.FPDFPage_SetMediaBox(page, 0.0, 0.0, MAX_SIDE_POINTS, MAX_SIDE_POINTS)
            library.FPDF_ClosePage(page)
            page = library.FPDF_LoadPage(self._document, number - 1) or 0
        return page

    def _open(self) -> None:
        if self._careful:
            self._open_repaired()
            return
        with open(self._path, "rb") as file:  # noqa: PTH123 (the path may be a descriptor)
            try:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            except ValueError as error:
                raise errors.PageError from error
        start = max(0, content.find(_HEADER, 0, MAX_HEADER_OFFSET_BYTES))
        buffer = (ctypes.c_char * (len(content) - start)).from_buffer(content, start)
        self._bytes = self._copy_with_marks(content)
        if self._bytes is not None:
            self._document = self._load(self._bytes, len(self._bytes), None) or 0
        else:
            self._bytes = buffer
            self._document = self._load(buffer, len(content) - start, self._password) or 0
        if not self._document:
            self._open_repaired()

    def _copy_with_marks(self, content: Any) -> bytes | None:
        """Return a copy of the document in which hidden layers are marked; None if it hides none or is too large."""
        if not may_have_layers(content) or len(content) > MAX_COPIED_BYTES:
            return None
        document = self._opened_structure()
        if document is None:
            return None
        try:
            copy = copy_with_marks(document)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):  # a broken part of the document
            return None
        if copy is not None:
            self._layers = LayerMarks(self._library)
        return copy

    def _open_repaired(self) -> None:
        """Open the file as qpdf writes it anew. Raise PageError when qpdf cannot read it either."""
        import pikepdf

        try:
            content = repaired(self._path, self._password, bare=self._careful)
        except (pikepdf.PdfError, pikepdf.PasswordError, OSError, ValueError, RuntimeError) as error:
            raise errors.PageError(f"{errors.PageError.__doc__} ({str(error)[:200]})") from error
        self._close_document()
        self._repaired = content
        self._structure = None
        self._bytes = self._copy_with_marks(self._repaired) or self._repaired
        self._document = self._load(self._bytes, len(self._bytes), None) or 0
        if not self._document:
            raise errors.PageError

    def _load(self, content: Any, size: int, password: str | None) -> int:
        given = password.encode() if password is not None else None
        document: int = self._library.FPDF_LoadMemDocument64(ctypes.cast(content, ctypes.c_void_p), size, given)
        self._is_tagged = bool(document) and self._library.FPDFCatalog_IsTagged(document) == 1
        self._characters = CharacterReader(self._library, tagged=self._is_tagged)
        return document

    def _raw_page(self, page: int, number: int, turned: int) -> RawPage:
        library = self._library
        frame = self._vast.get(number) or frame_of(library, page)
        width, height = frame.size
        drawings = self._drawings.read(page, frame, layers=self._layers)
        text_page = library.FPDFText_LoadPage(page)
        if not text_page:
            raise errors.PageError
        try:
            characters = self._characters.read(
                page,
                text_page,
                frame,
                max_characters=MAX_TEXT_CHARACTERS,
                drawn=drawings.texts,
                hidden=frozenset(drawings.hidden),
            )
        finally:
            library.FPDFText_ClosePage(text_page)
        warnings: list[str] = []
        second: SecondReading | None = None
        silent = [handle for handle in drawings.texts if handle not in characters.objects]
        if silent:
            warnings = [FONTS_MISSING] if self._characters.has_silent_fonts(silent) else []
            if warnings or self._characters.has_silent_groups(silent, characters.objects):
                second = self._second_reading(number)
        if number in self._badly_read:
            second = self._second_reading(number)
        if second and (number in self._badly_read or len(second.characters.text) > len(characters.text)):
            characters = second.characters
        else:
            second = None
        characters = mark_vertical(characters)
        self._last = number, characters

        def placed(boxes: list[Box]) -> list[Box]:
            return [turned_box(box, turned, width, height) for box in boxes] if turned else boxes

        runs = text_runs(characters, width, height, turned=turned)
        read = len(runs)
        stamped = 0
        noted = read_annotations(library, self._document, page, frame)
        if (noted.has_fields or noted.has_appearances) and not self._careful:
            over, stamped = self._annotation_runs(number, frame, turned, placed)
            runs += [run for run in over if not _is_drawn(run, runs)]
        content = drawings.content_box
        return RawPage(
            page_number=number,
            width=height if turned in (90, 270) else width,
            height=width if turned in (90, 270) else height,
            runs=runs,
            rulings=placed(drawings.rulings),
            fills=placed(drawings.fills),
            pictures=placed(drawings.pictures),
            dots=placed(drawings.dots),
            content_box=content if content is None else placed([content])[0],
            truncated=characters.truncated,
            text=characters.text + "".join([run.text for run in runs[read:]]),
            outside=characters.outside,
            unmapped=int(np.count_nonzero(characters.unmapped & (characters.code >= 0x100))),
            links=[Link(placed([link.box])[0], link.url) for link in noted.links],
            struck=placed(noted.struck),
            stamp_characters=stamped,
            warnings=warnings,
            columns_share=float(characters.vertical.mean()) if characters.vertical.any() else 0.0,
            reader=SECOND_READER if second else "",
            tags=read_tags(library, page) if self._is_tagged else None,
            hidden=characters.hidden_text,
        )

    def _second_reading(self, number: int) -> SecondReading | None:
        """Return a page as pdfminer reads it; None when it cannot."""
        if self._second is None or self._second[0] != number:
            try:
                from apps.pages.pdf.text.second_reader import second_characters

                # The path may be a descriptor of a file without a name.
                with io.BytesIO(self._repaired) if self._repaired else open(self._path, "rb") as file:  # noqa: PTH123
                    password = None if self._repaired else self._password
                    self._second = number, SecondReading(*second_characters(file, password, number))
            except (errors.PageError, ImportError):  # the program's own folders may be closed to this process
                return None
        return self._second[1]

    def _annotation_runs(
        self, number: int, frame: Frame, turned: int, placed: Callable[[list[Box]], list[Box]]
    ) -> tuple[list[TextRun], int]:
        """Return the text of the fields, notes and stamps of a page, and how many characters are of stamps.

        There is none when pikepdf cannot read the document.
        """
        structure = self._opened_structure()
        if structure is None:
            return [], 0
        runs = field_runs(structure, number, frame, placed)
        content = appearance_page(structure, number, frame)
        characters = appearance_characters(self._library, content, frame) if content else None
        drawn = [] if characters is None else text_runs(characters, *frame.size, turned=turned)
        return runs + drawn, sum(len(run.text) for run in drawn)

    def outline(self) -> tuple[Bookmark, ...]:
        """Return the bookmarks; () for a document that has crashed a reader or that pikepdf cannot read."""
        structure = None if self._careful else self._opened_structure()
        return () if structure is None else read_outline(structure)

    def _opened_structure(self) -> Any:
        """Return the document as pikepdf opens it, None when it cannot."""
        import pikepdf

        if self._structure is None:
            try:
                source = io.BytesIO(self._repaired) if self._repaired is not None else self._path
                password = "" if self._repaired is not None else self._password or ""
                self._structure = pikepdf.open(source, password=password, suppress_warnings=True)
            except (pikepdf.PdfError, pikepdf.PasswordError, OSError, RuntimeError):
                return None
        return self._structure

    def _close_document(self) -> None:
        if self._document:
            self._library.FPDF_CloseDocument(self._document)
            self._document = 0
        self._bytes = None
        self._layers = None
        self._vast.clear()

    def close(self) -> None:
        self._close_document()
        if self._rendered is not None:
            self._rendered.close()
            self._rendered = None
        if self._structure is not None:
            self._structure.close()
            self._structure = None

    def __enter__(self) -> PdfFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_drawn(value: TextRun, runs: Sequence[TextRun]) -> bool:
    """Return True if the page itself draws the value of a field at its place, as flattened forms do."""
    middle = (value.top + value.bottom) / 2
    return any(
        run.top <= middle <= run.bottom and run.x0 < value.x1 and value.x0 < run.x1 and value.text in run.text
        for run in runs
    )
