"""/api/v1/beta/files: uploaded files."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Literal, get_args

from django.conf import settings
from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from pydantic import Field
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api import links
from apps.api.base import ApiView, PublicView, json_response, project_of
from apps.api.request_errors import NotFound, StorageFull, StorageUnreachable
from apps.api.requests import query_parameters
from apps.api.requests.bodies import read_json, validated
from apps.api.requests.query_parameters import NEWEST_FIRST, SortOrder
from apps.api.requests.uploads import Upload, read_upload
from apps.api.schema import FILE_FORM, JSON, PROBLEMS, query
from apps.api.v2.representations import File, FileList, PresignedUrl, represent_file
from apps.documents import services as documents
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document
from apps.documents.queries import find_document_of_link, list_documents
from apps.jobs import queries as job_queries
from apps.jobs.commands.delete import delete_document
from apps.jobs.errors import InvalidOption
from apps.jobs.option_groups import Options

Purpose = Literal["user_data", "parse", "extract", "classify", "split", "sheet", "agent_app"]
PURPOSES: tuple[str, ...] = get_args(Purpose)
MAX_EXTERNAL_ID_CHARS = 255
SORT_ORDERS = {
    "name": SortOrder("name", descending=False),
    "id": SortOrder("id", descending=False),
    "created_at": NEWEST_FIRST,
}
_ID = re.compile(r"dfl-[0-9a-f-]{36}")
_PAGING = {"page_size": int, "page_token": str}


class Files(ApiView):
    @extend_schema(operation_id="create_file", tags=["files"], request=FILE_FORM, responses={200: File, **PROBLEMS})
    def post(self, request: Request) -> HttpResponse:
        """Upload a file of any kind; whether it can be parsed is looked at when it is to be parsed."""
        with read_upload(request) as upload:
            purpose = upload.fields.get("purpose") or "parse"
            if purpose not in PURPOSES:
                detail = f"A purpose is one of: {', '.join(PURPOSES)}."
                raise InvalidOption(detail, location=("body", "purpose"), value=purpose)
            external_id = upload.fields.get("external_file_id") or ""
            document = store(project_of(request), upload, purpose=purpose, external_file_id=_checked(external_id))
        return json_response(represent_file(document))

    @extend_schema(
        operation_id="list_files",
        tags=["files"],
        parameters=query(file_ids=list, file_name=str, external_file_id=str, order_by=str, expand=list, **_PAGING),
        responses={200: FileList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """The project's files, newest first unless ``order_by`` says otherwise."""
        rows = list_documents(
            project=project_of(request),
            file_ids=query_parameters.values(request, "file_ids"),
            file_name=query_parameters.text(request, "file_name"),
            external_file_id=query_parameters.text(request, "external_file_id"),
        )
        size = query_parameters.integer(
            request, "page_size", query_parameters.DEFAULT_PAGE_SIZE, minimum=1, maximum=query_parameters.MAX_PAGE_SIZE
        )
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
    order_by: str | None = None
    page_size: Annotated[int, Field(ge=1)] | None = None
    page_token: str | None = None


class FilesQuery(ApiView):
    @extend_schema(
        operation_id="query_files", tags=["files"], request={JSON: FileQuery}, responses={200: FileList, **PROBLEMS}
    )
    def post(self, request: Request) -> HttpResponse:
        """The same list by a body; an older form of it."""
        asked = validated(FileQuery, read_json(request, optional=True))
        wanted = asked.filter or FileFilter()
        project = project_of(request)
        if wanted.project_id and wanted.project_id.lower() != str(project.pk):
            raise NotFound
        rows = list_documents(
            project=project,
            file_ids=wanted.file_ids or [],
            file_name=wanted.file_name,
            external_file_id=wanted.external_file_id,
        )
        size = min(asked.page_size or query_parameters.DEFAULT_PAGE_SIZE, query_parameters.MAX_PAGE_SIZE)
        return _listed(request, rows, _order(asked.order_by, "body"), size, asked.page_token)


class FileById(ApiView):
    @extend_schema(
        operation_id="get_file", tags=["files"], parameters=query(expand=list), responses={200: File, **PROBLEMS}
    )
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """One file; with ``expand=download_url`` also a link to its bytes."""
        document = find_file(project_of(request), file_id)
        return json_response(_represent(request, document, job_queries.documents_expire_at([document.pk])))

    @extend_schema(operation_id="delete_file", tags=["files"], responses={204: None, **PROBLEMS})
    def delete(self, request: Request, file_id: str) -> HttpResponse:
        """Remove a file; refused while a job of it is open. Results of its jobs stay."""
        delete_document(document=find_file(project_of(request), file_id))
        return HttpResponse(status=204)


