"""The tools: their arguments, and what they return to a language model."""

from __future__ import annotations

import base64
import binascii
import io
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import msgspec
from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request

from apps.api import links
from apps.api.base import project_of
from apps.api.compatible.base import check_succeeded, submit
from apps.api.compatible.mcp.protocol import INVALID_PARAMS, Json, ProtocolError
from apps.api.compatible.result_texts import pages_of, plain_text
from apps.api.request_errors import FileMissing, InvalidOptions, NotFound, OptionProblem
from apps.api.requests.bodies import validated
from apps.api.requests.fetched import fetched
from apps.api.requests.uploads import Upload
from apps.api.v1.stored_pages import StoredPage
from apps.api.v1.upload_request import UploadRequest
from apps.api.v2 import long_poll
from apps.api.v2.files import find_file
from apps.api.v2.find_jobs import find_job
from apps.api.v2.representations import STATUS
from apps.api.v2.result_files import media_type_of, open_file
from apps.documents.models import Document
from apps.jobs.models import ParseJob
from apps.pages.model.errors import ParseError
from apps.pages.output.exports.options import FILE_NAMES

MAX_WAIT_SECONDS = 45
"""Clients often give up after 60 seconds. A longer job is asked for again."""
MAX_TEXT_CHARS = 40_000
"""Of one answer, so that it does not fill the context of the model."""
_BYTES_OF_TEXT = 4 * (MAX_TEXT_CHARS + 1)
MAX_RESULTS = 50
_SNIPPET_CHARS = 300
JobId = Annotated[str, Field(max_length=100, description="the job_id that parse_document returned")]


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ParseDocument(Arguments):
    """Exactly one of ``url``, ``file_id``, ``content_base64`` and ``job_id`` names the document."""

    url: Annotated[str | None, Field(max_length=8192, description="a public http or https address")] = None
    file_id: Annotated[str | None, Field(max_length=100, description="the id of a file that was uploaded")] = None
    content_base64: Annotated[str | None, Field(description="the bytes of the document in base64")] = None
    file_name: Annotated[str, Field(max_length=1000, description="the name of content_base64")] = "document"
    job_id: Annotated[str | None, Field(max_length=100, description="go on waiting for this job")] = None
    tier: Annotated[
        Literal["fast", "cost_effective", "agentic", "agentic_plus"] | None,
        Field(description="fast uses no model; the others are better with scans and figures, and slower"),
    ] = None
    pages: Annotated[str, Field(max_length=4096, description="only these pages, counted from 1: 1,3-5")] = ""


class GetPage(Arguments):
    job_id: JobId
    page_number: Annotated[int, Field(ge=1, le=1_000_000, description="counted from 1")]
    format: Annotated[
        Literal["markdown", "text", "items"], Field(description="items: JSON with the boxes of all parts of the page")
    ] = "markdown"


class GetFile(Arguments):
    job_id: JobId
    format: Annotated[
        str, Field(json_schema_extra={"enum": list(FILE_NAMES)}, description="chunks: pieces for retrieval; zip: all")
    ]


class SearchDocument(Arguments):
    job_id: JobId
    query: Annotated[str, Field(min_length=1, max_length=500, description="words; case and accents do not matter")]
    max_results: Annotated[int, Field(ge=1, le=MAX_RESULTS)] = 10


def tool_list() -> list[Json]:
    """Return the tools with the schemas of their arguments."""
    tools = [
        _tool(
            "parse_document",
            "Parse a document",
            "Parse a PDF, a scan, a picture, an office file, a web page or a mail. Returns a job_id and the document "
            "as Markdown, page by page. Long documents are cut: use get_page for the other pages. If the status is not "
            "COMPLETED, call it again with the job_id.",
            ParseDocument,
        ),
        _tool("get_page", "Get a page", "Return one page of a parsed document.", GetPage),
        _tool(
            "get_file",
            "Get a parsed document as a file",
            "Return the whole parsed document in another format: a link to download it without a key, and its text if "
            "the format is text.",
            GetFile,
        ),
        _tool(
            "search_document",
            "Search a document",
            "Find words in a parsed document. Returns the page and the box of each place, with the text around it.",
            SearchDocument,
        ),
    ]
    tools[0]["inputSchema"]["properties"]["tier"]["default"] = settings.COMPATIBLE_API_TIER
    tools[0]["annotations"]["openWorldHint"] = True  # it fetches a url
    return tools


def _tool(name: str, title: str, description: str, arguments: type[Arguments]) -> Json:
    schema = arguments.model_json_schema()
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": {
            key: schema[key] for key in ("type", "properties", "required", "additionalProperties") if key in schema
        },
        "annotations": {"readOnlyHint": name != "parse_document", "destructiveHint": False, "openWorldHint": False},
    }


