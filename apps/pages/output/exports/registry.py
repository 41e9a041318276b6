"""Every export by its name, and the function that writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

import msgspec

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.output.assembly import finished_pages
from apps.pages.output.exports.chunks import write_chunks
from apps.pages.output.exports.options import FILE_NAMES, ChunkOptions

Pages = Callable[[], Iterable[Page | PageFailure]]


class ExportSource(msgspec.Struct, frozen=True):
    """What exports are made from. ``pages``: those of the result as they were accepted; called twice or more."""

    pages: Pages
    chunks: ChunkOptions = ChunkOptions()


class Export(NamedTuple):
    """``file_name``: also the name under which the export is kept with the result."""

    file_name: str
    media_type: str
    write: Callable[[ExportSource, BinaryIO], None]


def _write_chunks(source: ExportSource, out: BinaryIO) -> None:
    write_chunks(finished_pages(source.pages), source.chunks, out)


EXPORTS = {"chunks": Export(FILE_NAMES["chunks"], "application/x-ndjson; charset=utf-8", _write_chunks)}
BY_FILE_NAME = {export.file_name: export for export in EXPORTS.values()}
