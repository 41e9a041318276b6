"""Untrusted documents are read here: in a child that can be killed, never in the calling process.

``Reader`` is the handle of a worker on its reader process (``apps.pages.reader``), which forks a child for every
document or range of pages. The watchdog is on this side of the socket, because a signal handler in Python does not run
while a native library is busy. A child that dies costs the page it was at; the pages before it are kept and a new child
goes on with the rest. docs/isolation.md has the whole picture.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import msgspec

from apps.pages.blocks import Page, PageFailure, decode_result
from apps.pages.confinement import Limits
from apps.pages.document import DocumentFacts
from apps.pages.errors import (
    DamagedDocument,
    DocumentError,
    GarbledPage,
    PageCrashed,
    PageError,
    PageMemoryExceeded,
    PageTimeout,
    ParseError,
    Stopped,
    UnplannedError,
    error_from_code,
)
from apps.pages.open_document import ReadableCopies
from apps.pages.reader_process import Child, ReaderProcess, reader_user
from apps.pages.wire import Garbage, Hangup, Kind, Late, Order, Refusal

__all__ = ["Limits", "Reader", "Stopped", "shared_reader"]

logger = logging.getLogger(__name__)

DEFAULT_LIMITS = Limits()
ShouldStop = Callable[[], bool]
_CHILD_PROBLEMS = (Hangup, Late, Garbage, msgspec.DecodeError, GarbledPage)
# After so many pages of a range ran out of time, the others get a sixth: a whole range that hangs must end.
_PATIENCE = 2
_PIECES = 4
# A reader that dies is replaced this often within one request before somebody is told.
_READER_DEATHS = 2
_HURRIED_SHARE = 1 / 6


class Reader:
    """One reader process, started when first needed and again when it has died. Not to be shared between threads.

    ``user``: who the reader becomes where we are root (a name or number; default LEAFMILL_READER_USER, else nobody).
    ``work``: the module whose ``inspect_document`` and ``read_pages`` the children call.
    """

    def __init__(self, *, user: str | None = None, work: str = "apps.pages.reading") -> None:
        self._user_id = reader_user(user)
        self._work = work
        self._process: ReaderProcess | None = None
        self._copies = ReadableCopies(needed=self._user_id != 0)

    def start(self) -> None:
        """Start the process now, so that it warms up while we do something else."""
        self._running()

    @property
    def pid(self) -> int | None:
        """The reader process, for those who watch its memory; None while there is none."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process; the next request would start another."""
        if self._process is not None:
            self._process.close()
            self._process = None
        self._copies.close()

    def inspect(
        self,
        document: Path,
        *,
        password: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> DocumentFacts:
        """Look at the document as a whole: kind, pages, encryption. Raises ``DocumentError``, ``Stopped``, OSError."""
        facts, _none = self.inspect_and_read(
            document, numbers=lambda _facts: (), password=password, limits=limits, should_stop=should_stop
        )
        return facts

    def read_range(
        self,
        document: Path,
        numbers: Sequence[int],
        *,
        password: str | None = None,
        media_type: str = "application/pdf",
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> list[Page | PageFailure]:
        """Read these pages: one entry for every number, in the same order, whatever happens to the children.

        Raises ``DocumentError`` when the document cannot be opened at all, ``Stopped`` within about 0.2 s after
        ``should_stop`` says so, OSError when the file cannot be read.
        """
        reading = _RangeReading(numbers, limits, _look_up(should_stop))
        self._finish(reading, document, Order(password=password, media_type=media_type))
        return reading.entries()

    def inspect_and_read(
        self,
        document: Path,
        *,
        numbers: Callable[[DocumentFacts], Sequence[int]],
        password: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        most_pages: int = 16,
        should_stop: ShouldStop | None = None,
    ) -> tuple[DocumentFacts, list[Page | PageFailure] | None]:
        """Inspect a document and, if it is short, read it in the same child.

        ``numbers`` says which pages are wanted (and may raise ``ParseError``). Where they are more than
        ``most_pages``, or none, nothing is read and the second value is None. Raises what ``inspect`` and
        ``read_range`` raise.
        """
        look_up = _look_up(should_stop)
        for _attempt in range(_READER_DEATHS + 1):
            with suppress(Hangup), self._child(document, limits, pages=most_pages + 1) as child:
                facts = _inspect(child, password=password, limits=limits, look_up=look_up)
                wanted = numbers(facts)
                if not 0 < len(wanted) <= most_pages:
                    return facts, None
                reading = _RangeReading(wanted, limits, look_up)
                order = Order(password=password, media_type=facts.media_type)
                try:
                    reading.go_on(child, order, fresh=False)
                except Hangup:
                    self._let_go()
                break
        else:
            raise UnplannedError
        self._finish(reading, document, order)
        return facts, reading.entries()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _running(self) -> ReaderProcess:
        if self._process is not None and self._process.started_by != os.getpid():
            self._process.close()  # our parent's, inherited by a fork
            self._process = None
        if self._process is None:
            self._process = ReaderProcess(work=self._work, user_id=self._user_id)
        return self._process

    def _finish(self, reading: _RangeReading, document: Path, order: Order) -> None:
        while part := reading.next_part:
            try:
                with self._child(document, reading.limits, pages=len(part)) as child:
                    reading.go_on(child, order)
            except Hangup:
                reading.lose_reader()

    @contextmanager
    def _child(self, document: Path, limits: Limits, *, pages: int) -> Iterator[Child]:
        """A fresh child that holds the document; the reader is started again when it turns out to have died."""
        with self._copies.open(document) as file:
            try:
                child = self._running().fork(file, limits, pages=pages)
            except Hangup:
                self._let_go()
                child = self._running().fork(file, limits, pages=pages)
            with child:
                try:
                    yield child
                except Hangup:
                    self._let_go()
                    raise

    def _let_go(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


class _RangeReading:
    """The pages of one range as they come in, over as many children as it takes.

    A part whose child died is cut into four and each piece gets a child of its own, down to single pages. Cutting in
    halves would let a page that hangs use up its whole time twice as often before it stands alone.
    """

    def __init__(self, numbers: Sequence[int], limits: Limits, look_up: Callable[[], None] | None) -> None:
        self.limits = limits
        self._numbers = list(numbers)
        self._entries: dict[int, Page | PageFailure] = {}
        self._parts = [self._numbers] if self._numbers else []
        self._look_up = look_up
        self._timeouts = 0
        self._reader_deaths = 0

    def entries(self) -> list[Page | PageFailure]:
        return [self._entries[number] for number in self._numbers]

    @property
    def next_part(self) -> list[int] | None:
        """The pages that the next child is asked for; None when all are settled."""
        return self._parts[0] if self._parts else None

    def go_on(self, child: Child, order: Order, *, fresh: bool = True) -> None:
        """Take the next part's pages until the child is done or dead. ``fresh``: it has done nothing else before."""
        try:
            child.order(Kind.READ, msgspec.structs.replace(order, numbers=tuple(self._parts[0])))
            while self._take(*child.next_frame(within_seconds=self.limits.wall_seconds, look_up=self._look_up)):
                pass
            self._parts.pop(0)
        except _CHILD_PROBLEMS as problem:
            self.blame(child.why_it_failed(problem), fresh=fresh)
        except _Refused as refused:
            self.blame(refused.error, fresh=fresh)

    def blame(self, error: PageError, *, fresh: bool = True) -> None:
        """The part's child ended with this: the page fails if it stood alone, else the rest is cut up."""
        if isinstance(error, PageTimeout):
            self._timeouts += 1
            if self._timeouts == _PATIENCE:
                self.limits = _hurried(self.limits)
        part = self._parts.pop(0)
        rest = self._unread(part)
        if len(part) == 1 and rest and fresh:
            self._entries[rest[0]] = PageFailure(number=rest[0], code=error.code, detail=error.detail)
            return
        size = -(-len(rest) // _PIECES)
        self._parts[:0] = [rest[start : start + size] for start in range(0, len(rest), size or 1)]

    def lose_reader(self) -> None:
        """The reader itself died, which no page should be able to bring about: the part is asked for again at first."""
        self._reader_deaths += 1
        if self._reader_deaths > _READER_DEATHS:
            self.blame(PageCrashed())

    def _unread(self, part: list[int]) -> list[int]:
        return [number for number in part if number not in self._entries]

    def _take(self, kind: Kind, body: bytes) -> bool:
        """One frame; False when it was the last."""
        expected = self._unread(self._parts[0])
        if kind == Kind.PAGE:
            entry = decode_result(body)
            if not expected or entry.number != expected[0]:
                raise Garbage("the child answered with a page that was not asked for")
            self._entries[entry.number] = entry
            return True
        if kind == Kind.REFUSED:
            self._refused(msgspec.json.decode(body, type=Refusal))
        if kind != Kind.DONE or expected:
            raise Garbage("the child said something out of turn")
        return False

    def _refused(self, refusal: Refusal) -> None:
        error = _error_of(refusal)
        raise _Refused(error) if isinstance(error, PageError) else error


class _Refused(Exception):
    """The child is alive, but gave up the order with an error of one page."""

    def __init__(self, error: PageError) -> None:
        self.error = error
        super().__init__(error.detail)


def _inspect(
    child: Child, *, password: str | None, limits: Limits, look_up: Callable[[], None] | None
) -> DocumentFacts:
    try:
        child.order(Kind.INSPECT, Order(password=password, max_pages=limits.max_pages))
        kind, body = child.next_frame(within_seconds=limits.wall_seconds, look_up=look_up)
        if kind == Kind.REFUSED:
            raise _document_error_of(_error_of(msgspec.json.decode(body, type=Refusal)))
        facts = msgspec.json.decode(body, type=DocumentFacts)
        if child.next_frame(within_seconds=limits.wall_seconds, look_up=look_up)[0] != Kind.DONE:
            raise Garbage("the child said something out of turn")
    except _CHILD_PROBLEMS as problem:
        raise _document_error_of(child.why_it_failed(problem)) from problem
    else:
        return facts


def _error_of(refusal: Refusal) -> ParseError:
    """Our exception for what the child says; what it may not say becomes ``UnplannedError``."""
    if refusal.code == PageMemoryExceeded.code:
        return PageMemoryExceeded()
    if refusal.traceback:
        logger.error("A document reader stopped on an unplanned error: %r", refusal.traceback)
    return error_from_code(refusal.code, refusal.detail)


def _document_error_of(error: ParseError) -> ParseError:
    """A page's error while the document as a whole was looked at: no page can be blamed, so it is the document's."""
    if isinstance(error, DocumentError | UnplannedError):
        return error
    if isinstance(error, PageTimeout):
        return DamagedDocument("The document took too long to open and was given up. Save it again and send the copy.")
    if isinstance(error, PageMemoryExceeded):
        return DamagedDocument("The document needs more memory to open than is allowed. Split it into smaller files.")
    return DamagedDocument()


def _hurried(limits: Limits) -> Limits:
    return msgspec.structs.replace(
        limits,
        wall_seconds=limits.wall_seconds * _HURRIED_SHARE,
        cpu_seconds=max(1, int(limits.cpu_seconds * _HURRIED_SHARE)),
    )


def _look_up(should_stop: ShouldStop | None) -> Callable[[], None] | None:
    if should_stop is None:
        return None

    def look_up() -> None:
        if should_stop():
            raise Stopped

    return look_up


class _Shared(threading.local):
    reader: Reader | None = None


_shared = _Shared()


def shared_reader() -> Reader:
    """This thread's reader, made when first asked for. After a fork of the worker it starts a process of its own."""
    if _shared.reader is None:
        _shared.reader = Reader()
    return _shared.reader
