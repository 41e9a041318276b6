"""Files of a result that are fetched by links of their own: ``result_content_metadata``."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec
from django.conf import settings
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.api import delivery, links
from apps.api.base import PublicView
from apps.api.compatible.docling.document import docling_document
from apps.api.request_errors import NotFound, Overloaded
from apps.api.requests import query_parameters
from apps.api.v1.stored_pages import stored_pages
from apps.api.v2 import images
from apps.api.v2.representations import ResultContentMetadata
from apps.api.v2.results import JOINED, SECTIONS
from apps.documents.errors import DocumentMissing, DocumentNotFound
from apps.jobs import queries
from apps.jobs.errors import JobNotFinished
from apps.jobs.models import ParseJob
from apps.jobs.stages.export_source import USUAL_CHUNKS
from apps.jobs.stages.exports import make_export
from apps.pages.model.errors import NoPictureOfPage, NoTables
from apps.pages.model.media_types import PDF
from apps.pages.output.assembly import GROUNDED_ITEMS, RAW_WORDS, SPREADSHEET
from apps.pages.output.exports.options import ChunkOptions
from apps.pages.output.exports.registry import BY_FILE_NAME, EXPORTS

_GROUNDED = "grounded_items"
DOCLING = "docling.json"
"""The result as a DoclingDocument, made from its items for each request."""
DOCUMENT_PDF = "document.pdf"
"""The document as a PDF: as it was uploaded, converted or printed."""
_FILES = {
    **SECTIONS,
    **JOINED,
    _GROUNDED: GROUNDED_ITEMS,
    "raw_words": RAW_WORDS,
    "xlsx": SPREADSHEET,
    "docling": DOCLING,
    # Text without the marks of Markdown has these names in LlamaParse.
    "stripped_markdown": SECTIONS["text"],
    "concatenated_stripped_markdown": JOINED["text_full"],
}
ADDITIONAL_OUTPUTS = {
    "stripped_md": "stripped_markdown",
    "concatenated_stripped_txt": "concatenated_stripped_markdown",
    "word_bbox": "raw_words",
}
"""The values of ``additional_outputs``, and the files that they list."""
FILE_NAMES = tuple(dict.fromkeys((*_FILES.values(), DOCUMENT_PDF, *BY_FILE_NAME)))
"""The names of all files that a result may have."""
_PDF = "output_pdf"
_SUFFIX = "_content_metadata"
_IMAGES = "images_content_metadata"
_TYPES = {
    "json": "application/json; charset=utf-8",
    "jsonl": "application/x-ndjson; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "pdf": PDF,
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


# Exports of long documents take a thread and a core for long: the others stay free for other requests.
MAX_EXPORTS_AT_ONCE = 2
MAX_WAIT_SECONDS = 5.0
making = threading.BoundedSemaphore(MAX_EXPORTS_AT_ONCE)

# Files of LlamaParse's results that this service does not write.
_NOT_WRITTEN = ("forms",)

_INLINE = (*SECTIONS, *JOINED, "job_metadata", "usage")
EXPANDS = {
    "type": "array",
    "items": {
        "type": "string",
        "enum": [*_INLINE, *(f"{name}{_SUFFIX}" for name in (*_FILES, _PDF, *EXPORTS, *_NOT_WRITTEN)), _IMAGES],
    },
}
"""The values of ``expand``. Others are ignored."""


def media_type_of(name: str) -> str:
    """Return the media type of a file of a result."""
    return BY_FILE_NAME[name].media_type if name in BY_FILE_NAME else _TYPES[name.rpartition(".")[2]]


def links_of_result(request: Request, job: ParseJob, expand: Sequence[str]) -> dict[str, Any]:
    """Return the sections with links: of the files that ``expand`` names, and of pictures. Empty without any."""
    sections: dict[str, Any] = {}
    if files := content_metadata(request, job, expand):
        sections["result_content_metadata"] = {name: found.model_dump() for name, found in files.items()}
    if _IMAGES in expand and job.result_folder:
        names = query_parameters.values(request, "image_filenames")
        sections[_IMAGES] = images.images_content_metadata(request, job, names).model_dump()
    return sections


def content_metadata(request: Request, job: ParseJob, expand: Sequence[str]) -> dict[str, ResultContentMetadata]:
    """Return size and link of each file that ``expand`` names, and of the granular boxes, which are never inline."""
    if not job.result_folder:
        return {}
    names = [name.removesuffix(_SUFFIX) for name in expand if name.endswith(_SUFFIX)]
    if job.parsed_options.granular_boxes:
        names.append(_GROUNDED)
    additional = sorted(job.parsed_options.additional_outputs & ADDITIONAL_OUTPUTS.keys())
    names += [ADDITIONAL_OUTPUTS[name] for name in additional]
    found = {}
    for name in dict.fromkeys(names):
        file_name = EXPORTS[name].file_name if name in EXPORTS else _FILES.get(name, "")
        size = _size(job, file_name) if file_name else None
        if size is not None:
            path = links.signed_result_path(job.pk, file_name, seconds=settings.SIGNED_URL_SECONDS)
            found[name] = ResultContentMetadata(size_bytes=size, presigned_url=links.origin(request) + path)
        elif name == _PDF and job.document and job.parsed_options.saves_pdf and job.media_type == PDF:
            path, _expires_at = links.signed_path(job.document.pk, seconds=settings.SIGNED_URL_SECONDS)
            found[name] = ResultContentMetadata(
                size_bytes=job.document.size_bytes, presigned_url=links.origin(request) + path
            )
        elif name == _PDF and job.parsed_options.saves_pdf and (size := _size(job, DOCUMENT_PDF)) is not None:
            path = links.signed_result_path(job.pk, DOCUMENT_PDF, seconds=settings.SIGNED_URL_SECONDS)
            found[name] = ResultContentMetadata(size_bytes=size, presigned_url=links.origin(request) + path)
        elif name in _FILES or name in EXPORTS or name in (_PDF, *_NOT_WRITTEN):
            found[name] = ResultContentMetadata(size_bytes=0, exists=False)
    return found


def open_file(job: ParseJob, name: str, chunks: ChunkOptions = USUAL_CHUNKS) -> tuple[int, BinaryIO] | None:
    """Return size and bytes of a file of the result; None if there is none. An export is made if it is not kept.

    Raise Overloaded if too many exports are made now, and what ``make_export`` raises.
    """
    if chunks == USUAL_CHUNKS:
        size, kept = queries.result_size(job, name), queries.open_result(job, name)
        if size is not None and kept is not None:
            return size, kept
    if name == DOCLING:
        return _docling(job)
    if name == DOCUMENT_PDF:
        return queries.pdf_document(job)
    if name not in BY_FILE_NAME:
        return None
    if not making.acquire(timeout=MAX_WAIT_SECONDS):
        raise Overloaded("Too many exports are made at the moment. Try again in a moment.")
    try:
        return make_export(job, BY_FILE_NAME[name], chunks)
    except NoTables:
        return None
    finally:
        making.release()


def _docling(job: ParseJob) -> tuple[int, BinaryIO] | None:
    pages = stored_pages(job)
    if pages is None:
        return None
    sha256 = job.document.sha256 if job.document else ""
    content = msgspec.json.encode(docling_document(job.document_name, job.media_type, sha256, pages))
    return len(content), io.BytesIO(content)


def _size(job: ParseJob, file_name: str) -> int | None:
    """Return the size of a file of the result; None if there is none. An export is made now, to know its size.

    A file that was made of the document's bytes is none if they are gone.
    """
    if file_name not in (*BY_FILE_NAME, DOCLING, DOCUMENT_PDF):
        return queries.result_size(job, file_name)
    try:
        made = open_file(job, file_name)
    except (JobNotFinished, NoPictureOfPage, DocumentNotFound, DocumentMissing):
        return None
    if made is None:
        return None
    made[1].close()
    return made[0]


class SignedResult(PublicView):
    @extend_schema(exclude=True)
    def get(self, request: Request, token: str) -> HttpResponseBase:
        """Return a file or a picture of the present result of a job; a file always as a download."""
        named = links.result_of(token)
        job = queries.find_job_of_link(named[0]) if named else None
        if named is None or job is None:
            raise _gone()
        if named[1].startswith(images.IMAGES):
            return images.image_response(request, job, named[1].removeprefix(images.IMAGES))
        found = open_file(job, named[1])
        if found is None:
            raise _gone()
        tag = delivery.entity_tag(job.pk, job.result_folder, named[1])
        return delivery.file_response(
            request, found[1], size=found[0], name=named[1], media_type=media_type_of(named[1]), tag=tag
        )


def _gone() -> NotFound:
    return NotFound("This link is no longer valid. Request a new one: GET /api/v2/parse/{job_id}.")
