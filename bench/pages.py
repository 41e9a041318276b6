"""CPU milliseconds a page by stage, in this process: reading with layout, encoding, assembly.

python -m bench.pages [PDF...]
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from apps.pages.model.blocks import decode_pages, encode_pages
from apps.pages.output.assembly import RenderOptions, assemble
from apps.pages.reading.page_reading import inspect_document, read_pages
from bench.figures import CORPUS, Figure, report

MAX_PAGES = 2000
RANGE = 16
TARGETS = {"mixed-1969p": 4.0}


def stages(document: Path) -> list[Figure]:
    """Measure each stage on this document."""

    @contextmanager
    def discard(_: str) -> Iterator[io.BytesIO]:
        yield io.BytesIO()

    marks = [time.process_time()]
    count = inspect_document(str(document), max_pages=MAX_PAGES).page_count
    marks.append(time.process_time())
    pages = [
        page
        for first in range(1, count + 1, RANGE)
        for page in read_pages(str(document), range(first, min(first + RANGE, count + 1)))
    ]
    marks.append(time.process_time())
    lines = b"".join(encode_pages(pages))
    marks.append(time.process_time())
    decoded = list(decode_pages(lines.splitlines()))
    marks.append(time.process_time())
    assemble(lambda: decoded, options=RenderOptions(), open_output=discard)
    marks.append(time.process_time())
    names = ["inspect", "read with layout", "encode", "decode", "assemble"]
    spent = [(after - before) / count * 1000 for before, after in pairwise(marks)]
    figures = [Figure(f"{document.stem}: {name}", value, "ms/page") for name, value in zip(names, spent, strict=True)]
    figures[1].target = TARGETS.get(document.stem)
    return figures


def main(arguments: Sequence[str]) -> None:
    documents = [Path(name) for name in arguments] or sorted(CORPUS.glob("speed/[im]*.pdf"))
    if not documents:
        sys.exit("This benchmark reads ../shared/corpus, which is missing. Pass the PDFs to measure instead.")
    report("pages", [figure for document in documents for figure in stages(document)])


if __name__ == "__main__":
    main(sys.argv[1:])
