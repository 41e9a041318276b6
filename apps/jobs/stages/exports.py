"""Exports of a result: made from its stored pages when they are first asked for, then kept with the result."""

from __future__ import annotations

from collections.abc import Sequence
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
from apps.jobs.stages.export_source import USUAL_CHUNKS, export_source
from apps.jobs.states import ENDED_JOBS
from apps.pages.model.errors import GarbledPage
from apps.pages.model.warnings import describe
from apps.pages.output.exports.options import ChunkOptions
from apps.pages.output.exports.registry import Export

MAX_MEMORY_BYTES = 4 * 1024 * 1024


def make_export(job: ParseJob, export: Export, chunks: ChunkOptions = USUAL_CHUNKS) -> tuple[int, BinaryIO] | None:
    """Make an export of the job's result and return its size and bytes; None if the job has no result.

    It is kept with the result, except chunks with other options than usual. Raise JobNotFinished while pages of the
    result are parsed again, ResultMissing if their content is gone, NoTables if the export has nothing else, and for an
    export with pictures of pages what ``export_source`` raises.
    """
    if not job.result_folder:
        return None
    if not job.has_ended:
        raise JobNotFinished
    warnings: list[str] = []
    with ExitStack() as opened:
        out = cast(BinaryIO, opened.enter_context(SpooledTemporaryFile(max_size=MAX_MEMORY_BYTES)))
        try:
            with ExitStack() as used:
                source = export_source(
                    job,
                    export,
                    used,
                    pages=partial(accepted_pages, job),
                    open_output=partial(queries.open_result, job),
                    warn=warnings.append,
                    chunks=chunks,
                )
                export.write(source, out)
        except (FileNotFoundError, GarbledPage) as error:
            raise ResultMissing from error
        _check_is_current(job)
        _add_warnings(job, warnings)
        if chunks == USUAL_CHUNKS:
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


def _add_warnings(job: ParseJob, codes: Sequence[str]) -> None:
    """Add warnings about an export to those of the job, each once."""
    for code in codes:
        warning = {"code": code, "detail": describe(code)}
        if warning not in job.warnings:
            job.warnings = [*job.warnings, warning]
            ParseJob.objects.filter(pk=job.pk, result_folder=job.result_folder).update(warnings=job.warnings)


def _check_is_current(job: ParseJob) -> None:
    """Raise JobNotFinished if the result has changed since the job was read, JobNotFound if the job was deleted."""
    rows = ParseJob.objects.filter(pk=job.pk)
    if not rows.filter(result_folder=job.result_folder, state__in=ENDED_JOBS).exists():
        raise JobNotFinished if rows.exists() else JobNotFound
