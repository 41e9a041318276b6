"""Shared by the stages: record a step's errors in the database, and pass the job's options to the reader."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from apps.core.sealing import sealed_secrets
from apps.documents import storage
from apps.documents.errors import DocumentNotFound, StorageUnavailable
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.claims import Claim, end_job, fail, retry, snooze_in_outage
from apps.jobs.states import JobState
from apps.pages.model.errors import DocumentError, ParseError, ReaderNotConfined, UnplannedError
from apps.pages.model.geometry import Margins
from apps.pages.model.office_options import OfficeOptions
from apps.pages.sandbox import client

logger = logging.getLogger(__name__)


# Faults of this machine, not of a document: a full or broken disk, no more open files, no memory.
_OUTAGES = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)


@contextmanager
def record_errors(claim: Claim) -> Iterator[None]:
    """Record an error of the block in the database instead of raising it.

    A ``DocumentError`` fails the job, because a retry cannot succeed. In an outage of storage, disk or database, and on
    a machine that may not read documents, the step is snoozed until it can run or the job's deadline passes. After any
    other error the step is retried.
    """
    try:
        yield
    except DocumentError as error:
        with transaction.atomic():
            if fail(claim, error_code=error.code):
                end_job(claim.job.pk, JobState.FAILED, error=error)
    except StorageUnavailable as error:
        snooze_in_outage(claim, f"{error.detail} ({error.__cause__})")
    except ReaderNotConfined as error:
        snooze_in_outage(claim, error.detail)
    except (OperationalError, InterfaceError) as error:
        snooze_in_outage(claim, f"The database failed: {error}")
    except OSError as error:
        if error.errno in _OUTAGES:
            snooze_in_outage(claim, f"A file could not be written or read: {error}")
        else:
            logger.exception("%s stopped on an error of a file", claim.step)
            retry(claim, StorageUnavailable(f"A file failed: {error.strerror}. The work is retried."))
    except ParseError as error:
        retry(claim, error)
    except Exception:
        logger.exception("%s stopped on an unplanned error", claim.step)
        retry(claim, UnplannedError())


def password_of(job: ParseJob) -> str | None:
    """Return the password that opens the job's document; None if it needs none."""
    return sealed_secrets.unseal(job.password_sealed) if job.password_sealed else None


@contextmanager
def local_document(job: ParseJob) -> Iterator[Path]:
    """Return a path on this machine with the document that is read: the converted one, or the original.

    Raise DocumentNotFound if the document was deleted, DocumentMissing if its bytes are gone.
    """
    if job.document_id is None:
        raise DocumentNotFound
    with storage.local_file(job.converted_key or storage.original(job.document_id)) as path:
        yield path


@contextmanager
def original_document(job: ParseJob) -> Iterator[Path]:
    """Return a path on this machine with the document as it was uploaded. Raise as ``local_document`` does."""
    if job.document_id is None:
        raise DocumentNotFound
    with storage.local_file(storage.original(job.document_id)) as path:
        yield path


class ReadingOptions(TypedDict):
    """The arguments of the reader that options of a job decide."""

    hidden_text: str
    preserve_very_small_text: bool
    word_boxes: bool
    margins: Margins | None
    skip_diagonal: bool
    office: OfficeOptions


def reading_options_of(job: ParseJob) -> ReadingOptions:
    """Return how the reader treats hidden text, whether it returns the boxes of words, and what it leaves out.

    Hidden text is removed if the job asks for it, or if a model may read the page: it could give a model instructions
    that people do not see.
    """
    options = job.parsed_options
    removed = options.ignores_hidden_text or job.uses_models or job.mode != "fast"
    return {
        "hidden_text": "remove" if removed else "keep",
        "preserve_very_small_text": options.preserves_very_small_text,
        "word_boxes": job.needs_word_boxes,
        "margins": options.margins,
        "skip_diagonal": options.ignores_diagonal_text,
        "office": options.office(job.document_name),
    }


def reader_limits() -> client.Limits:
    """Return the limits of the settings for reading a document."""
    return client.Limits(
        cpu_seconds=settings.PAGE_CPU_SECONDS,
        wall_seconds=settings.PAGE_WALL_SECONDS,
        memory_bytes=settings.READER_MEMORY_MB * 1024 * 1024,
        max_pages=settings.MAX_PAGES_PER_DOCUMENT,
    )
