"""The stored content of a page."""

from __future__ import annotations

from collections.abc import Iterator

from apps.documents import storage
from apps.jobs import queries
from apps.jobs.models import JobPage
from apps.jobs.states import PageState
from apps.pages.model.blocks import Page, decode_pages, find_page
from apps.pages.model.errors import GarbledPage

READ_CONTENT = "read_content"
"""The fact of a page parsed by a model that names its content as extracted and recognized."""


def stored_page(row: JobPage) -> Page:
    """Return the accepted content of a page. Raise GarbledPage if the stored file does not contain the page."""
    return find_page(storage.read(row.content), row.number)


def stored_pages(job_id: str) -> Iterator[Page]:
    """Yield the accepted content of a job's succeeded pages, in order. The file of a range is read once.

    Raise FileNotFoundError if a file is missing, GarbledPage if it does not contain a page.
    """
    for _row, page in rows_with_pages(job_id):
        if page is not None:
            yield page


def rows_with_pages(job_id: str) -> Iterator[tuple[JobPage, Page | None]]:
    """Yield the rows of a job's pages in order, each with its accepted content if the page succeeded."""
    key, pages = "", {}
    for row in queries.page_rows(job_id):
        if row.state != PageState.SUCCEEDED:
            yield row, None
            continue
        if row.content != key:
            key = row.content
            results = decode_pages(storage.read(key).splitlines())
            pages = {page.number: page for page in results if isinstance(page, Page)}
        if row.number not in pages:
            raise GarbledPage
        yield row, pages[row.number]


def read_content(row: JobPage) -> str:
    """Return the key of a page's content as extracted and recognized, before a model parsed it; "" if there is none."""
    return str(row.facts.get(READ_CONTENT) or row.content)


def stored_page_and_before(row: JobPage, before: str) -> tuple[Page, Page | None]:
    """Return the accepted content of a page, and that of the page before.

    ``before``: the key of the content of the page before; "" if there is none.
    """
    content = storage.read(row.content)
    page = find_page(content, row.number)
    if not before:
        return page, None
    try:
        return page, find_page(content if before == row.content else storage.read(before), row.number - 1)
    except (FileNotFoundError, GarbledPage):  # it is context only
        return page, None
