"""Turn the frames of children into results: the pages of a range, the facts of a document, or the error to raise."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

import msgspec

from apps.pages.model.blocks import Page, PageFailure, decode_result
from apps.pages.model.document_facts import ContainedFile, DocumentFacts
from apps.pages.model.errors import (
    DamagedDocument,
    DocumentError,
    DocumentMemoryExceeded,
    DocumentTimeout,
    GarbledPage,
    PageCrashed,
    PageError,
    PageMemoryExceeded,
    PageTimeout,
    ParseError,
    UnplannedError,
    error_from_code,
)
from apps.pages.model.media_types import is_structured
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.page_numbers.ranges import DEFAULT_RANGE_PAGES
from apps.pages.sandbox.confinement import Limits
from apps.pages.sandbox.process import Child
from apps.pages.sandbox.protocol import Garbage, Hangup, Kind, Late, ReadRequest, Refusal, ShouldStop

logger = logging.getLogger(__name__)

_CHILD_PROBLEMS = (Hangup, Late, Garbage, msgspec.DecodeError, UnicodeDecodeError, GarbledPage)
# After this many timeouts in a range, each remaining page gets a sixth of the time, so that a range whose pages all
# hang ends.
_MAX_FULL_TIMEOUTS = 2
_HURRIED_SHARE = 1 / 6
_PIECES = 4
_SPOOLED_BYTES = 1 << 20
# Usual pages take a hundredth of this. A slower one is read again alone, in all its time, after its forms are counted:
# forms that draw each other without end would fill the memory of each child that loads the page.
_FIRST_CPU_SECONDS = 1
# A range with this many slow pages is a slow range: each page has all its time at once.
_MAX_SLOW_PAGES = 3
# A reader that dies is replaced this many times within one request; then the request fails.
MAX_READER_DEATHS = 2


class RangeReading:
    """The results of one range of pages, collected from as many children as it takes.

    A part whose child died is cut into four and each piece gets a child of its own, down to single pages. With halves,
    a page that hangs would use up its whole time twice as often before it is alone.
    """

    def __init__(self, page_numbers: Sequence[int], limits: Limits, should_stop: ShouldStop | None) -> None:
        self.limits = limits
        self._page_numbers = list(page_numbers)
        self._entries: dict[int, Page | PageFailure] = {}
        self._parts = [self._page_numbers] if self._page_numbers else []
        self._should_stop = should_stop
        self._timeouts = 0
        self._careful = False
        self._slow: set[int] = set()
        self._reader_deaths = 0

    def entries(self) -> list[Page | PageFailure]:
        """Return one entry for every page number, in the order of the request."""
        return [self._entries[page_number] for page_number in self._page_numbers]

    @property
    def next_part(self) -> list[int] | None:
        """The page numbers for the next child; None when every page has its entry."""
        return self._parts[0] if self._parts else None

    def read_next_part(self, child: Child, request: ReadRequest, *, is_fresh: bool) -> bool:
        """Collect the next part's pages. Return False if the child died or refused. ``is_fresh``: its first request."""
        part = self._parts[0]
        # Only PDFs draw forms. The first page of an office file waits until the whole file is open.
        is_open_at_once = not is_structured(request.media_type)
        suspect = is_open_at_once and (part[0] in self._slow or len(self._slow) >= _MAX_SLOW_PAGES)
        whole = self.limits.cpu_seconds
        request = msgspec.structs.replace(
            request,
            page_numbers=tuple(part),
            careful=self._careful,
            suspect=suspect,
            cpu_seconds=min(_FIRST_CPU_SECONDS, whole) if is_open_at_once and not suspect else whole,
        )
        try:
            child.send(Kind.READ, request)
            while True:
                kind, body = child.next_frame(within_seconds=self.limits.wall_seconds, should_stop=self._should_stop)
                expected = self._unread(part)
                if kind == Kind.PAGE:
                    entry = decode_result(body)
                    if not expected or entry.number != expected[0]:
                        raise Garbage("the child sent a page that was not requested")
                    self._entries[entry.number] = entry
                elif kind == Kind.REFUSED:
                    error = _error_of(msgspec.json.decode(body, type=Refusal))
                    if not isinstance(error, PageError):
                        raise error
                    self.record_failure(error, is_fresh=is_fresh)
                    return False
                elif kind != Kind.DONE or expected:
                    raise Garbage(f"the child sent {kind.name} out of turn")
                else:
                    self._parts.pop(0)
                    return True
        except _CHILD_PROBLEMS as problem:
            error = child.end_after(problem)
            rest = self._unread(part)
            is_slow = rest and isinstance(error, PageTimeout) and not isinstance(problem, Late)
            if is_slow and request.cpu_seconds < whole:
                self._slow.add(rest[0])
                self._parts[0:1] = [numbers for numbers in (rest[:1], rest[1:]) if numbers]
            else:
                self.record_failure(error, is_fresh=is_fresh)
            return False

    def record_failure(self, error: PageError, *, is_fresh: bool = True) -> None:
        """Handle the failure of the next part: fail the page if it was alone, else cut up the pages not yet read.

        A child that is not fresh may have failed because of earlier work; then the pages not yet read are tried again
        together. The first page that crashes, times out or takes too much memory alone is read again carefully, and so
        are all pages after it: the system may have killed its child for the memory of other processes.
        """
        if isinstance(error, PageTimeout):
            self._timeouts += 1
            if self._timeouts == _MAX_FULL_TIMEOUTS:
                self.limits = msgspec.structs.replace(
                    self.limits,
                    wall_seconds=self.limits.wall_seconds * _HURRIED_SHARE,
                    cpu_seconds=max(1, int(self.limits.cpu_seconds * _HURRIED_SHARE)),
                )
        part = self._parts.pop(0)
        rest = self._unread(part)
        if not is_fresh:
            self._parts[:0] = [rest] if rest else []
            return
        if len(part) == 1 and rest:
            if isinstance(error, PageCrashed | PageTimeout | PageMemoryExceeded) and not self._careful:
                self._careful = True
                self._parts[:0] = [rest]
                return
            self._entries[rest[0]] = PageFailure(number=rest[0], code=error.code, detail=error.detail)
            return
        size = -(-len(rest) // _PIECES)
        self._parts[:0] = [rest[start : start + size] for start in range(0, len(rest), size or 1)]

    def record_reader_death(self) -> None:
        """Count a death of the reader itself. No page should be able to cause it, so the part is first tried again."""
        self._reader_deaths += 1
        if self._reader_deaths > MAX_READER_DEATHS:
            self.record_failure(PageCrashed())

    def _unread(self, part: list[int]) -> list[int]:
        return [page_number for page_number in part if page_number not in self._entries]


def inspect(
    child: Child, *, password: str | None, office: OfficeOptions, limits: Limits, should_stop: ShouldStop | None
) -> DocumentFacts:
    """Return the facts of the child's document. Raise ``DocumentError``, ``UnplannedError``, ``Stopped``."""
    try:
        child.send(Kind.INSPECT, ReadRequest(password=password, max_pages=limits.max_pages, office=office))
        kind, body = child.next_frame(within_seconds=limits.wall_seconds, should_stop=should_stop)
        if kind == Kind.REFUSED:
            raise _document_error_of(_error_of(msgspec.json.decode(body, type=Refusal)))
        facts = msgspec.json.decode(body, type=DocumentFacts)
        kind, _body = child.next_frame(within_seconds=limits.wall_seconds, should_stop=should_stop)
        if kind != Kind.DONE:
            raise Garbage(f"the child sent {kind.name} out of turn")
    except _CHILD_PROBLEMS as problem:
        raise _document_error_of(child.end_after(problem)) from problem
    else:
        return facts


def rendered(
    child: Child, kind: Kind, request: ReadRequest, *, limits: Limits, should_stop: ShouldStop | None
) -> bytes:
    """Return the encoded image of a page (``kind``: RENDER or PICTURE) or table (TABLE). Raise ``PageError``."""
    try:
        child.send(kind, request)
        reply, body = child.next_frame(within_seconds=limits.wall_seconds, should_stop=should_stop)
        if reply == Kind.REFUSED:
            raise _error_of(msgspec.json.decode(body, type=Refusal))
        if reply != (Kind.CELLS if kind == Kind.TABLE else Kind.IMAGE):
            raise Garbage(f"the child sent {reply.name} out of turn")
    except _CHILD_PROBLEMS as problem:
        raise child.end_after(problem) from problem
    else:
        return body


def unpacked(
    child: Child, request: ReadRequest, *, limits: Limits, should_stop: ShouldStop | None
) -> Iterator[tuple[ContainedFile, BinaryIO]]:
    """Yield the files inside the child's document; each is open until the next is asked for. Raise DocumentError."""
    try:
        child.send(Kind.UNPACK, request)
        kind, body = child.next_frame(within_seconds=limits.wall_seconds, should_stop=should_stop)
        while kind == Kind.FILE:
            file = msgspec.json.decode(body, type=ContainedFile)
            with tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as content:
                kind, body = child.next_frame(within_seconds=limits.wall_seconds, should_stop=should_stop)
                while kind == Kind.PART:
                    content.write(body)
                    kind, body = child.next_frame(within_seconds=limits.wall_seconds, should_stop=should_stop)
                content.seek(0)
                yield file, cast(BinaryIO, content)
        if kind == Kind.REFUSED:
            raise _document_error_of(_error_of(msgspec.json.decode(body, type=Refusal)))
        if kind != Kind.DONE:
            raise Garbage(f"the child sent {kind.name} out of turn")
    except _CHILD_PROBLEMS as problem:
        raise _document_error_of(child.end_after(problem)) from problem


def copied(
    child: Child, request: ReadRequest, layers: bytes, out: BinaryIO, *, limits: Limits, should_stop: ShouldStop | None
) -> None:
    """Write the parts of a copy with text layers to ``out``. Raise ``PageError``."""
    try:
        child.send_layers(layers)
        child.send(Kind.COPY, request)
        seconds = limits.wall_seconds * (1 + len(request.page_numbers) // DEFAULT_RANGE_PAGES)
        while True:
            kind, body = child.next_frame(within_seconds=seconds, should_stop=should_stop)
            if kind == Kind.REFUSED:
                raise _error_of(msgspec.json.decode(body, type=Refusal))
            if kind == Kind.DONE:
                return
            if kind != Kind.PART:
                raise Garbage(f"the child sent {kind.name} out of turn")
            out.write(body)
    except _CHILD_PROBLEMS as problem:
        raise child.end_after(problem) from problem


def _error_of(refusal: Refusal) -> ParseError:
    """Return the error that the child reports; ``UnplannedError`` for a code that a child may not report."""
    if refusal.code == PageMemoryExceeded.code:
        return PageMemoryExceeded()
    if refusal.traceback:
        logger.error("A document reader stopped on an unplanned error: %r", refusal.traceback)
    return error_from_code(refusal.code, refusal.detail)


def _document_error_of(error: ParseError) -> ParseError:
    """Turn the error of a page into one of the document, because no page was being read."""
    if isinstance(error, DocumentError | UnplannedError):
        return error
    if isinstance(error, PageTimeout):
        return DocumentTimeout()
    if isinstance(error, PageMemoryExceeded):
        return DocumentMemoryExceeded()
    return DamagedDocument()
