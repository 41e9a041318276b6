"""Read untrusted documents in a child process that can be killed, never in the calling process.

``Reader`` is the handle of a worker on its reader process (``apps.pages.sandbox.server``), which forks a child for
each document or range of pages. The watchdog is on this side of the socket, because a signal handler in Python
does not run while a native library is busy. A child that dies costs the page that it was reading: the pages before it
are kept and a new child continues with the rest. See docs/isolation.md.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

import msgspec

from apps.pages.model.blocks import EmbeddedImage, Page, PageFailure
from apps.pages.model.conversions import conversion_of
from apps.pages.model.document_facts import ContainedFile, DocumentFacts
from apps.pages.model.errors import DamagedDocument, DocumentMemoryExceeded, Stopped, UnplannedError
from apps.pages.model.geometry import Box, Margins
from apps.pages.model.office_options import AS_USUAL, OfficeOptions
from apps.pages.model.page_images import vision_image
from apps.pages.model.page_numbers.ranges import DEFAULT_RANGE_PAGES
from apps.pages.model.region_table import RegionTable, decode_region_table
from apps.pages.sandbox.bisection import MAX_READER_DEATHS, RangeReading, copied, inspect, rendered, unpacked
from apps.pages.sandbox.confinement import Limits
from apps.pages.sandbox.open_document import FileIdentity, ReadableCopies, identity_of
from apps.pages.sandbox.process import Child, ReaderProcess, StartProcess, reader_user
from apps.pages.sandbox.protocol import Hangup, Kind, ReadRequest, ShouldStop

__all__ = ["Limits", "Reader", "Stopped", "shared_reader"]

PAGE_WORK, TABLE_WORK = "apps.pages.reading.page_reading", "apps.pages.reading.table_reading"
"""The modules with what a reader can do. Tables of a region need pdfplumber, which other readers do not import."""
DEFAULT_LIMITS = Limits()
# A child reads at most this many ranges of one document, one after the other; then a fresh child takes over.
_MAX_RANGES_PER_CHILD = 8
# Four times the size of an incompressible page image of 40 million pixels and a margin, because one frame may use a
# quarter of the limit.
_MAX_IMAGE_BYTES = 4 * 48 << 20
# A copy of a document that a repair or unpacked objects make larger.
_COPIES, _ROOM_BYTES = 4, 64 << 20
# All that an archive may unpack to, and a margin.
_MAX_UNPACKED_BYTES = 576 << 20
MAX_UNPACKED_FILES = 10_000


class Reader:
    """One reader process, started when first needed and again after it has died.

    It serves one request at a time, so several threads must not use it at the same moment: ``shared_reader`` is for
    processes of one thread, ``pool.reader_pool`` for those of many.
    ``user``: the user of the reader process if we are root: a name or number; default LEAFMILL_READER_USER.
    ``work``: the module whose ``inspect_document``, ``read_pages``... the children call.
    ``start_process``: calls its argument in a thread that lives as long as the reader is needed.
    ``unavailable``: restrictions to do without, as on machines that lack them; for tests.
    """

    def __init__(
        self,
        *,
        user: str | None = None,
        work: str = PAGE_WORK,
        start_process: StartProcess | None = None,
        unavailable: Sequence[str] = (),
    ) -> None:
        self._user_id = reader_user(user)
        self._work = work
        self._start_process: StartProcess = start_process or (lambda make_process: make_process())
        self._unavailable = tuple(unavailable)
        self._process: ReaderProcess | None = None
        self._copies = ReadableCopies(needed=self._user_id != 0)
        self._kept: _KeptChild | None = None

    def start(self) -> None:
        """Start the process now, so that it warms up while the caller does something else."""
        self._running_process()

    @property
    def pid(self) -> int | None:
        """The id of the reader process; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def peak_bytes(self) -> int:
        """The most memory that a child of the reader process had; 0 before the first has ended."""
        return 0 if self._process is None else self._process.peak_bytes

    def escapes(self) -> tuple[str, ...]:
        """Return what a document that takes over its child could still do here. Raise UnplannedError."""
        return self._running_process().escapes()

    def close(self) -> None:
        """End the process; the next request would start another."""
        self._drop_process()
        self._copies.close()

    def inspect(
        self,
        document: Path,
        *,
        password: str | None = None,
        office: OfficeOptions = AS_USUAL,
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> DocumentFacts:
        """Return the document's type, page count and title. Raise ``DocumentError``, ``Stopped``, OSError."""
        facts, _none = self.inspect_and_read(
            document,
            page_numbers=lambda _facts: (),
            password=password,
            office=office,
            limits=limits,
            should_stop=should_stop,
        )
        return facts

    def read_range(
        self,
        document: Path,
        page_numbers: Sequence[int],
        *,
        password: str | None = None,
        media_type: str = "application/pdf",
        hidden_text: str = "keep",
        preserve_very_small_text: bool = False,
        word_boxes: bool = False,
        margins: Margins | None = None,
        skip_diagonal: bool = False,
        office: OfficeOptions = AS_USUAL,
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> list[Page | PageFailure]:
        """Read these pages. Return one entry for each page number, in the same order, even if children die.

        ``hidden_text``: "keep", or "remove" to leave out text that people cannot see (``Page.hidden`` lists it);
        text below 2 points counts as hidden unless ``preserve_very_small_text``. ``word_boxes``: lines and table cells
        have the boxes of their words. ``margins``: only what is inside of them is read.
        ``skip_diagonal``: diagonal text is left out. ``office``: how documents are read that have a structure of their
        own.
        Raise ``DocumentError`` if the document cannot be opened at all, ``Stopped`` within about 0.2 s after
        ``should_stop`` returns True, OSError if the file cannot be read.
        """
        reading = RangeReading(page_numbers, limits, should_stop)
        request = ReadRequest(
            password=password,
            media_type=media_type,
            hidden_text=hidden_text,
            preserve_very_small_text=preserve_very_small_text,
            word_boxes=word_boxes,
            margins=margins,
            skip_diagonal=skip_diagonal,
            office=office,
        )
        self._finish(reading, document, request)
        return reading.entries()

    def render(
        self,
        document: Path,
        page_number: int,
        *,
        dpi: float,
        max_dpi: float = 0.0,
        margins: Margins | None = None,
        embedded: Sequence[EmbeddedImage] = (),
        password: str | None = None,
        media_type: str = "application/pdf",
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> bytes:
        """Return a page's image in the format of ``ocr_image``, for OCR.

        It is rendered at ``dpi``; a scan keeps its own resolution, up to ``max_dpi``. ``margins`` are white.
        ``embedded``: the image files of an office document that are put on a sheet, with their sizes there. The bytes
        come from a child that may have been taken over, so the process that decodes them must check them. Raise the
        errors of ``read_range``, and ``PageError`` for a page that cannot be rendered.
        """
        limits = msgspec.structs.replace(limits, answer_bytes=_MAX_IMAGE_BYTES)
        request = ReadRequest(
            page_numbers=(page_number,),
            password=password,
            media_type=media_type,
            dpi=dpi,
            max_dpi=max_dpi,
            margins=margins,
            embedded=tuple(embedded),
        )
        return self._rendered(document, Kind.RENDER, request, limits, should_stop)

    def picture(
        self,
        document: Path,
        page_number: int,
        *,
        dpi: float,
        region: Box | None = None,
        max_pixels: int = vision_image.MAX_VISION_PIXELS,
        margins: Margins | None = None,
        embedded: EmbeddedImage | None = None,
        password: str | None = None,
        media_type: str = "application/pdf",
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> bytes:
        """Return the page as displayed as a colour JPEG of at most ``max_pixels`` and 4 MB, for a vision model.

        ``dpi`` is lowered until the image fits. ``region`` (points of the page as displayed) shows that part alone,
        rendered separately at ``dpi``, so that small details can be magnified; ``RegionOutsidePage`` if it is outside
        the page. ``margins`` are white. Image documents are never enlarged. ``embedded``: the image file of an office
        document to return instead. Raise the errors of ``render``.
        """
        limits = msgspec.structs.replace(limits, answer_bytes=4 * vision_image.MAX_JPEG_BYTES)
        request = ReadRequest(
            page_numbers=(page_number,),
            password=password,
            media_type=media_type,
            dpi=dpi,
            region=region,
            max_pixels=max_pixels,
            margins=margins,
            embedded=(embedded,) if embedded else (),
        )
        jpeg = self._rendered(document, Kind.PICTURE, request, limits, should_stop)
        return vision_image.check_vision_image(jpeg, max_pixels=max_pixels)

    def table(
        self,
        document: Path,
        page_number: int,
        *,
        region: Box,
        columns: Sequence[float] = (),
        password: str | None = None,
        media_type: str = "application/pdf",
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> RegionTable:
        """Return the table in a region (points of the page as displayed); the reader's work must be ``TABLE_WORK``.

        ``columns``: the x of the borders of its columns, if they are known. Raise ``PageError`` if there is none, and
        the errors of ``render``.
        """
        request = ReadRequest(
            page_numbers=(page_number,),
            password=password,
            media_type=media_type,
            region=region,
            columns=tuple(columns),
        )
        return decode_region_table(self._rendered(document, Kind.TABLE, request, limits, should_stop))

    def searchable_copy(
        self,
        document: Path,
        out: BinaryIO,
        *,
        page_numbers: Sequence[int],
        layers: bytes,
        layer_pages: Sequence[int],
        pages_to_check: Sequence[int] = (),
        password: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> None:
        """Write these pages of a PDF, without encryption, with a text layer under some of them.

        ``layers``: a PDF with the text of each page of ``layer_pages``. ``pages_to_check``: those of them that get it
        only if the text of the page itself cannot be used. ``out`` may be rewound. Raise the errors of ``render``.
        """
        limits = msgspec.structs.replace(
            limits, answer_bytes=_COPIES * (document.stat().st_size + len(layers)) + _ROOM_BYTES
        )
        request = ReadRequest(
            page_numbers=tuple(page_numbers),
            password=password,
            layer_pages=tuple(layer_pages),
            pages_to_check=tuple(pages_to_check),
        )
        for _attempt in range(MAX_READER_DEATHS + 1):
            out.seek(0)
            out.truncate()
            with suppress(Hangup), self._child(document, limits, pages=len(page_numbers) + 1) as child:
                copied(child, request, layers, out, limits=limits, should_stop=should_stop)
                return
        raise UnplannedError

    def contained_files(
        self,
        document: Path,
        *,
        password: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[tuple[ContainedFile, BinaryIO]]:
        """Yield the files inside a document, each open until the next is asked for. Raise the errors of ``inspect``."""
        limits = msgspec.structs.replace(limits, answer_bytes=_MAX_UNPACKED_BYTES)
        try:
            with self._child(document, limits, pages=MAX_UNPACKED_FILES) as child:
                yield from unpacked(child, ReadRequest(password=password), limits=limits, should_stop=should_stop)
        except Hangup as error:
            raise UnplannedError from error

    def inspect_and_read(
        self,
        document: Path,
        *,
        page_numbers: Callable[[DocumentFacts], Sequence[int]],
        password: str | None = None,
        hidden_text: str = "keep",
        preserve_very_small_text: bool = False,
        word_boxes: bool = False,
        margins: Margins | None = None,
        skip_diagonal: bool = False,
        office: OfficeOptions = AS_USUAL,
        limits: Limits = DEFAULT_LIMITS,
        max_pages: int = DEFAULT_RANGE_PAGES,
        should_stop: ShouldStop | None = None,
    ) -> tuple[DocumentFacts, list[Page | PageFailure] | None]:
        """Inspect a document and, if it is short, read it in the same child.

        ``page_numbers`` returns the requested pages (and may raise ``ParseError``). If there are none, or more than
        ``max_pages``, or if the document must be converted first, no page is read and the second value is None. Raise
        the errors of ``inspect`` and ``read_range``.
        """
        for attempt in range(MAX_READER_DEATHS + 1):
            with suppress(Hangup), self._child(document, limits, pages=max_pages + 1) as child:
                try:
                    facts = inspect(child, password=password, office=office, limits=limits, should_stop=should_stop)
                except (DamagedDocument, DocumentMemoryExceeded) as error:
                    # The system may have killed the child for the memory of other processes.
                    if attempt == 0 and isinstance(error.__cause__, Hangup):
                        continue
                    raise
                if conversion_of(facts.media_type):
                    return facts, None
                requested = page_numbers(facts)
                if not 0 < len(requested) <= max_pages:
                    return facts, None
                reading = RangeReading(requested, limits, should_stop)
                request = ReadRequest(
                    password=password,
                    media_type=facts.media_type,
                    hidden_text=hidden_text,
                    preserve_very_small_text=preserve_very_small_text,
                    word_boxes=word_boxes,
                    margins=margins,
                    skip_diagonal=skip_diagonal,
                    office=office,
                )
                try:
                    reading.read_next_part(child, request, is_fresh=False)
                except Hangup:
                    self._drop_process()
                break
        else:
            raise UnplannedError
        self._finish(reading, document, request)
        return facts, reading.entries()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _rendered(
        self, document: Path, kind: Kind, request: ReadRequest, limits: Limits, should_stop: ShouldStop | None
    ) -> bytes:
        for _attempt in range(MAX_READER_DEATHS + 1):
            with suppress(Hangup), self._child(document, limits, pages=2) as child:
                return rendered(child, kind, request, limits=limits, should_stop=should_stop)
        raise UnplannedError

    def _finish(self, reading: RangeReading, document: Path, request: ReadRequest) -> None:
        """Read the pages that are left, if possible in the child that read the document's previous range.

        Most of the cost of a range, apart from its pages, is the fork and the child's first touch of its memory.
        """
        while part := reading.next_part:
            try:
                with self._copies.open(document) as file:
                    use = _Use(identity_of(file), request, reading.limits)
                    if self._kept is not None and self._kept.use == use:
                        child, ranges_read = self._kept.child, self._kept.ranges_read
                        self._kept = None
                    else:
                        child = self._fork(file, reading.limits, pages=len(part) * _MAX_RANGES_PER_CHILD)
                        ranges_read = 0
                    with child:
                        is_done = reading.read_next_part(child, request, is_fresh=ranges_read == 0)
                        if is_done and ranges_read + 1 < _MAX_RANGES_PER_CHILD:
                            child.keep()
                            self._kept = _KeptChild(child, use, ranges_read + 1)
            except Hangup:
                self._drop_process()
                reading.record_reader_death()

    @contextmanager
    def _child(self, document: Path, limits: Limits, *, pages: int) -> Iterator[Child]:
        """Yield a fresh child that has the document open."""
        with self._copies.open(document) as file, self._fork(file, limits, pages=pages) as child:
            try:
                yield child
            except Hangup:
                self._drop_process()
                raise

    def _fork(self, file: int, limits: Limits, *, pages: int) -> Child:
        """Return a fresh child, after ending the kept one. Start the reader again if it has died."""
        try:
            if self._kept is not None:
                kept, self._kept = self._kept, None
                with kept.child:
                    pass
            return self._running_process().fork(file, limits, pages=pages)
        except Hangup:
            self._drop_process()
            return self._running_process().fork(file, limits, pages=pages)

    def _running_process(self) -> ReaderProcess:
        if self._process is not None and self._process.started_by != os.getpid():
            self._drop_process()  # our parent's, inherited by a fork
        if self._process is not None and self._process.is_closed:
            self._drop_process()  # it could not start
        if self._process is None:
            self._process = self._start_process(
                partial(ReaderProcess, work=self._work, user_id=self._user_id, unavailable=self._unavailable)
            )
        return self._process

    def _drop_process(self) -> None:
        self._kept = None
        if self._process is not None:
            self._process.close()
            self._process = None


class _Use(NamedTuple):
    """The document and options that a child was forked for. Only requests with an equal use may share a child."""

    document: FileIdentity
    request: ReadRequest
    limits: Limits


class _KeptChild(NamedTuple):
    """A child that waits for the next range of its document."""

    child: Child
    use: _Use
    ranges_read: int


class _Shared(threading.local):
    reader: Reader | None = None


_shared = _Shared()


def shared_reader() -> Reader:
    """Return this thread's reader, created at the first call. After a fork of the worker it starts its own process.

    A process with many threads would get as many readers of 25 MB each; it uses ``pool.reader_pool``.
    """
    if _shared.reader is None:
        _shared.reader = Reader()
    return _shared.reader
