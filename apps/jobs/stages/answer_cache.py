"""Models' answers for pages, kept by what they depend on: the same page is never paid for twice.

An answer belongs to one project. It depends on the page as it was read, on the picture of it where a model sees one,
on the prompt's version and the customer's instructions, and on the model that gave it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from django.conf import settings
from django.db.models.functions import Now

from apps.documents import storage
from apps.jobs.models import JobPage, PageAnswer, ParseJob
from apps.pages.model.blocks import Page, decode_page, encode_page
from apps.pages.model.errors import GarbledPage
from apps.parsing.prompts.messages import CustomInstructions

logger = logging.getLogger(__name__)
PURGED_AT_ONCE = 200


@dataclass(frozen=True)
class Asked:
    """Everything an answer depends on but the model."""

    job: ParseJob
    row: JobPage
    page: Page
    prompt_version: str
    instructions: CustomInstructions
    sees_picture: bool

    def key(self, model: str) -> str:
        parts = [
            str(self.job.project_id),
            model,
            self.prompt_version,
            msgspec.json.encode(self.instructions).decode(),
            f"{self.job.document.sha256} {self.row.number}" if self.sees_picture and self.job.document else "",
            encode_page(msgspec.structs.replace(self.page, number=1)).decode(),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def find(asked: Asked, models: Sequence[str]) -> tuple[Page, dict[str, object]] | None:
    """The kept answer of the first of these models that has one, and what is known of it."""
    keys = [asked.key(model) for model in models]
    kept = {row.key: row for row in PageAnswer.objects.filter(key__in=keys, expires_at__gt=Now())}
    for key in keys:
        if key in kept:
            try:
                page = decode_page(storage.read(storage.page_answer(key)))
            except (FileNotFoundError, GarbledPage):
                logger.warning("The kept answer %s is gone; the model is asked again", key)
                continue
            return msgspec.structs.replace(page, number=asked.row.number), dict(kept[key].facts)
    return None


def keep(asked: Asked, model: str, page: Page, facts: dict[str, object]) -> None:
    """Keep a good answer; what failed is never kept."""
    if asked.job.document_id is None:
        return
    key = asked.key(model)
    storage.write(storage.page_answer(key), encode_page(page))
    answer = PageAnswer(
        key=key,
        project_id=asked.job.project_id,
        document_id=asked.job.document_id,
        facts=facts,
        expires_at=Now() + timedelta(hours=settings.PAGE_CACHE_HOURS),
    )
    changing = ["project_id", "document_id", "facts", "expires_at"]
    PageAnswer.objects.bulk_create([answer], update_conflicts=True, unique_fields=["key"], update_fields=changing)


def purge_expired() -> int:
    """Remove answers that are too old, a few at a time."""
    keys = list(PageAnswer.objects.filter(expires_at__lt=Now()).values_list("key", flat=True)[:PURGED_AT_ONCE])
    for key in keys:
        storage.delete(storage.page_answer(key))
    return PageAnswer.objects.filter(key__in=keys).delete()[0] if keys else 0
