"""The stored content of a page."""

from __future__ import annotations

from apps.documents import storage
from apps.jobs.models import JobPage
from apps.pages.model.blocks import Page, find_page


def stored_page(row: JobPage) -> Page:
    """Return the accepted content of a page. Raise GarbledPage if the stored file does not contain the page."""
    return find_page(storage.read(row.content), row.number)
