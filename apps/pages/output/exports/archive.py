"""Write files into zip archives: the tables as CSV, or everything that a result has."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from apps.pages.model.blocks import BlockType, Page, PageFailure
from apps.pages.model.errors import NoTables
from apps.pages.output import render

_BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for another encoding."""


@contextmanager
def added(archive: ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Return a new file in the archive to write to. Its date is fixed: the same content is the same bytes."""
    entry = ZipInfo(name)
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with archive.open(entry, "w", force_zip64=True) as out:
        yield out


def write_tables(pages: Iterable[Page | PageFailure], out: BinaryIO) -> None:
    """Write an archive with ``page_2_table_1.csv`` for each table of these pages. Raise NoTables if there is none."""
    with ZipFile(out, "w") as archive:
        add_tables(archive, pages)
        if not archive.namelist():
            raise NoTables


def add_tables(archive: ZipFile, pages: Iterable[Page | PageFailure], folder: str = "") -> None:
    for page in pages:
        tables = [] if isinstance(page, PageFailure) else [b for b in page.blocks if b.type is BlockType.TABLE]
        for count, table in enumerate(tables, 1):
            with added(archive, f"{folder}page_{page.number}_table_{count}.csv") as csv:
                csv.write(f"{_BYTE_ORDER_MARK}{render.table_csv(table.cells)}\n".encode())


def write_everything(
    out: BinaryIO,
    *,
    stored: Iterable[tuple[str, BinaryIO | None]],
    made: Iterable[tuple[str, Callable[[BinaryIO], None]]],
    pages: Iterable[Page | PageFailure],
) -> None:
    """Write an archive with the files ``stored`` (closed here), the exports that ``made`` writes, and the tables."""
    with ZipFile(out, "w") as archive:
        for name, content in stored:
            if content is not None:
                with content, added(archive, name) as entry:
                    shutil.copyfileobj(content, entry)
        for name, write in made:
            with added(archive, name) as entry:
                write(entry)  # type: ignore[arg-type]
        add_tables(archive, pages, "tables/")
