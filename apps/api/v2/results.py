"""The response for a job with result sections, composed of the files that assembly wrote.

The files already contain the JSON of the response, so they are copied without parsing. Only the joined texts are
escaped on the way. Memory use does not depend on the length of the document.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any, BinaryIO

import msgspec
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from apps.api.base import to_json
from apps.api.v2.representations import Job
from apps.jobs import queries
from apps.jobs.models import ParseJob
from apps.jobs.stages import assemble

SECTIONS = {
    "text": "text.json",
    "markdown": "markdown.json",
    "items": "items.json",
    "metadata": "metadata.json",
}
JOINED = {"text_full": "text.txt", "markdown_full": "markdown.md"}
CHUNK_BYTES = 64 * 1024
MAX_UNSTREAMED_BYTES = 256 * 1024  # a streamed response has a higher fixed cost; a large one needs memory otherwise


def job_with_sections(
    job: ParseJob, represented: Job, expand: Sequence[str], links: Mapping[str, Any]
) -> HttpResponseBase:
    """Return ``{"job": ...}`` with the sections of ``expand`` that exist, and with the sections ``links``.

    Unknown sections are ignored.
    """
    head = b'{"job":' + to_json(represented)
    if "usage" in expand and job.uses_models:
        head += b',"usage":' + msgspec.json.encode(assemble.usage_of(job))
    if "job_metadata" in expand:
        head += b',"job_metadata":' + msgspec.json.encode(job_metadata(job))
    for name, section in links.items():
        head += b',"' + name.encode() + b'":' + msgspec.json.encode(section)
    # Open all files before sending the first: all sections come from one result, even if a retry replaces it meanwhile.
    with ExitStack() as opened:
        sources: list[tuple[str, BinaryIO]] = []
        for name, file_name in {**SECTIONS, **JOINED}.items():
            if name in expand and (source := queries.open_result(job, file_name)) is not None:
                sources.append((name, opened.enter_context(source)))
        files = opened.pop_all()
    chunks = _chunks(head, sources, files)
    begun = b""
    for chunk in chunks:
        begun += chunk
        if len(begun) > MAX_UNSTREAMED_BYTES:
            return _StreamedResult(begun, chunks)
    return HttpResponse(begun, content_type="application/json")


def job_metadata(job: ParseJob) -> dict[str, Any]:
    """Return the section ``job_metadata``: options, times and facts of the result, never the password."""
    seconds = (job.finished_at - job.created_at).total_seconds() if job.finished_at else None
    # The version of the tier that parses the job; a client may have pinned another one.
    parsed_with = next((str(each["parsed_with"]) for each in job.warnings if "parsed_with" in each), job.version)
    return {
        "tier": job.tier,
        "version": job.version,
        "parsed_with_version": parsed_with,
        "mode": job.mode,
        "media_type": job.media_type or None,
        "converted_to": job.converted_type or None,
        "document_pages": job.document_pages,
        "printed_pages": job.printed_pages,
        "target_pages": job.target_pages or None,
        "max_pages": job.max_pages,
        "parameters": job.options,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "duration_seconds": seconds,
        **job.result_facts,
    }


class _StreamedResult(StreamingHttpResponse):
    """A response whose first bytes are already read. Its files are closed with it, even if it was not sent whole."""

    def __init__(self, begun: bytes, rest: Iterator[bytes]) -> None:
        super().__init__(chain((begun,), rest), content_type="application/json")
        self._resource_closers.append(rest.close)  # type: ignore[attr-defined]


def _chunks(head: bytes, sources: list[tuple[str, BinaryIO]], files: ExitStack) -> Iterator[bytes]:
    with files:
        yield head
        for name, source in sources:
            yield b',"' + name.encode() + b'":'
            if name in JOINED:  # plain text: escape it into one JSON string
                decoder = codecs.getincrementaldecoder("utf-8")()
                yield b'"'
                while chunk := source.read(CHUNK_BYTES):
                    yield msgspec.json.encode(decoder.decode(chunk))[1:-1]
                yield b'"'
            else:
                while chunk := source.read(CHUNK_BYTES):
                    yield chunk
        yield b"}"
