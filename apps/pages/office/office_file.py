"""Open a document that is read from its own structure, and read its pages.

A page is what the kind of document has: a sheet, a slide, a chapter, a message, or what is between two page breaks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Protocol

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import PageError, ParseError, UnsupportedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office import packages
from apps.pages.office.sources import Source

NOMINAL_WIDTH, NOMINAL_HEIGHT = 612.0, 792.0
"""The size, in points, of pages whose document gives them none."""


class OfficeFile(Protocol):
    """An open document. It is opened once in each child, so it may keep what it has parsed."""

    @property
    def facts(self) -> DocumentFacts: ...

    def page(self, number: int) -> Page:
        """Return a page, counted from 1. Its blocks are final: ``Page.structured``. Raise ParseError."""
        ...


Opener = Callable[[Source, str | None, OfficeOptions], OfficeFile]
"""Takes the source, the password and the options. Raises DocumentError."""

# Media type -> module whose function ``open_file`` opens it. Modules are imported where they are used first.
_MODULES = {
    **dict.fromkeys(packages.OPEN_XML_WORKBOOKS, "apps.pages.office.sheets.xlsx"),
    "application/vnd.ms-excel": "apps.pages.office.sheets.older.xls",
    "application/vnd.ms-excel.sheet.binary.macroEnabled.12": "apps.pages.office.sheets.binary.xlsb",
    **dict.fromkeys(packages.OPEN_DOCUMENT_WORKBOOKS, "apps.pages.office.sheets.ods"),
    **dict.fromkeys(packages.OPEN_XML_PRESENTATIONS, "apps.pages.office.slides.presentation"),
    **dict.fromkeys(packages.OPEN_DOCUMENT_PRESENTATIONS, "apps.pages.office.slides.odp"),
    **dict.fromkeys(packages.OPEN_XML_TEXTS, "apps.pages.office.words.docx"),
    **dict.fromkeys(packages.OPEN_DOCUMENT_TEXTS, "apps.pages.office.words.odt"),
    "application/epub+zip": "apps.pages.office.books.epub",
    "application/rtf": "apps.pages.office.rtf.rtf_file",
    "application/vnd.ms-outlook": "apps.pages.office.mail.outlook",
    "application/xml": "apps.pages.office.invoices.invoice_file",
    "message/rfc822": "apps.pages.office.mail.message",
    "text/csv": "apps.pages.office.plain.delimited",
    "text/tab-separated-values": "apps.pages.office.plain.delimited",
    "text/plain": "apps.pages.office.plain.text_file",
    "text/html": "apps.pages.office.web.html_file",
    "text/markdown": "apps.pages.office.web.marked_up_text",
    "text/asciidoc": "apps.pages.office.web.marked_up_text",
    "text/org": "apps.pages.office.web.marked_up_text",
}
MODULES = tuple(dict.fromkeys(_MODULES.values()))


def opened(path: str, media_type: str, password: str | None, options: OfficeOptions) -> OfficeFile:
    """Return the document; the last one that was opened stays open. Raise DocumentError."""
    facts = os.stat(path)  # noqa: PTH116 (the path may be a descriptor)
    identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return _opened(path, media_type, password, options, identity)


@lru_cache(maxsize=1)
def _opened(
    path: str, media_type: str, password: str | None, options: OfficeOptions, _identity: tuple[int, ...]
) -> OfficeFile:
    return _open(path, media_type, password, options)


def open_content(content: bytes, media_type: str, options: OfficeOptions) -> OfficeFile:
    """Return a document that is inside another one. Raise DocumentError."""
    return _open(content, media_type, None, options)


def _open(source: Source, media_type: str, password: str | None, options: OfficeOptions) -> OfficeFile:
    module = _MODULES.get(media_type)
    if module is None:
        raise UnsupportedDocument
    open_file: Opener = import_module(module).open_file
    return open_file(source, password, options)


def read_pages(
    path: str, page_numbers: Sequence[int], *, media_type: str, password: str | None, options: OfficeOptions
) -> Iterator[Page | PageFailure]:
    """Yield one result per page number. A page that cannot be read does not affect the others."""
    document = opened(path, media_type, password, options)
    for number in page_numbers:
        try:
            yield document.page(number)
        except ParseError as error:
            yield PageFailure(number=number, code=error.code, detail=error.detail)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            problem = PageError()
            yield PageFailure(number, problem.code, f"{problem.detail} ({type(error).__name__})")
