"""Facts about a document that are known before its pages are read, and about the files inside it."""

from __future__ import annotations

from typing import Any

import msgspec

from apps.pages.model.page_numbers.labels import LabelRange

MAX_HEADER_OFFSET_BYTES = 1 << 16
"""How far into a file the header of a PDF is looked for. Readers accept bytes in front of it (PDF 32000-1, H.3)."""


class Attachment(msgspec.Struct, frozen=True):
    """A file inside the document, as the document describes it: "" or None where it gives no value."""

    name: str
    media_type: str = ""
    size_bytes: int | None = None


class ContainedFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """``name``: its path in an archive, or its name. ``size_bytes``: of the content that follows.

    ``code`` and ``detail``: why it has no content that could be parsed, as in errors.py; "" if it has.
    """

    name: str
    size_bytes: int = 0
    code: str = ""
    detail: str = ""


class DocumentFacts(msgspec.Struct, frozen=True):
    """Media type, page count, title, attached files, page labels and authors. ``warnings`` are public codes.

    ``invoice``: the content of an electronic invoice in XML, which is the document or a file attached to it.
    ``page_count`` is 0 if the document must be converted before it is read (``conversion_of``).
    """

    media_type: str
    page_count: int
    title: str = ""
    warnings: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    page_labels: tuple[LabelRange, ...] = ()
    authors: tuple[str, ...] = ()
    invoice: dict[str, Any] = {}


NAMED_FACTS = ("attachments", "page_labels", "authors", "invoice")
"""The facts that a job keeps and its result states."""
