"""A job's answer with the sections asked for, put together from the files that assembly wrote.

The files hold the JSON of the answer already, so they are copied, not read and written anew; only joined texts are
escaped on the way. Memory stays flat whatever the document's length.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
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
MAX_UNSTREAMED_BYTES = 256 * 1024  # a streamed answer costs more, a large one in memory too


def job_with_sections(job: ParseJob, wire: Job, expand: Sequence[str]) -> HttpResponseBase:
    """``{"job": ...}`` and every section of ``expand`` that there is; unknown ones are passed over."""
    head = b'{"job":' + to_json(wire)
    if "usage" in expand and job.uses_models:
        head += b',"usage":' + msgspec.json.encode(assemble.usage_of(job))
    if "job_metadata" in expand:
        head += b',"job_metadata":' + msgspec.json.encode(_job_metadata(job))
    stack = ExitStack()
    try:
        sources = _open(job, expand, stack)
    except BaseException:
        stack.close()
        raise
    parts = _parts(head, sources, stack)
    begun = b""
    for part in parts:
        begun += part
        if len(begun) > MAX_UNSTREAMED_BYTES:
            return _Streamed(begun, parts)
    return HttpResponse(begun, content_type="application/json")


class _Streamed(StreamingHttpResponse):
    """The rest of an answer whose beginning is there; its files are closed with it, sent whole or not."""

    def __init__(self, begun: bytes, parts: Iterator[bytes]) -> None:
        super().__init__(self._all(begun, parts), content_type="application/json")
        self._resource_closers.append(parts.close)  # type: ignore[attr-defined]

    @staticmethod
    def _all(begun: bytes, parts: Iterator[bytes]) -> Iterator[bytes]:
        yield begun
        yield from parts


def _open(job: ParseJob, expand: Sequence[str], stack: ExitStack) -> list[tuple[str, BinaryIO]]:
    """All are opened before the first is sent, so that the answer is of one result even if another is accepted."""
    found: list[tuple[str, BinaryIO]] = []
    for name, file_name in {**SECTIONS, **JOINED}.items():
        if name in expand and (source := queries.open_result(job, file_name)) is not None:
            found.append((name, stack.enter_context(source)))
    return found


def _parts(head: bytes, sources: list[tuple[str, BinaryIO]], stack: ExitStack) -> Iterator[bytes]:
    with stack:
        yield head
        for name, source in sources:
            yield b',"' + name.encode() + b'":'
            yield from _escaped(source) if name in JOINED else _copied(source)
        yield b"}"


def _copied(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _escaped(source: BinaryIO) -> Iterator[bytes]:
    """The text as one JSON string."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    yield b'"'
    while chunk := source.read(CHUNK_BYTES):
        yield msgspec.json.encode(decoder.decode(chunk))[1:-1]
    yield b'"'


def _job_metadata(job: ParseJob) -> dict[str, Any]:
    """What the job was asked and what it took; a password is neither kept nor told."""
    seconds = (job.finished_at - job.created_at).total_seconds() if job.finished_at else None
    return {
        "tier": job.tier,
        "version": job.version,
        "mode": job.mode,
        "media_type": job.media_type or None,
        "document_pages": job.document_pages,
        "target_pages": job.target_pages or None,
        "max_pages": job.max_pages,
        "parameters": job.options,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "duration_seconds": seconds,
        **job.result_facts,
    }
