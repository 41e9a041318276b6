"""The stored content of a page."""

from __future__ import annotations

from apps.documents import storage
from apps.jobs.models import JobPage
from apps.pages.model.blocks import Page, find_page
from apps.pages.model.errors import GarbledPage


def stored_page(row: JobPage) -> Page:
    """Return the accepted content of a page. Raise GarbledPage if the stored file does not contain the page."""
    return find_page(storage.read(row.content), row.number)


def stored_page_and_before(row: JobPage) -> tuple[Page, Page | None]:
    """Return the accepted content of a page, and the page before as extracted in the same range, if there is one."""
    content = storage.read(row.content)
    try:
        before = find_page(content, row.number - 1)
    except GarbledPage:  # the first page of its range, or the page before could not be read
        before = None
    return find_page(content, row.number), before
