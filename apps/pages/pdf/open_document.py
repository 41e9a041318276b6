"""A PDF opened with PDFium, and with qpdf for facts that PDFium does not give. qpdf repairs a broken file first."""

from __future__ import annotations

import ctypes
import io
import mmap
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from apps.pages.model import errors
from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES
from apps.pages.pdf.drawn_page import DrawnPage
from apps.pages.pdf.page_frame import frame_of
from apps.pages.pdf.pdfium_library import pdfium
from apps.pages.pdf.repair import repaired
from apps.pages.pdf.structure.catalog import may_have_layers
from apps.pages.pdf.structure.layers import MAX_COPIED_BYTES, LayerMarks, copy_with_marks
from apps.pages.pdf.text.characters import Frame

_HEADER = b"%PDF-"
_SHOWS_TEXT = re.compile(rb"[)>\]]\s*T[jJ]\b")
_START_BYTES = 1 << 16
_LOOP = "Loop detected"  # how qpdf names it
# PDFium's text reader takes memory for each point of the width and the height of a page.
MAX_SIDE_POINTS = 200_000.0
# The structure that PDFium asks for to draw form fields: its version, and more room than its callbacks take, all unset.
_FORM_VERSION, _FORM_CALLBACKS = 2, 64


class OpenDocument:
    """A PDF that is opened when a page is loaded first. Close it.

    ``careful``: open a bare copy without outline and forms, for a file that has crashed a reader before.
    ``handle``: PDFium's document, 0 while it is closed. ``is_tagged`` and ``layers`` are known while it is open.
    ``size``: bytes of what PDFium has opened.
    ``openings``: how often PDFium has opened it; a repaired file is opened a second time.
    """

    def __init__(self, path: str, password: str | None, *, careful: bool) -> None:
        self.handle = 0
        self.openings = 0
        self.is_tagged = False
        self.size = 0
        self.layers: LayerMarks | None = None
        self._path = path
        self._password = password
        self._careful = careful
        self._library = pdfium()
        self._bytes: Any = None
        self._repaired: bytes | None = None
        self._is_irreparable = False
        self._structure: Any = None
        self._form = 0
        self._callbacks: Any = None
        self._vast: dict[int, Frame] = {}
        self._last_page = (0, 0)

    def loaded(self, number: int) -> int:
        """Load a page; 0 for one that the page tree counts and that does not exist. Raise PageError.

        It stays loaded until another page is, because a page may be read, turned and rendered one after the other.
        """
        library = self._library
        if self._last_page[0] == number and self._last_page[1]:
            return self._last_page[1]
        self._close_page()
        if not self.handle:
            self._open()
        page = self._page(number)
        count = library.FPDF_GetPageCount(self.handle)
        is_repairable = self._repaired is None and not self._is_irreparable
        if is_repairable and (not page or self._has_lost_text(page, number)):
            # qpdf repairs more than PDFium does; only broken files pay for this second chance.
            if page:
                library.FPDF_ClosePage(page)
            try:
                self._open_repaired()
            except errors.PageError as error:
                self._is_irreparable = True
                # A tree that loops has no such page; one without pages shows an empty sheet, as viewers do.
                if not page and (number > count or _LOOP in error.detail):
                    raise
                page = self._page(number)
            else:
                page, count = self._page(number), library.FPDF_GetPageCount(self.handle)
        if not page and number > count:
            raise errors.PageError
        self._last_page = number, page
        return page

    def _has_lost_text(self, page: int, number: int) -> bool:
        """Return True if PDFium found nothing on a page whose content shows text, as in a file with broken streams."""
        if self._library.FPDFPage_CountObjects(page):
            return False
        document = self.structure()
        if document is None:
            return False
        import pikepdf

        try:
            content = document.pages[number - 1].obj.get("/Contents", ())
            for stream in [content] if hasattr(content, "read_raw_bytes") else list(content):
                start: bytes = stream.read_raw_bytes()
                if "/Filter" in stream:  # a short stream may decode to gigabytes, so only its start is decoded
                    start = zlib.decompressobj().decompress(start, _START_BYTES)
                if _SHOWS_TEXT.search(start, 0, _START_BYTES):
                    return True
        except (AttributeError, IndexError, TypeError, ValueError, RuntimeError, zlib.error, pikepdf.PdfError):
            return False  # no stream, or one that is compressed in another way
        return False

    def frame_of(self, page: int, number: int) -> Frame:
        """Return the visible part of a loaded page; of a vast page its own, not the one it was cut to."""
        return self._vast.get(number) or frame_of(self._library, page)

    @contextmanager
    def source(self) -> Iterator[tuple[BinaryIO, str | None]]:
        """Yield the file, or its repaired or marked copy, and the password that opens it, for another library."""
        copy = self._bytes if self.layers is not None else self._repaired
        if copy is not None:
            yield io.BytesIO(copy), None
            return
        with open(self._path, "rb") as file:  # noqa: PTH123 (the path may be a descriptor of a file without a name)
            yield file, self._password

    @contextmanager
    def drawn(self, number: int) -> Iterator[DrawnPage | None]:
        """Yield a page to be drawn with the values of its form fields; None for one that the document lacks.

        Raise PageError. The page is the one that was read, because loading it costs as much as drawing it.
        """
        page = self.loaded(number)
        if not page or self._library.FPDF_GetFormType(self.handle) <= 0:
            yield DrawnPage(self._library, page) if page else None
            return
        # Fields are drawn on pages that are loaded after PDFium has read the form.
        form = self._read_form()
        page = self._page(number)
        if not page:
            raise errors.PageError
        self._library.FORM_OnAfterLoadPage(page, form)
        try:
            yield DrawnPage(self._library, page, form)
        finally:
            self._library.FORM_OnBeforeClosePage(page, form)
            self._library.FPDF_ClosePage(page)

    def _read_form(self) -> int:
        """Return the handle that draws the fields of the form; 0 if PDFium cannot read it."""
        if not self._form:
            self._callbacks = (ctypes.c_size_t * _FORM_CALLBACKS)(_FORM_VERSION)
            at = ctypes.addressof(self._callbacks)
            self._form = self._library.FPDFDOC_InitFormFillEnvironment(self.handle, at) or 0
        return self._form

    def structure(self) -> Any:
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

    def close(self) -> None:
        self._close_document()
        if self._structure is not None:
            self._structure.close()
            self._structure = None

    def _page(self, number: int) -> int:
        """Load a page; return 0 if that fails. A vast page is cut to a box that PDFium can hold, not its contents."""
        library = self._library
        page: int = library.FPDF_LoadPage(self.handle, number - 1) or 0
        if page and number not in self._vast and max((frame := frame_of(library, page)).size) > MAX_SIDE_POINTS:
            self._vast[number] = frame
            library.FPDFPage_SetMediaBox(page, 0.0, 0.0, MAX_SIDE_POINTS, MAX_SIDE_POINTS)
            library.FPDF_ClosePage(page)
            page = library.FPDF_LoadPage(self.handle, number - 1) or 0
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
            self.handle = self._load(self._bytes, len(self._bytes), None) or 0
        else:
            self._bytes = buffer
            self.handle = self._load(buffer, len(content) - start, self._password) or 0
        if not self.handle:
            self._open_repaired()

    def _copy_with_marks(self, content: Any) -> bytes | None:
        """Return a copy of the document in which hidden layers are marked; None if it hides none or is too large."""
        if not may_have_layers(content) or len(content) > MAX_COPIED_BYTES:
            return None
        document = self.structure()
        if document is None:
            return None
        try:
            copy = copy_with_marks(document)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):  # a broken part of the document
            return None
        if copy is not None:
            self.layers = LayerMarks(self._library)
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
        self.handle = self._load(self._bytes, len(self._bytes), None) or 0
        if not self.handle:
            raise errors.PageError

    def _load(self, content: Any, size: int, password: str | None) -> int:
        given = password.encode() if password is not None else None
        document: int = self._library.FPDF_LoadMemDocument64(ctypes.cast(content, ctypes.c_void_p), size, given)
        self.openings += 1
        self.size = size
        self.is_tagged = bool(document) and self._library.FPDFCatalog_IsTagged(document) == 1
        return document

    def _close_page(self) -> None:
        if self._last_page[1]:
            self._library.FPDF_ClosePage(self._last_page[1])
        self._last_page = 0, 0

    def _close_document(self) -> None:
        self._close_page()
        if self._form:
            self._library.FPDFDOC_ExitFormFillEnvironment(self._form)
            self._form = 0
        if self.handle:
            self._library.FPDF_CloseDocument(self.handle)
            self.handle = 0
        self._bytes = None
        self.layers = None
        self._vast.clear()
