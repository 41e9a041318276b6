"""/api/v1/beta/directories: lists of uploaded files, which a batch parses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, Field
from rest_framework.request import Request

from apps.api.base import ApiView, json_response, project_of
from apps.api.requests import query_parameters
from apps.api.requests.bodies import parse_json, read_json, validated
from apps.api.requests.idempotency import create_once, idempotent
from apps.api.requests.scopes import PARSES
from apps.api.requests.uploads import Upload, read_upload
from apps.api.schema import IDEMPOTENCY_KEY, JSON, PROBLEMS, query
from apps.api.v2.files import find_file
from apps.core.pagination import NEWEST_FIRST
from apps.documents import directories
from apps.documents import services as documents
from apps.documents.models import Directory, DirectoryFile, Document
from apps.jobs.option_groups import Options

Name = Annotated[str, Field(min_length=1, max_length=255)]
Value = str | int | float | bool | None | list[str]
Metadata = Annotated[dict[Annotated[str, Field(max_length=100)], Value], Field(max_length=64)]
UPLOAD_FORM = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "upload_file": {"type": "string", "format": "binary", "minLength": 1},
            "display_name": {"type": "string", "minLength": 1, "maxLength": 255},
            "unique_id": {"type": "string", "minLength": 1, "maxLength": 255},
            "external_file_id": {"type": "string", "minLength": 1, "maxLength": 255},
            "metadata": {
                "type": "object",
                "additionalProperties": {
                    "anyOf": [
                        *({"type": kind} for kind in ("string", "number", "boolean", "null")),
                        {"type": "array", "items": {"type": "string"}},
                    ]
                },
                "propertyNames": {"maxLength": 100},
                "maxProperties": 64,
                "description": "JSON text",
            },
        },
        "required": ["upload_file"],
    }
}


class NewDirectory(Options):
    """``type``: directories are kept until they are deleted, so ``ephemeral`` is not possible."""

    name: Name
    description: Annotated[str, Field(max_length=2000)] | None = None
    type: Literal["user"] | None = None


class DirectoryFacts(BaseModel):
    id: str
    name: str
    project_id: str
    description: str | None = None
    type: Literal["user"] = "user"
    created_at: datetime
    updated_at: datetime


class DirectoryList(BaseModel):
    items: list[DirectoryFacts]
    next_page_token: str | None = None
    total_size: int


class AddedFile(Options):
    file_id: Name
    display_name: Name | None = None
    unique_id: Name | None = None
    metadata: Metadata | None = None


class _FileFields(Options):
    display_name: Name | None = None
    unique_id: Name | None = None
    external_file_id: Name | None = None
    metadata: Metadata | None = None


class DirectoryFileFacts(BaseModel):
    """``id`` is that of the file in the directory, ``file_id`` that of the uploaded file."""

    id: str
    directory_id: str
    project_id: str
    file_id: str
    display_name: str
    unique_id: str
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class DirectoryFileList(BaseModel):
    items: list[DirectoryFileFacts]
    next_page_token: str | None = None
    total_size: int


class Directories(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_directory",
        tags=["directories"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: NewDirectory},
        responses={200: DirectoryFacts, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Create a directory. Files are added to it, and a batch parses them."""
        new = validated(NewDirectory, read_json(request))
        project = project_of(request)

        def create() -> HttpResponse:
            created = Directory.objects.create(project=project, name=new.name, description=new.description or "")
            return json_response(_represent(created))

        return create_once(request, create)

    @extend_schema(
        operation_id="list_directories",
        tags=["directories"],
        parameters=query(name=str, page_size=int, page_token=str),
        responses={200: DirectoryList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's directories, newest first."""
        rows = directories.list_directories(project=project_of(request), name=query_parameters.text(request, "name"))
        page = query_parameters.paginate(
            rows,
            order=NEWEST_FIRST,
            size=query_parameters.page_size(request),
            token=query_parameters.text(request, "page_token"),
        )
        items = [_represent(each) for each in page.rows]
        return json_response(DirectoryList(items=items, next_page_token=page.next_token, total_size=page.total))


class DirectoryById(ApiView):
    scopes = PARSES

    @extend_schema(operation_id="get_directory", tags=["directories"], responses={200: DirectoryFacts, **PROBLEMS})
    def get(self, request: Request, directory_id: str) -> HttpResponse:
        """Return a directory."""
        return json_response(_represent(_find(request, directory_id)))

    @extend_schema(operation_id="delete_directory", tags=["directories"], responses={204: None, **PROBLEMS})
    def delete(self, request: Request, directory_id: str) -> HttpResponse:
        """Delete a directory. Its files, and the jobs of its batches, remain."""
        _find(request, directory_id).delete()
        return HttpResponse(status=204)


class FilesOfDirectory(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="add_directory_file",
        tags=["directories"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: AddedFile},
        responses={200: DirectoryFileFacts, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request, directory_id: str) -> HttpResponse:
        """Add an uploaded file to a directory."""
        directory = _find(request, directory_id)
        added = validated(AddedFile, read_json(request))
        document = find_file(project_of(request), added.file_id)

        def create() -> HttpResponse:
            file = directories.add_file(
                directory=directory,
                document=document,
                unique_id=added.unique_id,
                display_name=added.display_name,
                metadata=added.metadata,
            )
            return json_response(_represent_file(file, directory))

        return create_once(request, create)

    @extend_schema(
        operation_id="list_directory_files",
        tags=["directories"],
        parameters=query(display_name=str, unique_id=str, page_size=int, page_token=str),
        responses={200: DirectoryFileList, **PROBLEMS},
    )
    def get(self, request: Request, directory_id: str) -> HttpResponse:
        """List the files of a directory, newest first."""
        directory = _find(request, directory_id)
        rows = directories.list_files(directory)
        for name in ("display_name", "unique_id"):
            if value := query_parameters.text(request, name):
                rows = rows.filter(**{name: value})
        page = query_parameters.paginate(
            rows,
            order=NEWEST_FIRST,
            size=query_parameters.page_size(request),
            token=query_parameters.text(request, "page_token"),
        )
        items = [_represent_file(each, directory) for each in page.rows]
        return json_response(DirectoryFileList(items=items, next_page_token=page.next_token, total_size=page.total))


class UploadToDirectory(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="upload_directory_file",
        tags=["directories"],
        parameters=IDEMPOTENCY_KEY,
        request=UPLOAD_FORM,
        responses={200: DirectoryFileFacts, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request, directory_id: str) -> HttpResponse:
        """Upload a file into a directory."""
        directory = _find(request, directory_id)
        with read_upload(request) as upload:
            fields = _fields_of(upload)
            document = documents.store_bytes(
                project=project_of(request),
                name=upload.name,
                content=upload.content,
                external_file_id=fields.external_file_id or "",
            )

        def create() -> HttpResponse:
            documents.add_document(document)
            return json_response(_represent_file(_added(directory, document, fields), directory))

        with documents.removed_if_refused(document):
            return create_once(request, create)


class FileOfDirectory(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="get_directory_file", tags=["directories"], responses={200: DirectoryFileFacts, **PROBLEMS}
    )
    def get(self, request: Request, directory_id: str, directory_file_id: str) -> HttpResponse:
        """Return a file of a directory."""
        directory = _find(request, directory_id)
        return json_response(_represent_file(directories.find_file(directory, directory_file_id), directory))

    @extend_schema(operation_id="remove_directory_file", tags=["directories"], responses={204: None, **PROBLEMS})
    def delete(self, request: Request, directory_id: str, directory_file_id: str) -> HttpResponse:
        """Remove a file from a directory. The uploaded file remains: DELETE /api/v1/beta/files/{file_id}."""
        directories.find_file(_find(request, directory_id), directory_file_id).delete()
        return HttpResponse(status=204)


def _find(request: Request, directory_id: str) -> Directory:
    return directories.find_directory(project=project_of(request), directory_id=directory_id)


def _fields_of(upload: Upload) -> _FileFields:
    values: dict[str, Any] = {name: value for name, value in upload.fields.items() if value}
    if "metadata" in values:
        values["metadata"] = parse_json(
            values["metadata"].encode("utf-8", "surrogatepass"), source="The form field metadata"
        )
    return validated(_FileFields, values)


def _added(directory: Directory, document: Document, fields: _FileFields) -> DirectoryFile:
    return directories.add_file(
        directory=directory,
        document=document,
        unique_id=fields.unique_id,
        display_name=fields.display_name,
        metadata=fields.metadata,
    )


def _represent(directory: Directory) -> DirectoryFacts:
    return DirectoryFacts(
        id=directory.pk,
        name=directory.name,
        project_id=str(directory.project_id),
        description=directory.description or None,
        created_at=directory.created_at,
        updated_at=directory.created_at,
    )


def _represent_file(file: DirectoryFile, directory: Directory) -> DirectoryFileFacts:
    return DirectoryFileFacts(
        id=file.pk,
        directory_id=directory.pk,
        project_id=str(directory.project_id),
        file_id=file.document_id,
        display_name=file.display_name,
        unique_id=file.unique_id,
        metadata=file.metadata,
        created_at=file.created_at,
        updated_at=file.created_at,
    )
