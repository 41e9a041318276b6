"""Parse a document with this process and its readers: no broker, no database, the same output bytes as a job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from apps.cli.document_options import ReaderOptions
from apps.pages.model.blocks import Page, PageFailure, decode_result, encode_result
from apps.pages.model.conversions import Conversion, conversion_of
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.geometry import Margins
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.page_numbers.ranges import DEFAULT_RANGE_PAGES, last_page, parse_page_ranges
from apps.pages.output.render import RenderOptions
from apps.pages.sandbox.client import Limits, Reader

if TYPE_CHECKING:
    from apps.cli.local.export import WriteExport
    from apps.cli.local.ocr import LocalOcr
    from apps.pages.output.exports.pictures import PictureOf

# Ranges per process that may be read before they can be written: enough to keep all processes busy behind a slow page.
_RANGES_AHEAD = 4
Progress = Callable[[int, int], None]
Convert = Callable[[Path, Conversion], Path]
Result = Page | PageFailure


class LocalReading(ReaderOptions):
    """How the document is read: keyword arguments of ``Reader.read_range``."""

    password: str | None
    hidden_text: str
    word_boxes: bool
    margins: Margins | None
    office: OfficeOptions
    limits: Limits


class LocalResult(msgspec.Struct, frozen=True):
    """The outcome of ``parse_document``. The outputs are in its ``folder``. ``warnings``: code -> number of pages."""

    facts: DocumentFacts
    pages: int
    failures: tuple[PageFailure, ...]
    pages_needing_ocr: int
    warnings: dict[str, int] = {}


def parse_document(
    document: Path,
    folder: Path,
    *,
    reader: Reader,
    pages: str = "",
    reading: LocalReading,
    rendering: RenderOptions,
    processes: int = 1,
    convert: Convert,
    progress: Progress,
    recognizer: LocalOcr | None = None,
    export: WriteExport | None = None,
) -> LocalResult:
    """Read ``pages`` (``"1,3-5"``; empty: all) and write the outputs of a job into ``folder``.

    ``convert`` returns the path of a document that is converted before it is read; it raises DocumentError.
    ``progress(done, total)`` is called from this thread after each range of pages. Documents of more than 16 pages are
    read by ``processes`` readers in parallel. ``recognizer`` runs OCR on pages without a text layer. ``export``: is
    called with the pages at the end. Raise DocumentError. Failed pages are in the result and in the outputs.
    """

    def numbers(facts: DocumentFacts) -> Sequence[int]:
        return parse_page_ranges(pages, page_count=facts.page_count)

    inspect = partial(
        reader.inspect_and_read,
        page_numbers=numbers,
        max_pages=DEFAULT_RANGE_PAGES,
        **reading,
    )
    document, facts, short = _opened(document, inspect, convert)
    if last_page(pages) > facts.page_count:
        facts = msgspec.structs.replace(facts, warnings=(*facts.warnings, "pages_out_of_range"))
    options = msgspec.structs.replace(rendering, page_labels=facts.page_labels)

    def recognize(results: list[Result]) -> list[Result]:
        if recognizer is None:
            return results
        password, limits = reading["password"], reading["limits"]
        return recognizer.pages(results, document, password=password, media_type=facts.media_type, limits=limits)

    picture_of = _inline_pictures(rendering, reading, reader, document, facts.media_type)
    if short is not None:
        recognized = recognize(short)
        progress(len(short), len(short))
        return _assembled(document, facts, lambda: recognized, folder, options, export, picture_of)
    wanted = numbers(facts)
    ranges = [wanted[start : start + DEFAULT_RANGE_PAGES] for start in range(0, len(wanted), DEFAULT_RANGE_PAGES)]
    spool = folder / "pages.jsonl"

    def read(own: Reader, part: Sequence[int], stop: threading.Event) -> list[Result]:
        return own.read_range(document, part, media_type=facts.media_type, should_stop=stop.is_set, **reading)

    def spooled() -> Iterator[Result]:
        with spool.open("rb") as lines:
            for line in lines:
                yield decode_result(line)

    with spool.open("wb") as out:
        done = 0
        for results in read_in_parallel(ranges, read, reader, min(processes, len(ranges))):
            out.writelines(encode_result(result) + b"\n" for result in recognize(results))
            done += len(results)
            progress(done, len(wanted))
    return _assembled(document, facts, spooled, folder, options, export, picture_of)


def _inline_pictures(
    rendering: RenderOptions, reading: LocalReading, reader: Reader, document: Path, media_type: str
) -> PictureOf | None:
    if not rendering.inline_images:
        return None
    from apps.cli.local.export import pictures_of

    return pictures_of(reader, document, media_type, password=reading["password"], limits=reading["limits"])


def _opened(
    document: Path, inspect: Callable[[Path], tuple[DocumentFacts, list[Result] | None]], convert: Convert
) -> tuple[Path, DocumentFacts, list[Result] | None]:
    """Return the path of the document that is read, its facts, and its pages if it is short."""
    facts, short = inspect(document)
    conversion = conversion_of(facts.media_type)
    if conversion is None:
        return document, facts, short
    document = convert(document, conversion)
    facts, short = inspect(document)
    return document, msgspec.structs.replace(facts, warnings=("document_converted", *facts.warnings)), short


def read_in_parallel(
    ranges: Sequence[Sequence[int]],
    read: Callable[[Reader, Sequence[int], threading.Event], list[Result]],
    first: Reader,
    processes: int,
) -> Iterator[list[Result]]:
    """Yield the results of each range in order, while ``processes`` readers read the next ranges."""
    readers = [first, *(Reader() for _ in range(processes - 1))]
    free = list(readers)
    stop = threading.Event()

    def work(part: Sequence[int]) -> list[Result]:
        reader = free.pop()
        try:
            return read(reader, part, stop)
        finally:
            free.append(reader)

    pool = ThreadPoolExecutor(processes, thread_name_prefix="reader")
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for part in ranges:
            waiting.append(pool.submit(work, part))
            if len(waiting) >= processes * _RANGES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        for reader in readers[1:]:
            reader.close()


def _assembled(
    document: Path,
    facts: DocumentFacts,
    pages: Callable[[], Iterable[Result]],
    folder: Path,
    options: RenderOptions,
    export: WriteExport | None,
    picture_of: PictureOf | None,
) -> LocalResult:
    from apps.pages.output.assembly import assemble

    failures: dict[int, PageFailure] = {}

    def watched() -> Iterator[Result]:
        for page in pages():
            if isinstance(page, PageFailure):
                failures[page.number] = page
            yield page

    def open_output(name: str) -> AbstractContextManager[BinaryIO]:
        return (folder / name).open("wb")

    assembly = assemble(watched, options=options, open_output=open_output, picture_of=picture_of)
    if export is not None:
        export(document, facts, pages)
    return LocalResult(
        facts=facts,
        pages=assembly.good_pages + assembly.failed_pages,
        failures=tuple(failures[number] for number in sorted(failures)),
        pages_needing_ocr=assembly.pages_needing_ocr,
        warnings=assembly.warnings,
    )
