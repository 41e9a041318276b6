"""Exports of a result: made from its stored pages when they are first asked for, then kept with the result."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from io import SEEK_END
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from apps.documents import storage
from apps.jobs import queries
from apps.jobs.errors import JobNotFinished, JobNotFound, ResultMissing
from apps.jobs.models import ParseJob
from apps.jobs.stages.assemble import accepted_pages
from apps.jobs.states import ENDED_JOBS
from apps.pages.model.errors import GarbledPage
from apps.pages.output.exports.options import ChunkOptions
from apps.pages.output.exports.registry import Export, ExportSource

MAX_MEMORY_BYTES = 4 * 1024 * 1024
USUAL_CHUNKS = ChunkOptions()


def open_export(job: ParseJob, export: Export, chunks: ChunkOptions = USUAL_CHUNKS) -> tuple[int, BinaryIO] | None:
    """Return size and bytes of an export of the job's result; None if the job has no result.

    Only chunks with the usual options are kept. Raise JobNotFinished while pages of the result are parsed again,
    ResultMissing if their content is gone.
    """
    if not job.result_folder:
        return None
    is_usual = chunks == USUAL_CHUNKS
    if is_usual:
        size, kept = queries.result_size(job, export.file_name), queries.open_result(job, export.file_name)
        if size is not None and kept is not None:
            return size, kept
    if not job.has_ended:
        raise JobNotFinished
    with ExitStack() as opened:
        out = cast(BinaryIO, opened.enter_context(SpooledTemporaryFile(max_size=MAX_MEMORY_BYTES)))
        try:
            export.write(ExportSource(partial(accepted_pages, job), chunks), out)
        except (FileNotFoundError, GarbledPage) as error:
            raise ResultMissing from error
        _check_is_current(job)
        if is_usual:
            out.seek(0)
            key = f"{job.result_folder}/{export.file_name}"
            storage.write(key, out)
            try:
                _check_is_current(job)
            except JobNotFound:
                storage.delete(key)
                raise
        size = out.seek(0, SEEK_END)
        out.seek(0)
        opened.pop_all()
        return size, out


def _check_is_current(job: ParseJob) -> None:
    """Raise JobNotFinished if the result has changed since the job was read, JobNotFound if the job was deleted."""
    rows = ParseJob.objects.filter(pk=job.pk)
    if not rows.filter(result_folder=job.result_folder, state__in=ENDED_JOBS).exists():
        raise JobNotFinished if rows.exists() else JobNotFound
