"""What every step's work needs: its errors become facts in the database, its reader gets the settings' limits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypedDict

from django.conf import settings
from django.db import transaction

from apps.core import sealed_secrets
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.claims import Claim, end_job, fail, retry
from apps.jobs.states import JobState
from apps.pages.model.errors import DocumentError, ParseError, UnplannedError
from apps.pages.sandbox import client

logger = logging.getLogger(__name__)


class StorageUnavailable(UnplannedError):
    """The storage did not answer or is full; the work is tried again."""

    code = "storage_unavailable"


def do_work(claim: Claim, work: Callable[[Claim], None]) -> bool:
    """Do a step's work; whatever goes wrong becomes a fact in the database. True when nothing did."""
    try:
        work(claim)
    except DocumentError as error:
        _refuse_document(claim, error)
    except OSError as error:
        logger.exception("Storage failed during %s", claim.step)
        retry(claim, StorageUnavailable(f"Storage failed: {error.strerror}. The work is tried again."))
    except ParseError as error:
        retry(claim, error)
    except Exception:
        logger.exception("%s stopped on an unplanned error", claim.step)
        retry(claim, UnplannedError())
    else:
        return True
    return False


def _refuse_document(claim: Claim, error: DocumentError) -> None:
    with transaction.atomic():
        if fail(claim, error_code=error.code):
            end_job(claim.job.pk, JobState.FAILED, error=error)


def password_of(job: ParseJob) -> str | None:
    return sealed_secrets.unseal(job.password_sealed) if job.password_sealed else None


class HiddenText(TypedDict):
    """How the reader is to treat text that people cannot see."""

    hidden_text: str
    preserve_very_small_text: bool


def hidden_text_of(job: ParseJob) -> HiddenText:
    """Removed when the job asks for it, and whenever a model reads the page: people would not know what it was told."""
    options = job.parsed_options
    removed = options.ignores_hidden_text or job.uses_models or job.mode != "fast"
    return {
        "hidden_text": "remove" if removed else "keep",
        "preserve_very_small_text": options.preserves_very_small_text,
    }


def reader_limits() -> client.Limits:
    return client.Limits(
        cpu_seconds=settings.PAGE_CPU_SECONDS,
        wall_seconds=settings.PAGE_WALL_SECONDS,
        memory_bytes=settings.READER_MEMORY_MB * 1024 * 1024,
        max_pages=settings.MAX_PAGES_PER_DOCUMENT,
    )
