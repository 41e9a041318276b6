"""The view of Unstructured's API."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

import msgspec
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from pydantic import BaseModel, RootModel
from rest_framework.request import Request

from apps.api import delivery
from apps.api.base import PublicView, json_response, project_of
from apps.api.compatible.base import CompatibleView, check_succeeded, submit_and_wait
from apps.api.compatible.result_texts import pages_of
from apps.api.compatible.unstructured.chunks import chunks_of
from apps.api.compatible.unstructured.elements import Element, elements_of
from apps.api.compatible.unstructured.requests import PartitionOptions, translate
from apps.api.request_errors import FileMissing
from apps.api.requests.scopes import PARSES
from apps.api.requests.uploads import read_form
from apps.api.schema import JSON, PROBLEMS
from apps.documents.services import clean_name
from apps.jobs.models import ParseJob

MAX_FIELDS = 200
WARNINGS = "X-Leafmill-Warnings"
MAX_HEADER_CHARS = 3000
"""Of the warnings. Proxies refuse responses with headers of more than 4 KB."""
CSV = "text/csv"
_COLUMNS = (
    "filename",
    "filetype",
    "languages",
    "page_number",
    "parent_id",
    "category_depth",
    "text_as_html",
    "links",
    "coordinates",
    "detection_class_prob",
    "is_continuation",
    "orig_elements",
)
FORM = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "files": {"type": "string", "format": "binary", "description": "One document"},
            **PartitionOptions.model_json_schema()["properties"],
        },
        "required": ["files"],
    }
}


class PartitionedElement(BaseModel):
    type: str
    element_id: str
    text: str
    metadata: dict[str, Any]


class Elements(RootModel[list[PartitionedElement]]):
    """The elements of the document, or its chunks."""


class Partition(CompatibleView):
    scopes = PARSES

    @extend_schema(
        operation_id="unstructured_partition",
        tags=["unstructured"],
        request=FORM,
        responses={(200, JSON): Elements, (200, CSV): OpenApiResponse(str, "With output_format=text/csv"), **PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Parse a document and return its elements. The header ``X-Leafmill-Warnings`` lists warnings as JSON."""
        with read_form(request, max_fields=MAX_FIELDS) as form:
            wanted = translate(form.values)
            accepted = wanted.translated.accept(project_of(request), wanted.translated.request)
            if form.upload is None:
                raise FileMissing("The form has no document. Send it as the part files, with a file name.")
            name = clean_name(form.upload.name)
            job = submit_and_wait(request, form.upload, accepted)
        check_succeeded(job)
        options = wanted.options
        elements: Iterable[Element] = elements_of(pages_of(job), options, name=name, media_type=job.media_type)
        if options.chunking_strategy:
            elements = chunks_of(elements, options)
        if options.output_format == CSV:
            response = HttpResponse(_as_csv(elements), content_type=f"{CSV}; charset=utf-8")
        else:
            response = HttpResponse(msgspec.json.encode(list(elements)), content_type=JSON)
        warnings = list(job.warnings)
        if failed := job.result_facts.get("failed_pages"):
            warnings.append({"code": "page_failed", "detail": f"{failed} pages failed and have no elements."})
        if warnings:
            response[WARNINGS] = _header(job, warnings)
        # Not compressed: for parts of a PDF its client decodes the body, and then again by the header.
        return delivery.private(response)


class SplitCollection(PublicView):
    @extend_schema(operation_id="unstructured_docs", tags=["unstructured"], responses={200: dict[str, str]})
    def get(self, request: Request) -> HttpResponse:
        """Return where the API is described. Unstructured's client asks for it when it has sent a PDF in parts."""
        return json_response({"documentation": "/api/docs"})


def _header(job: ParseJob, warnings: list[dict[str, Any]]) -> str:
    """Return the warnings as JSON in ASCII; as many as fit, and where the others are."""
    shown: list[dict[str, Any]] = []
    for number, warning in enumerate(warnings):
        if len(json.dumps([*shown, warning])) > MAX_HEADER_CHARS:
            detail = f"{len(warnings) - number} more warnings: GET /api/v2/parse/{job.pk}."
            return json.dumps([*shown, {"code": "more_warnings", "detail": detail}])
        shown.append(warning)
    return json.dumps(shown)


def _as_csv(elements: Iterable[Element]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("type", "element_id", "text", *_COLUMNS))
    for element in elements:
        cells = (element["metadata"].get(name) for name in _COLUMNS)
        texts = (msgspec.json.encode(cell).decode() if isinstance(cell, list | dict) else cell for cell in cells)
        writer.writerow((element["type"], element["element_id"], element["text"], *texts))
    return out.getvalue()
