"""Write the files of a result to S3, if the request asks for it."""

from __future__ import annotations

import logging

from apps.core.outbound.errors import FetchFailed
from apps.documents import s3_folders, storage
from apps.documents.errors import S3FolderNotAllowed
from apps.jobs.models import ParseJob
from apps.pages.output.assembly import GROUNDED_ITEMS, OUTPUTS, RAW_WORDS, SPREADSHEET

logger = logging.getLogger(__name__)
NOT_WRITTEN = "s3_not_written"


def write_to_s3(job: ParseJob, folder: str) -> str:
    """Copy the result in ``folder`` below the job's prefix. Return the code of a warning; "" if there is none.

    A fault of S3 does not fail the job: its result can still be fetched.
    """
    prefix, region = job.parsed_options.s3_output
    if not prefix:
        return ""
    try:
        for name in (*OUTPUTS, GROUNDED_ITEMS, RAW_WORDS, SPREADSHEET):
            try:
                content = storage.open_for_reading(f"{folder}/{name}")
            except FileNotFoundError:
                continue  # not asked for
            with content:
                path = f"{prefix.rstrip('/')}/{job.pk}/{name}"
                s3_folders.write(path, content, project=job.project, region=region)
    except (FetchFailed, S3FolderNotAllowed) as error:
        logger.warning("The result of %s could not be written to S3: %s", job.pk, error.__cause__ or error)
        return NOT_WRITTEN
    return ""