def call_tool(request: Request, name: str, arguments: Json) -> Json:
    """Return the result of a tool. An error that the model can correct is a result, too. Raise ProtocolError."""
    if name not in _TOOLS:
        raise ProtocolError(INVALID_PARAMS, f"There is no such tool. Call one of: {', '.join(_TOOLS)}.")
    try:
        return _TOOLS[name](request, arguments)
    except InvalidOptions as error:
        details = [
            f"{problem.field}: {problem.message}" if problem.field else problem.message for problem in error.problems
        ]
        return failure(error.code, " ".join(details))
    except ParseError as error:
        return failure(error.code, error.detail)


def failure(code: str, detail: str) -> Json:
    return {"content": [{"type": "text", "text": f"{code}: {detail}"}], "isError": True}


def _parse_document(request: Request, sent: Json) -> Json:
    arguments = validated(ParseDocument, sent, where="arguments")
    project = project_of(request)
    if arguments.job_id:
        job = find_job(project, arguments.job_id)
    else:
        translated = UploadRequest()
        translated.set("tier", arguments.tier or settings.COMPATIBLE_API_TIER, source="tier")
        translated.set("client_name", "mcp", source="client_name")
        translated.set("page_ranges.target_pages", arguments.pages or None, source="pages")
        accepted = translated.accept(project, translated.request)
        with _document_of(request, arguments) as source:
            job = submit(request, source, accepted)
    job = long_poll.wait_for_end(job, seconds=min(MAX_WAIT_SECONDS, settings.SYNC_WAIT_SECONDS))
    facts: Json = {
        "job_id": job.pk,
        "status": STATUS[job.state],
        "page_count": job.page_count,
        "warnings": job.warnings,
    }
    if not job.has_ended:
        text = f"The document is still being parsed. Call parse_document again with job_id {job.pk} only."
        return _answer(text, facts)
    check_succeeded(job)
    pages = pages_of(job)
    shown, text = _first_pages(pages)
    facts |= {"pages_shown": shown, "failed_pages": [page.number for page in pages if page.has_failed]}
    missing = [page.number for page in pages if page.number not in shown]
    notes = [f"job_id: {job.pk}; pages: {len(pages)}."]
    if missing:
        notes.append(f"Not shown: pages {missing[0]} to {missing[-1]}. Call get_page for them.")
    if facts["failed_pages"]:
        notes.append(f"Pages that could not be parsed: {', '.join(map(str, facts['failed_pages']))}.")
    return _answer(f"{' '.join(notes)}\n\n{text}", facts)


def _first_pages(pages: list[StoredPage]) -> tuple[list[int], str]:
    """Return the numbers and the Markdown of as many pages as an answer may have."""
    parts: list[str] = []
    shown: list[int] = []
    length = 0
    for page in pages:
        text = f"<!-- page {page.number} -->\n\n{page.markdown.get('markdown', '')}"
        if parts and length + len(text) > MAX_TEXT_CHARS:
            break
        parts.append(_cut(text))
        shown.append(page.number)
        length += len(text)
    return shown, "\n\n".join(parts)


def _cut(text: str) -> str:
    """Return the text, or its beginning with a note if it is too long for an answer."""
    if len(text) <= MAX_TEXT_CHARS:
        return text
    return f"{text[:MAX_TEXT_CHARS]}\n\n[Cut after {MAX_TEXT_CHARS} characters. search_document finds the rest.]"


@contextmanager
def _document_of(request: Request, arguments: ParseDocument) -> Iterator[Upload | Document]:
    """Yield the document that the arguments name. Raise FileMissing, InvalidOptions, or what ``fetched`` raises."""
    named = [name for name in ("url", "file_id", "content_base64") if getattr(arguments, name)]
    if not named:
        raise FileMissing("Name the document with one of: url, file_id, content_base64.")
    if len(named) > 1:
        raise _invalid(named[1], f"The arguments have {' and '.join(named)}. Send one of them.")
    if arguments.url:
        with fetched(arguments.url) as upload:
            yield upload
    elif arguments.file_id:
        yield find_file(project_of(request), arguments.file_id)
    else:
        try:
            content = base64.b64decode(arguments.content_base64 or "", validate=True)
        except (binascii.Error, ValueError) as error:
            raise _invalid("content_base64", "This is not valid base64. Encode the document again.") from error
        yield Upload(arguments.file_name, io.BytesIO(content), len(content))


def _invalid(name: str, detail: str) -> InvalidOptions:
    return InvalidOptions([OptionProblem("value_error", ("arguments", name), detail)])


