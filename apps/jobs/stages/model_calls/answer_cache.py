"""A cache of models' answers for pages, so that the same page is not paid for twice.

An answer belongs to one project. It depends on the page as it was extracted, on the page image and its size if the
model sees it, on the version of the prompt, on the customer's instructions, on the model and its settings, and on how
its text becomes blocks.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from django.conf import settings
from django.db import IntegrityError
from django.db.models.functions import Now

from apps.documents import storage
from apps.jobs.models import JobPage, PageAnswer, ParseJob
from apps.pages.model.blocks import Page, decode_page, encode_page
from apps.pages.model.errors import GarbledPage
from apps.parsing.page_pictures import PAGE_DPI
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.requests import picture_pixels
from apps.providers.catalog import Target

logger = logging.getLogger(__name__)
MAX_PURGED_PER_CALL = 200
READING = "3"
"""How an answer becomes blocks and is checked. A change needs a new number: answers cached before are not used."""


@dataclass(frozen=True)
class AnswerInputs:
    """Everything that an answer depends on except the deployment."""

    job: ParseJob
    row: JobPage
    page: Page
    before: str
    prompt_version: str
    instructions: CustomInstructions
    sees_picture: bool
    refuses: bool = True

    def key(self, target: Target) -> str:
        """Return the key of the answer of this deployment, or of another with the same model and settings."""
        picture = f"{self.row.number} {picture_pixels(target)} {PAGE_DPI}"
        if margins := self.job.parsed_options.margins:
            picture += f" {margins}"
        parts = [
            str(self.job.project_id),
            target.answer_settings,
            READING,
            "" if self.refuses else "unchecked",
            self.prompt_version,
            self.before,
            msgspec.json.encode(self.instructions).decode(),
            f"{self.job.document.sha256} {picture}" if self.sees_picture and self.job.document else "",
            encode_page(msgspec.structs.replace(self.page, number=1)).decode(),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def find(inputs: AnswerInputs, targets: Sequence[Target]) -> tuple[Page, dict[str, object]] | None:
    """Return the cached answer of the first of these deployments that has one, and its facts; None if none has."""
    keys = list(dict.fromkeys(inputs.key(target) for target in targets))
    kept = {row.key: row for row in PageAnswer.objects.filter(key__in=keys, expires_at__gt=Now())}
    for key in keys:
        if key in kept:
            try:
                page = decode_page(storage.read(storage.page_answer(key)))
            except (FileNotFoundError, GarbledPage):
                logger.warning("The cached answer %s is missing from storage; the model will be called again", key)
                continue
            return msgspec.structs.replace(page, number=inputs.row.number), dict(kept[key].facts)
    return None


def keep(inputs: AnswerInputs, target: Target, page: Page, facts: dict[str, object]) -> None:
    """Store a good answer. Do nothing if the document was deleted meanwhile."""
    if inputs.job.document_id is None:
        return
    key = inputs.key(target)
    storage.write(storage.page_answer(key), encode_page(page))
    answer = PageAnswer(
        key=key,
        project_id=inputs.job.project_id,
        document_id=inputs.job.document_id,
        facts=facts,
        expires_at=Now() + timedelta(hours=settings.PAGE_CACHE_HOURS),
    )
    update_fields = ["project_id", "document_id", "facts", "expires_at"]
    try:
        PageAnswer.objects.bulk_create(
            [answer], update_conflicts=True, unique_fields=["key"], update_fields=update_fields
        )
    except IntegrityError:  # the document or the project was deleted meanwhile
        storage.delete(storage.page_answer(key))


def purge_expired() -> int:
    """Delete expired answers, at most ``MAX_PURGED_PER_CALL``. Return the number of rows deleted."""
    keys = list(PageAnswer.objects.filter(expires_at__lt=Now()).values_list("key", flat=True)[:MAX_PURGED_PER_CALL])
    for key in keys:
        storage.delete(storage.page_answer(key))
    return PageAnswer.objects.filter(key__in=keys).delete()[0] if keys else 0
