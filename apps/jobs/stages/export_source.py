"""What the exports of a job's result are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.jobs.models import ParseJob
from apps.jobs.stages.pictures import document_pictures, printed_pictures
from apps.jobs.stages.step_work import reader_limits
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.conversions import print_of
from apps.pages.model.errors import NoPictureOfPage
from apps.pages.model.media_types import PDF, is_structured
from apps.pages.model.text.languages import find_all, tag_of
from apps.pages.output.assembly import MAX_MEMORY_BYTES
from apps.pages.output.exports.options import ChunkOptions
from apps.pages.output.exports.registry import PICTURE_DPI, Export, ExportSource, OpenOutput
from apps.pages.sandbox.pool import reader_pool
from apps.pages.sandbox.printed_pages import printed_pages
from apps.parsing.page_pictures import READERS

USUAL_CHUNKS = ChunkOptions()
NOT_PRINTED = (
    "The document was not printed, so there are no pictures of its pages. Parse it again with "
    "output_options.save_output_pdf (first API: output_pdf_of_document), or fetch its text, HTML or Word file."
)


def export_source(
    job: ParseJob,
    export: Export,
    used: ExitStack,
    *,
    pages: Callable[[], Iterable[Page | PageFailure]],
    open_output: OpenOutput,
    warn: Callable[[str], None],
    chunks: ChunkOptions = USUAL_CHUNKS,
) -> ExportSource:
    """Return the source of an export of these pages; ``used`` closes the job's document.

    An office document that was printed has the pages of its print in exports with pictures of pages. Raise
    NoPictureOfPage if the document has none for this export, DocumentNotFound if it was deleted.
    """
    if export.needs_pictures:
        if not job.document_id:
            raise DocumentNotFound
        if is_structured(job.read_type):
            return _source_of_print(job, used, pages, warn)
    pictures = used.enter_context(document_pictures(job)) if job.document_id else None
    return ExportSource(
        pages,
        chunks,
        title=job.document_name,
        language=_language(job),
        picture_of=partial(pictures.picture, dpi=PICTURE_DPI) if pictures else None,
        open_output=open_output,
        add_text=pictures.searchable_copy if pictures and job.read_type == PDF else None,
        warn=warn,
    )


def _source_of_print(
    job: ParseJob, used: ExitStack, pages: Callable[[], Iterable[Page | PageFailure]], warn: Callable[[str], None]
) -> ExportSource:
    """Return the source of PDFs of a printed office document: its printed pages, with the text that is on them."""
    if not job.printed_key:
        raise NoPictureOfPage(NOT_PRINTED if print_of(job.media_type) else None)
    pictures = used.enter_context(printed_pictures(job))
    spool = cast(BinaryIO, used.enter_context(SpooledTemporaryFile(max_size=MAX_MEMORY_BYTES)))  # noqa: SIM115
    printed = used.enter_context(storage.local_file(job.printed_key))
    with reader_pool(READERS).reader() as reader:
        read = printed_pages(
            reader,
            printed,
            spool,
            page_count=job.printed_pages or 0,
            slides=pages() if job.has_printed_slides else None,
            limits=reader_limits(),
        )
    return ExportSource(
        read,
        title=job.document_name,
        language=_language(job),
        picture_of=partial(pictures.picture, dpi=PICTURE_DPI),
        add_text=pictures.searchable_copy,
        warn=warn,
    )


def _language(job: ParseJob) -> str:
    languages = find_all(job.parsed_options.ocr_languages[:1])
    return tag_of(languages[0]) if languages else ""