def _get_page(request: Request, sent: Json) -> Json:
    arguments = validated(GetPage, sent, where="arguments")
    pages = _pages(request, arguments.job_id)
    page = next((page for page in pages if page.number == arguments.page_number), None)
    if page is None:
        numbers = f"{pages[0].number} to {pages[-1].number}" if pages else "none"
        raise NotFound(f"The result does not have page {arguments.page_number}. It has the pages {numbers}.")
    if page.has_failed:
        return failure("page_failed", str(page.markdown["error"]))
    if arguments.format == "text":
        text = page.text
    elif arguments.format == "items":
        text = msgspec.json.encode(page.items).decode()
    else:
        margins = (page.markdown.get("header"), page.markdown.get("markdown"), page.markdown.get("footer"))
        text = "\n\n".join(filter(None, margins))
    return _answer(_cut(text), {"job_id": arguments.job_id, "page_number": page.number, "page_count": len(pages)})


def _get_file(request: Request, sent: Json) -> Json:
    arguments = validated(GetFile, sent, where="arguments")
    if arguments.format not in FILE_NAMES:
        raise _invalid("format", f"There is no such format. Send one of: {', '.join(FILE_NAMES)}.")
    job = _ended(request, arguments.job_id)
    name = FILE_NAMES[arguments.format]
    found = open_file(job, name)
    if found is None:
        raise NotFound("The result has no such file.")
    media_type = media_type_of(name)
    with found[1] as content:
        is_text = media_type.startswith(("text/", "application/xml", "application/x-ndjson"))
        text = _cut(content.read(_BYTES_OF_TEXT).decode("utf-8", "ignore")) if is_text else f"{name}: {found[0]} bytes"
    path = links.signed_result_path(job.pk, name, seconds=settings.SIGNED_URL_SECONDS)
    facts: Json = {
        "job_id": job.pk,
        "format": arguments.format,
        "size_bytes": found[0],
        "url": links.origin(request) + path,
    }
    answer = _answer(text, facts)
    kind = media_type.partition(";")[0]
    answer["content"].append({"type": "resource_link", "uri": facts["url"], "name": name, "mimeType": kind})
    return answer


def _search_document(request: Request, sent: Json) -> Json:
    arguments = validated(SearchDocument, sent, where="arguments")
    words = _folded(arguments.query).split()
    results: list[Json] = []
    total = 0
    for page in _pages(request, arguments.job_id):
        for item in page.items.get("items", ()):
            text = plain_text(item)
            folded = _folded(text)
            if words and all(word in folded for word in words):
                total += 1
                if len(results) < arguments.max_results:
                    box: Json = next(iter(item.get("bbox") or ()), {})
                    place = {name: box[name] for name in ("x", "y", "w", "h") if name in box}
                    snippet = _snippet(text, folded.find(words[0]))
                    results.append({"page_number": page.number, "text": snippet, "bbox": place, "type": item["type"]})
    lines = [f"{total} places found; {len(results)} shown."]
    lines += [f"Page {found['page_number']}: {found['text']}" for found in results]
    return _answer("\n\n".join(lines), {"job_id": arguments.job_id, "total": total, "results": results})


def _pages(request: Request, job_id: str) -> list[StoredPage]:
    """Return the pages of a job, which is waited for. Raise JobNotFound, NotFound or JobFailed."""
    return pages_of(_ended(request, job_id))


def _ended(request: Request, job_id: str) -> ParseJob:
    """Return a job with a result, which is waited for. Raise JobNotFound, NotFound or JobFailed."""
    job: ParseJob = find_job(project_of(request), job_id)
    job = long_poll.wait_for_end(job, seconds=min(MAX_WAIT_SECONDS, settings.SYNC_WAIT_SECONDS))
    if not job.has_ended:
        raise NotFound("The document is still being parsed. Call this tool again in a moment.")
    check_succeeded(job)
    return job


def _folded(text: str) -> str:
    """Return the text for comparisons: without case, accents and line breaks."""
    plain = (char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join("".join(plain).casefold().split())


def _snippet(text: str, at: int) -> str:
    """Return the text around a place, which may be a few characters off: folding changes lengths."""
    flat = " ".join(text.split())
    start = max(0, at - _SNIPPET_CHARS // 2)
    part = flat[start : start + _SNIPPET_CHARS]
    return f"{'...' if start else ''}{part}{'...' if start + _SNIPPET_CHARS < len(flat) else ''}"


def _answer(text: str, facts: Json) -> Json:
    return {"content": [{"type": "text", "text": text}], "structuredContent": facts, "isError": False}


_TOOLS: dict[str, Callable[[Request, Json], Json]] = {
    "parse_document": _parse_document,
    "get_page": _get_page,
    "get_file": _get_file,
    "search_document": _search_document,
}
