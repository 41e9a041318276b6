"""Whether each heading and table row of real documents is whole in one chunk, and what chunks cost.

python -m bench.chunks [DOCUMENT...]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from apps.pages.model.blocks import Block, BlockType, Page, PageFailure
from apps.pages.model.errors import ParseError
from apps.pages.model.office_options import OfficeOptions
from apps.pages.output import items, render
from apps.pages.output.assembly import finished_pages
from apps.pages.output.exports.chunks import Chunk, chunks_of
from apps.pages.output.exports.options import ChunkOptions
from apps.pages.reading.page_reading import inspect_document, read_pages
from bench.figures import CORPUS, Figure, report

MAX_PAGES = 60
WAYS = {
    "by heading, 512 tokens": ChunkOptions(),
    "by tokens, 128, overlap 32": ChunkOptions(max_tokens=128, overlap_tokens=32, split_by="tokens"),
}


def main(arguments: Sequence[str]) -> None:
    folders = ("tables", "text", "office")
    documents = [Path(name) for name in arguments] or [each for name in folders for each in (CORPUS / name).glob("*.*")]
    if not documents:
        sys.exit("This benchmark reads ../shared/corpus, which is missing. Pass the documents to read instead.")
    read, counts, seconds = 0, Counter[str](), 0.0
    for document in sorted(documents):
        office = OfficeOptions(suffix=document.suffix)
        try:
            facts = inspect_document(str(document), max_pages=2000, office=office)
            numbers = range(1, min(facts.page_count, MAX_PAGES) + 1)
            stored = list(read_pages(str(document), numbers, media_type=facts.media_type, office=office))
        except ParseError:
            continue  # such as the lists of licences beside the documents
        read += 1
        pages = list(finished_pages(lambda stored=stored: stored))  # type: ignore[misc]
        counts["pages"] += len(pages)
        for way, options in WAYS.items():
            begun = time.process_time()
            chunks = list(chunks_of(pages, options))
            seconds += time.process_time() - begun
            counts[f"{way}: chunks"] += len(chunks)
            counts[f"{way}: longer than the limit"] += sum(chunk.tokens > options.max_tokens for chunk in chunks)
            for kind, is_whole in checked(pages, chunks):
                counts[f"{way}: {kind}"] += 1
                counts[f"{way}: {kind} not whole in one chunk"] += not is_whole
                if not is_whole:
                    print(f"{document.name}: one of the {kind} is not whole in one chunk ({way})", file=sys.stderr)
    figures = [Figure("documents", read, ""), *(Figure(what, value, "") for what, value in counts.items())]
    report("chunks", [*figures, Figure("one way", seconds / len(WAYS) / max(1, counts["pages"]) * 1000, "ms/page")])


def checked(pages: Sequence[Page | PageFailure], chunks: Sequence[Chunk]) -> Iterator[tuple[str, bool]]:
    """Yield each heading and each row with whether it is whole in one chunk: its line in the text, its locator."""
    lines = Counter(line for chunk in chunks for line in chunk.text[chunk.overlap_characters :].split("\n"))
    places: dict[tuple[int, str], list[tuple[int, int] | None]] = {}
    for chunk in chunks:
        for locator in chunk.locators:
            places.setdefault((locator.page_number, locator.pointer), []).append(locator.rows)
    headings: Counter[str] = Counter()
    for page in pages:
        blocks = page.blocks if isinstance(page, Page) else ()
        for block, pointer in zip(blocks, items.pointers(blocks), strict=True):
            found = places.get((page.number, pointer), [])
            if block.type is BlockType.HEADING:
                headings[render.heading(block)] += 1
                yield "headings", len(found) == 1
            elif block.type is BlockType.TABLE:
                yield from (("rows", is_whole) for is_whole in _rows(block, found, lines))
    for heading, count in headings.items():
        if lines[heading] != count:
            yield "headings", False


def _rows(table: Block, found: Sequence[tuple[int, int] | None], lines: Counter[str]) -> Iterator[bool]:
    """Yield for each row whether the chunks have it. ``found``: the rows of the table that each chunk has."""
    height = len(render.grid_of(table.cells))
    ranges = [(0, height) if rows is None else rows for rows in found]
    follow_each_other = all(end == start for (_, end), (start, _) in pairwise(ranges))
    covers = bool(ranges) and (ranges[0][0], ranges[-1][1]) == (0, height) and follow_each_other
    rows = render.table_pipes(table.cells).split("\n") if height else []
    has_spans = any(cell.row_span > 1 for cell in table.cells)  # whose text is repeated in other rows
    for row in (*rows[:1], *rows[2:]):
        yield covers and (has_spans or lines[row] > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
