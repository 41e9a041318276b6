"""/api/v1/parsing/job/{job_id}/result: the result of a job in the forms of the first API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from tempfile import SpooledTemporaryFile
from typing import Any, cast

import msgspec
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from apps.api import delivery
from apps.api.annotations.sources import read_answers
from apps.api.base import json_response, project_of
from apps.api.request_errors import NotFound
from apps.api.requests.scopes import READS_BY_POST
from apps.api.schema import FILE_PROBLEMS, JSON
from apps.api.v1.base import FirstApiView
from apps.api.v1.job_metadata import job_metadata
from apps.api.v1.page_json import page_json
from apps.api.v1.page_texts import PageText, joined, markdown_of, text_of
from apps.api.v1.result_types import ParsingJsonResult, ParsingTextResult
from apps.api.v1.stored_pages import StoredPage, stored_pages
from apps.api.v2.find_jobs import find_job
from apps.api.v2.images import JPEG, image_response, printed_numbers
from apps.documents.errors import DocumentNotFound
from apps.jobs import queries
from apps.jobs.models import ParseJob
from apps.pages.output.sheet_names import SheetNames, SheetTable
from apps.pages.output.spreadsheet import write_workbook
from apps.parsing.answers.markup.html import table_of

SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PDF = "application/pdf"
MAX_UNSTREAMED_BYTES = 256 * 1024
MAX_MEMORY_BYTES = 4 * 1024 * 1024
_NO_RESULT = "The job has no result. Check its status: GET /api/v1/parsing/job/{job_id}."
_PICTURE = re.compile(r"img_p(\d{1,7})_(\d{1,5})\.jpg", re.ASCII)
_TEXTS: dict[str, PageText] = {"text": text_of, "markdown": markdown_of}


class ResultView(FirstApiView):
    """A view of the result of a job. LlamaParse's documentation uses POST for some of these addresses."""

    scopes = READS_BY_POST

    http_method_names = ["get", "head", "post"]  # noqa: RUF012

    @extend_schema(exclude=True)
    def post(self, request: Request, **named: str) -> HttpResponseBase:
        """Do the same as GET."""
        handler: Callable[..., HttpResponseBase] = getattr(self, "get")  # noqa: B009
        return handler(request, **named)


def _describe(name: str, response: Any, *media_types: str) -> Callable[[Any], Any]:
    responses = {(200, each): response for each in media_types or (JSON,)}
    return extend_schema(
        operation_id=f"get_parsing_job_{name}", tags=["parsing (v1)"], responses={**responses, **FILE_PROBLEMS}
    )


class TextResult(ResultView):
    @_describe("result", ParsingTextResult)
    def get(self, request: Request, job_id: str, kind: str) -> HttpResponseBase:
        """Return ``{"text": ...}`` or ``{"markdown": ...}`` with ``job_metadata``."""
        job = find_job(project_of(request), job_id)
        pages = result_pages(job)
        parts = joined(pages, _TEXTS[kind], job.parsed_options.presentation)
        escaped = (msgspec.json.encode(part)[1:-1] for part in parts)
        metadata = msgspec.json.encode(job_metadata(job))
        body = chain((b'{"%s":"' % kind.encode(),), escaped, (b'","job_metadata":', metadata, b"}"))
        return streamed(request, body, "application/json")


class RawText(ResultView):
    @_describe("raw_result", OpenApiResponse(str, "Text in UTF-8, not JSON"), "text/plain", "text/markdown")
    def get(self, request: Request, job_id: str, kind: str) -> HttpResponseBase:
        """Return the whole document's text or Markdown, as it is."""
        job = find_job(project_of(request), job_id)
        parts = joined(result_pages(job), _TEXTS[kind], job.parsed_options.presentation)
        media_type = "text/markdown" if kind == "markdown" else "text/plain"
        return streamed(request, (part.encode() for part in parts), f"{media_type}; charset=utf-8")


class JsonResult(ResultView):
    @_describe("json_result", ParsingJsonResult)
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Return the pages with their texts, items and images."""
        job = find_job(project_of(request), job_id)
        presentation, structured, printed = job.parsed_options.presentation, _structured_pages(job), _printed_pages(job)
        pages = (
            (b"," if number else b"")
            + msgspec.json.encode(
                page_json(page, job, presentation, structured.get(page.number), printed.get(page.number, ()))
            )
            for number, page in enumerate(result_pages(job))
        )
        metadata = msgspec.json.encode(job_metadata(job))
        body = chain((b'{"pages":[',), pages, (b'],"job_metadata":', metadata, b"}"))
        return streamed(request, body, "application/json")


class StructuredResult(ResultView):
    @_describe("structured_result", dict[str, Any])
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Return the structured output of each page, in order; null for a page without one."""
        job = find_job(project_of(request), job_id)
        structured = _structured_pages(job)
        if not structured:
            raise NotFound("The job has no structured output. Send structured_output_json_schema with the upload.")
        numbers = queries.list_pages(job.pk).order_by("number").values_list("number", flat=True)
        values = [structured.get(number) for number in numbers]
        if request.path.endswith("raw/structured"):
            return delivery.private(json_response(values))
        return delivery.private(json_response({"structured": values, "job_metadata": job_metadata(job)}))


