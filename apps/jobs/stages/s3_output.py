"""Write the files of a result to S3, if the request asks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from apps.core.outbound.errors import FetchFailed
from apps.documents import s3_folders, storage
from apps.documents.errors import S3FolderNotAllowed
from apps.jobs.models import ParseJob
from apps.jobs.stages.export_source import export_source
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import DocumentError, NoTables, PageError
from apps.pages.output.assembly import GROUNDED_ITEMS, MAX_MEMORY_BYTES, OUTPUTS, RAW_WORDS, SPREADSHEET
from apps.pages.output.exports.registry import EXPORTS

logger = logging.getLogger(__name__)
NOT_WRITTEN = "s3_not_written"


def write_to_s3(job: ParseJob, folder: str, pages: Callable[[], Iterable[Page | PageFailure]]) -> list[str]:
    """Copy the result in ``folder``, and the exports that the job asks for, below the job's prefix.

    Return the codes of warnings. A fault of S3, or an export that cannot be made, does not fail the job: its result can
    still be fetched.
    """
    prefix, region = job.parsed_options.s3_output
    if not prefix:
        return []
    warnings: list[str] = []
    try:
        for name, content in chain(_stored(folder), _exports(job, folder, pages, warnings)):
            with content:
                path = f"{prefix.rstrip('/')}/{job.pk}/{name}"
                s3_folders.write(path, content, project=job.project, region=region)
    except (FetchFailed, S3FolderNotAllowed) as error:
        logger.warning("The result of %s could not be written to S3: %s", job.pk, error.__cause__ or error)
        warnings.append(NOT_WRITTEN)
    return list(dict.fromkeys(warnings))


def _stored(folder: str) -> Iterator[tuple[str, BinaryIO]]:
    for name in (*OUTPUTS, GROUNDED_ITEMS, RAW_WORDS, SPREADSHEET):
        content = _opened(folder, name)
        if content is not None:  # not asked for
            yield name, content


def _opened(folder: str, name: str) -> BinaryIO | None:
    try:
        return storage.open_for_reading(f"{folder}/{name}")
    except FileNotFoundError:
        return None


def _exports(
    job: ParseJob, folder: str, pages: Callable[[], Iterable[Page | PageFailure]], warnings: list[str]
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield each export that the job asks for, and add the codes of warnings."""
    for name in job.parsed_options.s3_exports:
        export, noted = EXPORTS[name], list[str]()
        with ExitStack() as used:
            out = cast(BinaryIO, used.enter_context(SpooledTemporaryFile(max_size=MAX_MEMORY_BYTES)))
            try:
                source = export_source(
                    job,
                    export,
                    used,
                    pages=pages,
                    open_output=lambda name: _opened(folder, name),
                    warn=noted.append,
                )
                export.write(source, out)
            except NoTables:
                continue
            except (DocumentError, PageError) as error:
                logger.warning("The export %s of %s could not be made for S3: %s", name, job.pk, error)
                warnings.append(NOT_WRITTEN)
                continue
            warnings.extend(noted)
            out.seek(0)
            yield export.file_name, out
