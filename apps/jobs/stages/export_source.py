"""What the exports of a job's result are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial

from apps.jobs.models import ParseJob
from apps.jobs.stages.pictures import document_pictures
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.media_types import PDF
from apps.pages.model.text.languages import find_all, tag_of
from apps.pages.output.exports.options import ChunkOptions
from apps.pages.output.exports.registry import PICTURE_DPI, ExportSource, OpenOutput

USUAL_CHUNKS = ChunkOptions()


def export_source(
    job: ParseJob,
    used: ExitStack,
    *,
    pages: Callable[[], Iterable[Page | PageFailure]],
    open_output: OpenOutput,
    warn: Callable[[str], None],
    chunks: ChunkOptions = USUAL_CHUNKS,
) -> ExportSource:
    """Return the source of exports of these pages; ``used`` closes the job's document."""
    pictures = used.enter_context(document_pictures(job)) if job.document_id else None
    languages = find_all(job.parsed_options.ocr_languages[:1])
    return ExportSource(
        pages,
        chunks,
        title=job.document_name,
        language=tag_of(languages[0]) if languages else "",
        picture_of=partial(pictures.picture, dpi=PICTURE_DPI) if pictures else None,
        open_output=open_output,
        add_text=pictures.searchable_copy if pictures and job.read_type == PDF else None,
        warn=warn,
    )
