"""What comes out of children, put together: the pages of a range, the facts of a document, or the error to raise."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec

from apps.pages.model.blocks import Page, PageFailure, decode_result
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import (
    DamagedDocument,
    DocumentError,
    GarbledPage,
    PageCrashed,
    PageError,
    PageMemoryExceeded,
    PageTimeout,
    ParseError,
    UnplannedError,
    error_from_code,
)
from apps.pages.sandbox.confinement import Limits
from apps.pages.sandbox.process import Child
from apps.pages.sandbox.protocol import Garbage, Hangup, Kind, Late, ReadRequest, Refusal

logger = logging.getLogger(__name__)

_CHILD_PROBLEMS = (Hangup, Late, Garbage, msgspec.DecodeError, UnicodeDecodeError, GarbledPage)
# After so many pages of a range ran out of time, the others get a sixth: a whole range that hangs must end.
_PATIENCE = 2
_HURRIED_SHARE = 1 / 6
_PIECES = 4
# A reader that dies is replaced this often within one request before somebody is told.
READER_DEATHS = 2


class RangeReading:
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
        self._careful = False
        self._reader_deaths = 0

    def entries(self) -> list[Page | PageFailure]:
        return [self._entries[number] for number in self._numbers]

    @property
    def next_part(self) -> list[int] | None:
        """The pages that the next child is asked for; None when all are settled."""
        return self._parts[0] if self._parts else None

    def go_on(self, child: Child, order: ReadRequest, *, fresh: bool) -> bool:
        """Take the next part's pages until the child is done (True) or dead. ``fresh``: it has done nothing before."""
        try:
            numbers = tuple(self._parts[0])
            child.order(Kind.READ, msgspec.structs.replace(order, numbers=numbers, careful=self._careful))
            while self._take(*child.next_frame(within_seconds=self.limits.wall_seconds, look_up=self._look_up)):
                pass
            self._parts.pop(0)
        except _CHILD_PROBLEMS as problem:
            self.blame(child.why_it_failed(problem), fresh=fresh)
            return False
        except _Refused as refused:
            self.blame(refused.error, fresh=fresh)
            return False
        return True

    def blame(self, error: PageError, *, fresh: bool = True) -> None:
        """The part's child ended with this: the page fails if it stood alone, else the rest is cut up.

        What a child did before may be the cause where it was not ``fresh``; then the rest is asked for again whole.
        The first page that crashes alone gets a second, careful reading, and all after it do at once.
        """
        if isinstance(error, PageTimeout):
            self._timeouts += 1
            if self._timeouts == _PATIENCE:
                self.limits = _hurried(self.limits)
        part = self._parts.pop(0)
        rest = self._unread(part)
        if not fresh:
            self._parts[:0] = [rest] if rest else []
            return
        if len(part) == 1 and rest:
            if isinstance(error, PageCrashed) and not self._careful:
                self._careful = True
                self._parts[:0] = [rest]
                return
            self._entries[rest[0]] = PageFailure(number=rest[0], code=error.code, detail=error.detail)
            return
        size = -(-len(rest) // _PIECES)
        self._parts[:0] = [rest[start : start + size] for start in range(0, len(rest), size or 1)]

    def lose_reader(self) -> None:
        """The reader itself died, which no page should be able to bring about: the part is asked for again at first."""
        self._reader_deaths += 1
        if self._reader_deaths > READER_DEATHS:
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


def inspect(child: Child, *, password: str | None, limits: Limits, look_up: Callable[[], None] | None) -> DocumentFacts:
    try:
        child.order(Kind.INSPECT, ReadRequest(password=password, max_pages=limits.max_pages))
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


def rendered(
    child: Child, kind: Kind, order: ReadRequest, *, limits: Limits, look_up: Callable[[], None] | None
) -> bytes:
    """The encoded image or picture (``kind``) of the page that is ordered; PageError when there is none to be had."""
    try:
        child.order(kind, order)
        answer, body = child.next_frame(within_seconds=limits.wall_seconds, look_up=look_up)
        if answer == Kind.REFUSED:
            raise _error_of(msgspec.json.decode(body, type=Refusal))
        if answer != Kind.IMAGE:
            raise Garbage("the child said something out of turn")
    except _CHILD_PROBLEMS as problem:
        raise child.why_it_failed(problem) from problem
    else:
        return body


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