class FileContent(ApiView):
    @extend_schema(
        operation_id="get_file_content",
        tags=["files"],
        parameters=query(expires_at_seconds=int),
        responses={200: PresignedUrl, **PROBLEMS},
    )
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """A link to the file's bytes that needs no key and expires."""
        seconds = query_parameters.integer(
            request, "expires_at_seconds", settings.SIGNED_URL_SECONDS, minimum=1, maximum=links.MAX_LINK_SECONDS
        )
        return json_response(_link(request, find_file(project_of(request), file_id), seconds=seconds))


class SignedFile(PublicView):
    @extend_schema(exclude=True)
    def get(self, request: Request, token: str) -> HttpResponseBase:
        """The bytes, always as a download: what people upload is never shown as a page of ours."""
        document_id = links.document_id_of(token)
        document = find_document_of_link(document_id) if document_id else None
        if document is None:
            raise NotFound("This link is not valid any more. Ask for a new one at .../files/{id}/content.")
        with storage_errors():
            content = storage.open_for_reading(storage.original(document.pk))
        response = FileResponse(
            content, as_attachment=True, filename=document.name, content_type="application/octet-stream"
        )
        response["Content-Length"] = str(document.size_bytes)
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response["Cache-Control"] = "private, no-store"
        return response


def find_file(project: Project, file_id: str) -> Document:
    """The project's file; DocumentNotFound for one that is not, whatever the reason."""
    if not _ID.fullmatch(file_id):
        raise DocumentNotFound
    return documents.find_document(project=project, document_id=file_id)


def store(
    project: Project,
    upload: Upload,
    *,
    purpose: str = "parse",
    external_file_id: str = "",
    kept_as_file: bool = True,
) -> Document:
    with storage_errors():
        return documents.store_upload(
            project=project,
            name=upload.name,
            content=upload.content,
            purpose=purpose,
            external_file_id=external_file_id,
            kept_as_file=kept_as_file,
        )


@contextmanager
def storage_errors() -> Iterator[None]:
    """What storage cannot do is told as that, not as a bug of ours."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (StorageFull if full else StorageUnreachable) from error


def _order(asked: str | None, where: str) -> SortOrder:
    """``name``, ``id`` (ascending) or ``created_at`` (newest first); a direction may follow, as in older clients."""
    if not asked:
        return NEWEST_FIRST
    field, _, direction = asked.strip().partition(" ")
    if field not in SORT_ORDERS or direction.lower() not in ("", "asc", "desc"):
        detail = "Files are ordered by name, id or created_at."
        raise InvalidOption(detail, location=(where, "order_by"), value=asked)
    return SortOrder(field, descending=direction.lower() == "desc") if direction else SORT_ORDERS[field]


def _listed(request: Request, rows: QuerySet[Document], order: SortOrder, size: int, token: str | None) -> HttpResponse:
    found, next_token = query_parameters.paginate(rows, order=order, size=size, token=token)
    expire_at = job_queries.documents_expire_at([document.pk for document in found])
    items = [_represent(request, document, expire_at) for document in found]
    return json_response(FileList(items=items, next_page_token=next_token, total_size=rows.count()))


def _represent(request: Request, document: Document, expire_at: Mapping[str, datetime]) -> File:
    link = _link(request, document) if "download_url" in query_parameters.values(request, "expand") else None
    return represent_file(document, download_url=link, expires_at=expire_at.get(document.pk))


def _link(request: Request, document: Document, *, seconds: int | None = None) -> PresignedUrl:
    path, expires_at = links.signed_path(document.pk, seconds=seconds or settings.SIGNED_URL_SECONDS)
    return PresignedUrl(url=links.origin(request) + path, expires_at=expires_at)


def _checked(external_id: str) -> str:
    if len(external_id) > MAX_EXTERNAL_ID_CHARS or "\x00" in external_id:
        detail = f"An external_file_id has at most {MAX_EXTERNAL_ID_CHARS} characters."
        raise InvalidOption(detail, location=("body", "external_file_id"))
    return external_id
