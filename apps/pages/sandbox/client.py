"""Untrusted documents are read here: in a child that can be killed, never in the calling process.

``Reader`` is the handle of a worker on its reader process (``apps.pages.sandbox.server``), which forks a child for
every document or range of pages. The watchdog is on this side of the socket, because a signal handler in Python
does not run while a native library is busy. A child that dies costs the page it was at; the pages before
it are kept and a new child goes on with the rest. docs/isolation.md has the whole picture.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType

import msgspec

from apps.pages.model import vision_image
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import Stopped, UnplannedError
from apps.pages.model.geometry import Box
from apps.pages.model.page_ranges import DEFAULT_RANGE_PAGES
from apps.pages.sandbox.bisection import READER_DEATHS, RangeReading, inspect, rendered
from apps.pages.sandbox.confinement import Limits
from apps.pages.sandbox.open_document import Identity, ReadableCopies, identity_of
from apps.pages.sandbox.process import Child, ReaderProcess, StartProcess, reader_user
from apps.pages.sandbox.protocol import Hangup, Kind, ReadRequest

__all__ = ["Limits", "Reader", "Stopped", "shared_reader"]

DEFAULT_LIMITS = Limits()
ShouldStop = Callable[[], bool]
# A child reads so many ranges of one document, one after the other, before a fresh one takes over.
_RANGES_OF_A_CHILD = 8
# A page image of 40 million pixels that cannot be compressed, and a quarter of it more than one frame may have.
_IMAGE_BYTES = 4 * 48 << 20


class Reader:
    """One reader process, started when first needed and again when it has died.

    Serves one request at a time, so two threads may use it one after the other, never at once: ``shared_reader`` is for
    processes of one thread, ``pool.reader_pool`` for those of many.
    ``user``: who the reader becomes where we are root (a name or number; default LEAFMILL_READER_USER, else nobody).
    ``work``: the module whose ``inspect_document``, ``read_pages``... the children call.
    ``start_process`` calls what it is given in a thread that lives as long as the reader is wanted.
    """

    def __init__(
        self,
        *,
        user: str | None = None,
        work: str = "apps.pages.reading.page_reading",
        start_process: StartProcess | None = None,
    ) -> None:
        self._user_id = reader_user(user)
        self._work = work
        self._start_process = start_process or _started_here
        self._process: ReaderProcess | None = None
        self._copies = ReadableCopies(needed=self._user_id != 0)
        self._kept: Child | None = None
        self._kept_for: _Use | None = None

    def start(self) -> None:
        """Start the process now, so that it warms up while we do something else."""
        self._running()

    @property
    def pid(self) -> int | None:
        """The reader process, for those who watch its memory; None while there is none."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process; the next request would start another."""
        self._let_go()
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
        hidden_text: str = "keep",
        preserve_very_small_text: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> list[Page | PageFailure]:
        """Read these pages: one entry for every number, in the same order, whatever happens to the children.

        ``hidden_text``: "keep", or "remove" for pages without the text that people cannot see (``Page.hidden`` has it);
        text of less than 2 points counts as such unless ``preserve_very_small_text``.
        Raises ``DocumentError`` when the document cannot be opened at all, ``Stopped`` within about 0.2 s after
        ``should_stop`` says so, OSError when the file cannot be read.
        """
        reading = RangeReading(numbers, limits, _look_up(should_stop))
        order = ReadRequest(
            password=password,
            media_type=media_type,
            hidden_text=hidden_text,
            preserve_very_small_text=preserve_very_small_text,
        )
        self._finish(reading, document, order)
        return reading.entries()

    def render(
        self,
        document: Path,
        number: int,
        *,
        dpi: float,
        max_dpi: float = 0.0,
        password: str | None = None,
        media_type: str = "application/pdf",
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> bytes:
        """A page's picture as ``ocr_image`` spells it, ``dpi`` fine unless the page is a scan, never finer than
        ``max_dpi``.

        Whoever decodes it checks it: a child may say anything. Raises what ``read_range`` raises, and ``PageError``
        for a page that cannot be rendered.
        """
        limits = msgspec.structs.replace(limits, answer_bytes=_IMAGE_BYTES)
        order = ReadRequest(numbers=(number,), password=password, media_type=media_type, dpi=dpi, max_dpi=max_dpi)
        return self._rendered(document, Kind.RENDER, order, limits, should_stop)

    def picture(
        self,
        document: Path,
        number: int,
        *,
        dpi: float,
        region: Box | None = None,
        max_pixels: int = vision_image.MAX_VISION_PIXELS,
        password: str | None = None,
        media_type: str = "application/pdf",
        limits: Limits = DEFAULT_LIMITS,
        should_stop: ShouldStop | None = None,
    ) -> bytes:
        """The page as displayed, in colour, as a JPEG of at most ``max_pixels`` and 4 MB, for a model that looks.

        ``dpi`` is lowered until these bounds hold. ``region`` (points of the page as displayed) shows that part alone,
        rendered at ``dpi`` for itself, so a small part can be looked at closely; ``RegionOutsidePage`` where it lies
        outside the page. Pictures sent as documents are never enlarged. Raises what ``render`` raises.
        """
        limits = msgspec.structs.replace(limits, answer_bytes=4 * vision_image.MAX_JPEG_BYTES)
        order = ReadRequest(
            numbers=(number,),
            password=password,
            media_type=media_type,
            dpi=dpi,
            region=region,
            max_pixels=max_pixels,
        )
        jpeg = self._rendered(document, Kind.PICTURE, order, limits, should_stop)
        return vision_image.check_vision_image(jpeg, max_pixels=max_pixels)

    def inspect_and_read(
        self,
        document: Path,
        *,
        numbers: Callable[[DocumentFacts], Sequence[int]],
        password: str | None = None,
        hidden_text: str = "keep",
        preserve_very_small_text: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        most_pages: int = DEFAULT_RANGE_PAGES,
        should_stop: ShouldStop | None = None,
    ) -> tuple[DocumentFacts, list[Page | PageFailure] | None]:
        """Inspect a document and, if it is short, read it in the same child.

        ``numbers`` says which pages are wanted (and may raise ``ParseError``). Where they are more than
        ``most_pages``, or none, nothing is read and the second value is None. Raises what ``inspect`` and
        ``read_range`` raise.
        """
        look_up = _look_up(should_stop)
        for _attempt in range(READER_DEATHS + 1):
            with suppress(Hangup), self._child(document, limits, pages=most_pages + 1) as child:
                facts = inspect(child, password=password, limits=limits, look_up=look_up)
                wanted = numbers(facts)
                if not 0 < len(wanted) <= most_pages:
                    return facts, None
                reading = RangeReading(wanted, limits, look_up)
                order = ReadRequest(
                    password=password,
                    media_type=facts.media_type,
                    hidden_text=hidden_text,
                    preserve_very_small_text=preserve_very_small_text,
                )
                try:
                    reading.go_on(child, order, fresh=False)
                except Hangup:
                    self._let_go()
                break
        else:
            raise UnplannedError
        self._finish(reading, document, order)
        return facts, reading.entries()

    def _rendered(
        self, document: Path, kind: Kind, order: ReadRequest, limits: Limits, should_stop: ShouldStop | None
    ) -> bytes:
        for _attempt in range(READER_DEATHS + 1):
            with suppress(Hangup), self._child(document, limits, pages=2) as child:
                return rendered(child, kind, order, limits=limits, look_up=_look_up(should_stop))
        raise UnplannedError

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
            self._let_go()  # our parent's, inherited by a fork
        if self._process is None:
            self._process = self._start_process(partial(ReaderProcess, work=self._work, user_id=self._user_id))
        return self._process

    def _finish(self, reading: RangeReading, document: Path, order: ReadRequest) -> None:
        while part := reading.next_part:
            try:
                with self._child_for(part, document, order, reading.limits) as (child, fresh):
                    if reading.go_on(child, order, fresh=fresh):
                        self._keep(child)
            except Hangup:
                self._let_go()
                reading.lose_reader()

    @contextmanager
    def _child_for(
        self, part: Sequence[int], document: Path, order: ReadRequest, limits: Limits
    ) -> Iterator[tuple[Child, bool]]:
        """The child that read the range before, where it was of the same document; else a fresh one (True).

        Most of what a range costs beyond its pages is the fork and the memory that a child touches first.
        """
        with self._copies.open(document) as file:
            use = _Use(identity_of(file), order, limits)
            if self._kept is not None and self._kept_for == use:
                child, fresh = self._kept, False
                self._kept, use.ranges = None, self._kept_for.ranges
            else:
                child, fresh = self._fork(file, limits, pages=len(part) * _RANGES_OF_A_CHILD), True
            self._kept_for = use
            with child:
                yield child, fresh

    def _keep(self, child: Child) -> None:
        if self._kept_for is not None:
            self._kept_for.ranges += 1
            if self._kept_for.ranges < _RANGES_OF_A_CHILD:
                child.keep()
                self._kept = child

    @contextmanager
    def _child(self, document: Path, limits: Limits, *, pages: int) -> Iterator[Child]:
        """A fresh child that holds the document."""
        with self._copies.open(document) as file, self._fork(file, limits, pages=pages) as child:
            try:
                yield child
            except Hangup:
                self._let_go()
                raise

    def _fork(self, file: int, limits: Limits, *, pages: int) -> Child:
        """The reader is started again when it turns out to have died."""
        try:
            self._end_kept()
            return self._running().fork(file, limits, pages=pages)
        except Hangup:
            self._let_go()
            return self._running().fork(file, limits, pages=pages)

    def _end_kept(self) -> None:
        if self._kept is not None:
            kept, self._kept = self._kept, None
            with kept:
                pass

    def _let_go(self) -> None:
        self._kept = None
        if self._process is not None:
            self._process.close()
            self._process = None


class _Use(msgspec.Struct):
    """What a child was forked for, and how many ranges it has read. Equal uses may share a child."""

    document: Identity
    order: ReadRequest
    limits: Limits
    ranges: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Use) and (self.document, self.order, self.limits) == (
            other.document,
            other.order,
            other.limits,
        )


def _look_up(should_stop: ShouldStop | None) -> Callable[[], None] | None:
    if should_stop is None:
        return None

    def look_up() -> None:
        if should_stop():
            raise Stopped

    return look_up


def _started_here(process: Callable[[], ReaderProcess]) -> ReaderProcess:
    return process()


class _Shared(threading.local):
    reader: Reader | None = None


_shared = _Shared()


def shared_reader() -> Reader:
    """This thread's reader, made when first asked for. After a fork of the worker it starts a process of its own.

    A process with many threads would get as many readers of 25 MB each; it uses ``pool.reader_pool``.
    """
    if _shared.reader is None:
        _shared.reader = Reader()
    return _shared.reader
