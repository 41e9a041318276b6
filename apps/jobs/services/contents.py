"""The stored content of a page, as its row names it."""

from __future__ import annotations

from apps.documents import storage
from apps.jobs.models import JobPage
from apps.pages.blocks import Page, decode_pages
from apps.pages.errors import GarbledPage


def stored_page(row: JobPage) -> Page:
    """The page that was accepted last; GarbledPage when its content is not there."""
    for page in decode_pages(storage.read(row.content).splitlines()):
        if isinstance(page, Page) and page.number == row.number:
            return page
    raise GarbledPage
