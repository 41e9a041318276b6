"""Errors of documents that are fetched by URL, for the API and the command line."""

from __future__ import annotations

from apps.pages.model.errors import DocumentError


class FetchFailed(DocumentError):
    """The document could not be fetched. Check the address, or download the document and send the file."""

    code = "fetch_failed"
