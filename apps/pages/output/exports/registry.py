"""Every export by its name, and the function that writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import msgspec

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import DocumentError, PageError
from apps.pages.output.assembly import GROUNDED_ITEMS, OUTPUTS, RAW_WORDS, SPREADSHEET, finished_pages
from apps.pages.output.exports.options import FILE_NAMES, ChunkOptions
from apps.pages.output.exports.pictures import PictureOf

if TYPE_CHECKING:
    from apps.pages.output.exports.text_layers import AddText

PICTURE_DPI = 150.0
PICTURES_ONLY = "searchable_pdf_of_pictures"
"""Warning of a searchable PDF that is not a copy of the document."""
OpenOutput = Callable[[str], BinaryIO | None]
"""Opens a file that was written when the job ended; None if there is none of this name."""


class ExportSource(msgspec.Struct, frozen=True):
    """What exports are made from.

    ``pages``: those of the result as they were accepted; called many times. ``language``: a tag as in HTML, "" if it is
    unknown. ``picture_of``: None if the document cannot be rendered. ``add_text``: None if the document is no PDF.
    ``warn``: takes the code of a warning about the export.
    """

    pages: Callable[[], Iterable[Page | PageFailure]]
    chunks: ChunkOptions = ChunkOptions()
    title: str = ""
    language: str = ""
    picture_of: PictureOf | None = None
    open_output: OpenOutput | None = None
    add_text: AddText | None = None
    warn: Callable[[str], None] = lambda code: None

    def finished(self) -> Iterator[Page | PageFailure]:
        return finished_pages(self.pages)


class Export(NamedTuple):
    """``file_name``: also the name under which the export is kept with the result.

    ``needs_pictures``: without ``picture_of`` it cannot be made.
    """

    file_name: str
    media_type: str
    write: Callable[[ExportSource, BinaryIO], None]
    needs_pictures: bool = False


# The libraries of an export are imported when it is made.
def _chunks(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.chunks import write_chunks

    write_chunks(source.finished(), source.chunks, out)


def _html(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.html_document import write_html

    write_html(source.finished(), out, title=source.title, language=source.language, picture_of=source.picture_of)


def _docx(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.word_document import write_docx

    write_docx(source.finished(), out, title=source.title, picture_of=source.picture_of)


def _searchable_pdf(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.searchable_pdf import write_searchable_pdf

    if source.add_text is not None:
        from apps.pages.output.exports.text_layers import text_layers_of

        try:
            source.add_text(text_layers_of(source.finished()), out)
        except (DocumentError, PageError):
            out.seek(0)
            out.truncate()
            source.warn(PICTURES_ONLY)
        else:
            return
    write_searchable_pdf(
        source.finished(), out, title=source.title, language=source.language, picture_of=source.picture_of
    )


def _archive_pdf(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.searchable_pdf import write_searchable_pdf

    write_searchable_pdf(
        source.finished(),
        out,
        title=source.title,
        language=source.language,
        picture_of=source.picture_of,
        is_archive=True,
    )


def _hocr(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.hocr import write_hocr

    write_hocr(source.finished(), out, title=source.title)


def _alto(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.alto import write_alto

    write_alto(source.finished(), out, title=source.title)


def _csv(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.archive import write_tables

    write_tables(source.finished(), out)


def _zip(source: ExportSource, out: BinaryIO) -> None:
    from apps.pages.output.exports.archive import write_everything

    stored = ((name, source.open_output(name)) for name in _STORED) if source.open_output else ()
    made = ((export.file_name, partial(export.write, source)) for name, export in EXPORTS.items() if name in _IN_ZIP)
    write_everything(out, stored=stored, made=made, pages=source.finished())


_OF_PICTURES = ("searchable_pdf", "archive_pdf")
EXPORTS = {
    name: Export(FILE_NAMES[name], media_type, write, needs_pictures=name in _OF_PICTURES)
    for name, media_type, write in (
        ("chunks", "application/x-ndjson; charset=utf-8", _chunks),
        ("html", "text/html; charset=utf-8", _html),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", _docx),
        ("searchable_pdf", "application/pdf", _searchable_pdf),
        ("archive_pdf", "application/pdf", _archive_pdf),
        ("hocr", "text/html; charset=utf-8", _hocr),
        ("alto", "application/xml; charset=utf-8", _alto),
        ("csv", "application/zip", _csv),
        ("zip", "application/zip", _zip),
    )
}
BY_FILE_NAME = {export.file_name: export for export in EXPORTS.values()}
_STORED = (*OUTPUTS, GROUNDED_ITEMS, RAW_WORDS, SPREADSHEET)
# Not the tables, which are files of their own, and not the PDFs, which may have a picture of each page.
_IN_ZIP = ("chunks", "html", "docx", "hocr", "alto")
