"""``PUT /process``: the external document loader of Open WebUI."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

from django.conf import settings
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import BaseModel, RootModel
from rest_framework.request import Request

from apps.api import delivery
from apps.api.base import json_response, project_of
from apps.api.compatible.base import CompatibleView, check_succeeded, submit_and_wait
from apps.api.compatible.result_texts import pages_of, whole_text
from apps.api.request_errors import FileMissing, IncompleteUpload
from apps.api.requests.bodies import check_encoding, source_of
from apps.api.requests.rate_limits import upload_slot
from apps.api.requests.scopes import PARSES
from apps.api.requests.uploads import CHUNK_BYTES, Upload, check_size
from apps.api.schema import PROBLEMS
from apps.api.v1.upload_request import UploadRequest
from apps.jobs.models import ParseJob
from apps.pages.model.errors import DocumentError

MAX_NAME_CHARS = 4096
_BODY = {"application/octet-stream": {"type": "string", "format": "binary", "description": "The document"}}
_NAME = OpenApiParameter("X-Filename", str, OpenApiParameter.HEADER, description="percent-encoded; default: document")


class NoText(DocumentError):
    """No extractable text was found in the document. Check that it is not empty, or choose another tier."""

    code = "document_without_text"


class LoadedDocument(BaseModel):
    page_content: str
    metadata: dict[str, Any]


class LoadedPages(RootModel[list[LoadedDocument]]):
    """A document for each page with text."""


class Process(CompatibleView):
    scopes = PARSES

    @extend_schema(
        operation_id="open_webui_process",
        tags=["open-webui"],
        parameters=[_NAME],
        request=_BODY,
        responses={200: LoadedDocument, **PROBLEMS},
    )
    def put(self, request: Request) -> HttpResponseBase:
        """Parse the document in the body and return its Markdown."""
        job = _parsed(request)
        markdown = whole_text(job, "markdown.md")
        if not markdown.strip():
            raise NoText
        return _private(request, LoadedDocument(page_content=markdown, metadata=_metadata(job)))


class ProcessByPage(CompatibleView):
    scopes = PARSES

    @extend_schema(
        operation_id="open_webui_process_by_page",
        tags=["open-webui"],
        parameters=[_NAME],
        request=_BODY,
        responses={200: LoadedPages, **PROBLEMS},
    )
    def put(self, request: Request) -> HttpResponseBase:
        """Parse the document in the body and return the Markdown of each page, so that Open WebUI can cite pages."""
        job = _parsed(request)
        documents = [
            # Open WebUI counts pages from 0, and shows them counted from 1.
            LoadedDocument(page_content=text, metadata={**_metadata(job), "page": page.number - 1})
            for page in pages_of(job)
            if (text := page.markdown.get("markdown", "").strip())
        ]
        if not documents:
            raise NoText
        return _private(request, LoadedPages(documents))


def _parsed(request: Request) -> ParseJob:
    """Return the ended job for the document in the body."""
    translated = UploadRequest()
    translated.set("tier", settings.COMPATIBLE_API_TIER, source="tier")
    translated.set("client_name", "open-webui", source="client_name")
    accepted = translated.accept(project_of(request), translated.request)
    with _body_of(request) as upload:
        job = submit_and_wait(request, upload, accepted)
    check_succeeded(job)
    return job


@contextmanager
def _body_of(request: Request) -> Iterator[Upload]:
    """Yield the body as a file. Raise FileTooLarge, FileMissing, IncompleteUpload or UnsupportedEncoding."""
    check_encoding(request)
    source, announced = source_of(request, max_bytes=settings.MAX_UPLOAD_BYTES)
    check_size(announced)
    name = unquote(request.META.get("HTTP_X_FILENAME", "")[:MAX_NAME_CHARS]) or "document"
    with tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE) as spool:
        size_bytes = 0
        try:
            with upload_slot(request):
                while chunk := source.read(CHUNK_BYTES):
                    size_bytes += len(chunk)
                    check_size(size_bytes)
                    spool.write(chunk)
        except OSError as error:  # also Django's UnreadablePostError
            raise IncompleteUpload from error
        if size_bytes < announced:
            raise IncompleteUpload
        if not size_bytes:
            raise FileMissing("The body is empty. Send the bytes of the document.")
        spool.seek(0)
        yield Upload(name, cast(BinaryIO, spool), size_bytes)


def _metadata(job: ParseJob) -> dict[str, Any]:
    """Return flat metadata: Open WebUI stores it in vector databases."""
    known = {
        "source": job.document_name,
        "job_id": job.pk,
        "total_pages": job.page_count,
        "failed_pages": job.result_facts.get("failed_pages") or None,
        "warnings": "; ".join(str(each.get("code")) for each in job.warnings) or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _private(request: Request, content: BaseModel) -> HttpResponseBase:
    return delivery.compressed(request, delivery.private(json_response(content)))
