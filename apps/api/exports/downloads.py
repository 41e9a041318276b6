"""/api/v2/parse/{job_id}/result/{name}: one file of a result."""

from __future__ import annotations

from functools import partial

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from apps.api import delivery
from apps.api.base import ApiView, project_of
from apps.api.request_errors import NotFound
from apps.api.requests import query_parameters
from apps.api.requests.scopes import READS
from apps.api.schema import FILE_PROBLEMS, query
from apps.api.v2.find_jobs import find_job
from apps.api.v2.result_files import DOCUMENT_PDF, FILE_NAMES, media_type_of, open_file
from apps.jobs.errors import JobNotFinished
from apps.pages.output.exports.options import DEFAULT_TOKENS, MAX_TOKENS, MIN_TOKENS, SPLITS, ChunkOptions
from apps.pages.output.exports.options import FILE_NAMES as FILES_OF_EXPORTS

_TOKENS = {"type": "integer", "minimum": MIN_TOKENS, "maximum": MAX_TOKENS, "default": DEFAULT_TOKENS}

_NO_FILE = "The result does not have this file: the job was not asked for it, or has nothing for it."
_NO_PDF = (
    "The document is not a PDF, and none was made of it. For the PDF of an office document, send "
    "output_options.save_output_pdf when you parse it; for the PDF of a picture, fetch searchable.pdf."
)
_NO_WORKBOOK = (
    "The result has no workbook: the document has no tables, or the job was not asked for it. Send "
    "output_options.tables_as_spreadsheet.enable when you parse it."
)
_NO_TABLES = "The document has no tables, so there are no CSV files. Fetch markdown.md."
_NO_FILES = {DOCUMENT_PDF: _NO_PDF, "tables.xlsx": _NO_WORKBOOK, FILES_OF_EXPORTS["csv"]: _NO_TABLES}


class ResultFile(ApiView):
    refuses_unknown_parameters = True
    scopes = READS

    @extend_schema(
        operation_id="get_parse_result_file",
        tags=["parse"],
        parameters=query(
            max_tokens=_TOKENS,
            overlap_tokens={"type": "integer", "minimum": 0, "maximum": MAX_TOKENS // 2, "default": 0},
            split_by={"type": "string", "enum": list(SPLITS), "default": SPLITS[0]},
            within_pages=bool,
        ),
        responses={(200, "*/*"): OpenApiResponse(bytes, "The file"), **FILE_PROBLEMS},
    )
    def get(self, request: Request, job_id: str, name: str) -> HttpResponseBase:
        """Return one file of the result as a download, such as ``markdown.md``, ``items.json`` or ``chunks.jsonl``.

        The parameters are those of ``chunks.jsonl``. Exports are made when they are first asked for.
        """
        job = find_job(project_of(request), job_id)
        if name not in FILE_NAMES:
            raise NotFound(f"A result has no file of this name. The names are: {', '.join(FILE_NAMES)}.")
        if not job.result_folder:
            raise JobNotFinished
        chunks = _chunk_options(request) if name == FILES_OF_EXPORTS["chunks"] else ChunkOptions()
        tag = delivery.entity_tag(job.pk, job.result_folder, name, chunks)
        if delivery.is_current(request, tag):
            return delivery.not_modified(tag)
        found = open_file(job, name, chunks)
        if found is None:
            raise NotFound(_NO_FILES.get(name, _NO_FILE))
        size, content = found
        return delivery.file_response(request, content, size=size, name=name, media_type=media_type_of(name), tag=tag)


def _chunk_options(request: Request) -> ChunkOptions:
    number = partial(query_parameters.integer, request, refuses_more=True)
    max_tokens = number("max_tokens", DEFAULT_TOKENS, minimum=MIN_TOKENS, maximum=MAX_TOKENS)
    return ChunkOptions(
        max_tokens=max_tokens,
        overlap_tokens=number("overlap_tokens", 0, minimum=0, maximum=max_tokens // 2),
        split_by=query_parameters.choice(request, "split_by", SPLITS),
        within_pages=query_parameters.choice(request, "within_pages", ("false", "true")) == "true",
    )