class SpreadsheetResult(ResultView):
    @_describe("xlsx_result", OpenApiResponse(bytes, "An Excel workbook"), SPREADSHEET)
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Return the tables of the document as a workbook, with a sheet for each table."""
        job = find_job(project_of(request), job_id)
        tag = delivery.entity_tag(job.pk, job.result_folder, SPREADSHEET) if job.result_folder else ""
        if tag and delivery.is_current(request, tag):
            return delivery.not_modified(tag)
        tables = _tables(job)
        out = SpooledTemporaryFile(max_size=MAX_MEMORY_BYTES)  # noqa: SIM115 (the response closes it)
        if write_workbook(tables, cast(Any, out)) == 0:
            out.close()
            raise NotFound("The document has no tables, so there is no spreadsheet. Fetch result/markdown.")
        out.seek(0)
        response = FileResponse(out, as_attachment=True, filename=f"{job.document_name}.xlsx", content_type=SPREADSHEET)
        response["X-Content-Type-Options"] = "nosniff"
        return delivery.private(response, tag)


class PdfResult(ResultView):
    @_describe("pdf_result", OpenApiResponse(bytes, "A PDF"), PDF)
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Return the document as a PDF, if it is one or was converted or printed to one, and the job has a result."""
        job = find_job(project_of(request), job_id)
        if not job.result_folder:
            raise NotFound(_NO_RESULT)
        if job.document is None:
            raise DocumentNotFound
        found = queries.pdf_document(job)
        if found is None:
            raise NotFound(
                "The document is not a PDF, and none was made of it. Fetch result/markdown. For the PDF of an office "
                "document, send output_pdf_of_document when you parse it."
            )
        size, content = found
        name = f"{job.document_name}.pdf" if job.pdf_key else job.document_name
        tag = delivery.entity_tag(job.document.pk, job.document.sha256, job.pdf_key)
        return delivery.file_response(request, content, size=size, name=name, media_type=PDF, tag=tag)


class ImageResult(ResultView):
    @_describe("image_result", OpenApiResponse(bytes, "A JPEG"), JPEG)
    def get(self, request: Request, job_id: str, name: str) -> HttpResponseBase:
        """Return a page (``page_1.jpg``) or a picture of one (``img_p0_1.jpg``), by its name in ``result/json``."""
        job = find_job(project_of(request), job_id)
        if found := _PICTURE.fullmatch(name):
            name = f"page_{int(found[1]) + 1}_picture_{found[2]}.jpg"
        return image_response(request, job, name.replace("page-", "page_"))


def _tables(job: ParseJob) -> Iterator[SheetTable]:
    """Yield the tables of the result with the names of their sheets."""
    names, heading = SheetNames(), ""
    for page in result_pages(job):
        count = 0
        for item in page.items.get("items", []):
            if item["type"] == "heading" and job.parsed_options.guesses_sheet_names:
                heading = item["value"]
            elif item["type"] == "table":
                count += 1
                name = heading or page.metadata.get("sheet_name") or f"Page {page.number}, table {count}"
                cells = [cell for draft in table_of(item["html"]) for cell in draft.cells]
                yield SheetTable(names.unique(name), item["rows"], cells)


def _printed_pages(job: ParseJob) -> dict[int, list[int]]:
    """Return the printed pages that are listed with each page of the result, by its number: each with one page.

    Both are counted from the begin of the document, so most are near; those that are left are with the last page.
    """
    printed = list(printed_numbers(job)) if "screenshot" in job.parsed_options.images_to_save else []
    numbers = list(queries.list_pages(job.pk).order_by("number").values_list("number", flat=True)) if printed else []
    found = {number: printed[before:number] for before, number in pairwise([0, *numbers[:-1]])}
    return found | {number: printed[sum(map(len, found.values())) :] for number in numbers[-1:]}


def _structured_pages(job: ParseJob) -> dict[int, dict[str, Any]]:
    """Return the structured output of the job's pages by their numbers."""
    return {each.page_number: each.answer for each in read_answers(job) if not each.error_code}


def result_pages(job: ParseJob) -> Iterator[StoredPage]:
    """Return the pages of the job's result. Raise NotFound while there is none."""
    pages = stored_pages(job)
    if pages is None:
        raise NotFound(_NO_RESULT)
    return pages


def streamed(request: Request, chunks: Iterable[bytes], content_type: str) -> HttpResponseBase:
    """Return a response with these bytes, whole if it is short."""
    rest = iter(chunks)
    begun = b""
    response: HttpResponseBase | None = None
    for chunk in rest:
        begun += chunk
        if len(begun) > MAX_UNSTREAMED_BYTES:
            response = StreamingHttpResponse(chain((begun,), rest), content_type=content_type)
            break
    response = response or HttpResponse(begun, content_type=content_type)
    response["X-Content-Type-Options"] = "nosniff"  # no browser shows a document's text as a page of this service
    return delivery.compressed(request, delivery.private(response))
