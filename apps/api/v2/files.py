"""/api/v1/beta/files: uploaded files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from pydantic import Field, WithJsonSchema
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api import delivery, links
from apps.api.base import ApiView, PublicView, json_response, project_of
from apps.api.request_errors import WRONG_PROJECT, NotFound
from apps.api.requests import query_parameters
from apps.api.requests.bodies import read_json, validated
from apps.api.requests.idempotency import create_once, idempotent
from apps.api.requests.scopes import PARSES, READS, READS_BY_POST
from apps.api.requests.uploads import Upload, read_upload
from apps.api.schema import FILE_FORM, IDEMPOTENCY_KEY, JSON, PROBLEMS, query
from apps.api.v2.representations import File, FileList, PresignedUrl, represent_file
from apps.core.pagination import NEWEST_FIRST, SortOrder
from apps.documents import services as documents
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document
from apps.documents.queries import find_document_of_link, list_documents
from apps.jobs import queries as job_queries
from apps.jobs.commands.delete import delete_document
from apps.jobs.errors import InvalidOption
from apps.jobs.option_groups import WHOLE, Options

Purpose = Literal["user_data", "parse", "extract", "classify", "split", "sheet", "agent_app"]
PURPOSES: tuple[str, ...] = get_args(Purpose)
MAX_EXTERNAL_ID_CHARS = 255
SORT_ORDERS = {
    "name": SortOrder("name", descending=False),
    "id": SortOrder("id", descending=False),
    "created_at": NEWEST_FIRST,
}
_ID = re.compile(r"dfl-[0-9a-f-]{36}")
_PAGING: dict[str, Any] = {"page_size": int, "page_token": str}
_ORDERS = "^(name|id|created_at)( (asc|desc))?$"
_ORDER_BY = {"type": "string", "pattern": _ORDERS}
_EXPAND = {"type": "array", "items": {"type": "string", "enum": ["download_url"]}}


class Files(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_file",
        tags=["files"],
        parameters=IDEMPOTENCY_KEY,
        request=FILE_FORM,
        responses={200: File, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Upload a file of any type. The service checks whether it can be parsed when a job is created for it."""
        with read_upload(request) as upload:
            purpose = upload.fields.get("purpose") or "parse"
            if purpose not in PURPOSES:
                detail = f"The purpose is unknown. Send one of: {', '.join(PURPOSES)}."
                raise InvalidOption(detail, location=("body", "purpose"), value=purpose)
            external_id = upload.fields.get("external_file_id") or ""
            if len(external_id) > MAX_EXTERNAL_ID_CHARS or "\x00" in external_id:
                detail = f"The external_file_id is not valid. Send at most {MAX_EXTERNAL_ID_CHARS} characters, no NUL."
                raise InvalidOption(detail, location=("body", "external_file_id"))
            document = documents.store_bytes(
                project=project_of(request),
                name=upload.name,
                content=upload.content,
                purpose=purpose,
                external_file_id=external_id,
            )

        def create() -> HttpResponse:
            documents.add_document(document)
            return json_response(represent_file(document))

        with documents.removed_if_refused(document):
            return create_once(request, create)

    @extend_schema(
        operation_id="list_files",
        tags=["files"],
        parameters=query(
            file_ids=list, file_name=str, external_file_id=str, order_by=_ORDER_BY, expand=_EXPAND, **_PAGING
        ),
        responses={200: FileList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's files, newest first unless ``order_by`` is given."""
        rows = list_documents(
            project=project_of(request),
            file_ids=query_parameters.values(request, "file_ids"),
            file_name=query_parameters.text(request, "file_name"),
            external_file_id=query_parameters.text(request, "external_file_id"),
        )
        size = query_parameters.page_size(request)
        order = _order(query_parameters.text(request, "order_by"), "query")
        return _listed(request, rows, order, size, query_parameters.text(request, "page_token"))


class FileFilter(Options):
    file_ids: list[str] | None = None
    file_name: str | None = None
    external_file_id: str | None = None
    project_id: str | None = None
    data_source_id: str | None = None
    only_manually_uploaded: bool | None = None


class FileQuery(Options):
    filter: FileFilter | None = None
    order_by: Annotated[str | None, WithJsonSchema({"anyOf": [_ORDER_BY, {"type": "null"}]})] = None
    page_size: Annotated[int, Field(ge=1), WHOLE] | None = None
    page_token: str | None = None


class FilesQuery(ApiView):
    scopes = READS_BY_POST

    @extend_schema(
        operation_id="query_files", tags=["files"], request={JSON: FileQuery}, responses={200: FileList, **PROBLEMS}
    )
    def post(self, request: Request) -> HttpResponse:
        """List the project's files by a JSON body, as older clients do."""
        query = validated(FileQuery, read_json(request, optional=True))
        filters = query.filter or FileFilter()
        project = project_of(request)
        if filters.project_id and not project.is_called(filters.project_id):
            raise NotFound(WRONG_PROJECT)
        rows = list_documents(
            project=project,
            file_ids=filters.file_ids or [],
            file_name=filters.file_name,
            external_file_id=filters.external_file_id,
        )
        size = min(query.page_size or query_parameters.DEFAULT_PAGE_SIZE, query_parameters.MAX_PAGE_SIZE)
        return _listed(request, rows, _order(query.order_by, "body"), size, query.page_token)


class FileById(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="get_file", tags=["files"], parameters=query(expand=_EXPAND), responses={200: File, **PROBLEMS}
    )
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """Return a file; with ``expand=download_url`` also a link to its bytes."""
        document = find_file(project_of(request), file_id)
        return json_response(_represent(request, document, job_queries.documents_expire_at([document.pk])))

    @extend_schema(operation_id="delete_file", tags=["files"], responses={204: None, **PROBLEMS})
    def delete(self, request: Request, file_id: str) -> HttpResponse:
        """Delete a file. Fails while a job of the file is open. The results of its jobs remain."""
        delete_document(document=find_file(project_of(request), file_id))
        return HttpResponse(status=204)


class FileContent(ApiView):
    scopes = READS

    @extend_schema(
        operation_id="get_file_content",
        tags=["files"],
        parameters=query(expires_at_seconds={"type": "integer", "minimum": 1}),
        responses={200: PresignedUrl, **PROBLEMS},
    )
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """Return a link to the file's bytes. It needs no API key and expires."""
        seconds = query_parameters.integer(
            request, "expires_at_seconds", settings.SIGNED_URL_SECONDS, minimum=1, maximum=links.MAX_LINK_SECONDS
        )
        return json_response(_link(request, find_file(project_of(request), file_id), seconds=seconds))


class SignedFile(PublicView):
    @extend_schema(exclude=True)
    def get(self, request: Request, token: str) -> HttpResponseBase:
        """Return the bytes, always as a download: a browser must not show uploads as pages of this service."""
        document_id = links.document_id_of(token)
        document = find_document_of_link(document_id) if document_id else None
        if document is None:
            raise NotFound("This link is no longer valid. Request a new one: GET /api/v1/beta/files/{file_id}/content.")
        content = storage.open_original(document.pk)
        response = delivery.file_response(
            request,
            content,
            size=document.size_bytes,
            name=document.name,
            media_type="application/octet-stream",
            tag=delivery.entity_tag(document.pk, document.sha256),
        )
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response


def find_file(project: Project, file_id: str) -> Document:
    """Return the project's file. Raise DocumentNotFound for an unknown id and a file of another project alike."""
    if not _ID.fullmatch(file_id):
        raise DocumentNotFound
    return documents.find_document(project=project, document_id=file_id)


def store(project: Project, upload: Upload) -> Document:
    """Store the bytes of a document that is deleted with its last job. ``submit_job`` creates its row."""
    return documents.store_bytes(project=project, name=upload.name, content=upload.content, kept_as_file=False)


def _order(order_by: str | None, where: str) -> SortOrder:
    """Return the order: ``name``, ``id`` (ascending), ``created_at`` (newest first). Older clients add a direction."""
    if not order_by:
        return NEWEST_FIRST
    field, _, direction = order_by.strip().partition(" ")
    if field not in SORT_ORDERS or direction.lower() not in ("", "asc", "desc"):
        detail = "Files cannot be sorted by this. Send name, id or created_at, optionally followed by asc or desc."
        raise InvalidOption(detail, location=(where, "order_by"), value=order_by)
    return SortOrder(field, descending=direction.lower() == "desc") if direction else SORT_ORDERS[field]


def _listed(request: Request, rows: QuerySet[Document], order: SortOrder, size: int, token: str | None) -> HttpResponse:
    page = query_parameters.paginate(rows, order=order, size=size, token=token)
    expire_at = job_queries.documents_expire_at([document.pk for document in page.rows])
    items = [_represent(request, document, expire_at) for document in page.rows]
    return json_response(FileList(items=items, next_page_token=page.next_token, total_size=page.total))


def _represent(request: Request, document: Document, expire_at: Mapping[str, datetime]) -> File:
    link = _link(request, document) if "download_url" in query_parameters.values(request, "expand") else None
    return represent_file(document, download_url=link, expires_at=expire_at.get(document.pk))


def _link(request: Request, document: Document, *, seconds: int | None = None) -> PresignedUrl:
    path, expires_at = links.signed_path(document.pk, seconds=seconds or settings.SIGNED_URL_SECONDS)
    return PresignedUrl(url=links.origin(request) + path, expires_at=expires_at)
