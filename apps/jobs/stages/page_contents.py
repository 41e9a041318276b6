"""The stored content of a page, as its row names it."""

from __future__ import annotations

from apps.documents import storage
from apps.jobs.models import JobPage
from apps.pages.model.blocks import Page, find_page


def stored_page(row: JobPage) -> Page:
    """The page that was accepted last; GarbledPage when its content is not there."""
    return find_page(storage.read(row.content), row.number)
