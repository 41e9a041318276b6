"""Send results and files: entity tags, parts of files, compression, and no copies in shared caches."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header, parse_etags
from rest_framework.request import Request

from apps.api.request_errors import RangeNotSatisfiable

CHUNK_BYTES = 64 * 1024
MIN_COMPRESSED_BYTES = 2048
_LEVEL = 3  # of gzip: half the time of level 6 for a tenth more bytes
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_TEXT = ("text/", "application/json", "application/x-ndjson")


def entity_tag(*facts: object) -> str:
    """Return a tag that changes when one of the facts changes."""
    return f'"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}"'


def is_current(request: Request, tag: str) -> bool:
    """Return whether the client has the content already (If-None-Match)."""
    known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return "*" in known or tag in (each.removeprefix("W/") for each in known)


def not_modified(tag: str) -> HttpResponseBase:
    return private(HttpResponse(status=304), tag)


def private(response: HttpResponseBase, tag: str = "") -> HttpResponseBase:
    """Forbid caches to keep the response, because it contains text of a document."""
    response["Cache-Control"] = "private, no-store"
    if tag:
        response["ETag"] = tag
    return response


def file_response(
    request: Request, content: BinaryIO, *, size: int, name: str, media_type: str, tag: str
) -> HttpResponseBase:
    """Return a file as a download: whole, compressed if it is text, or the part that the request asks for.

    Raise RangeNotSatisfiable for a part that the file does not have. Several parts at once are answered with the file.
    """
    if is_current(request, tag):
        content.close()
        return not_modified(tag)
    part = _part(request, size, tag)
    if part is None:
        response: HttpResponseBase = FileResponse(content)
        response["Content-Length"] = str(size)
    else:
        first, last = part
        response = StreamingHttpResponse(_bytes_of(content, first, last - first + 1), status=206)
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
        response["Content-Length"] = str(last - first + 1)
    response["Content-Type"] = media_type
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Accept-Ranges"] = "bytes"
    response["X-Content-Type-Options"] = "nosniff"
    private(response, tag)
    return response if part else compressed(request, response)


def compressed(request: Request, response: HttpResponseBase) -> HttpResponseBase:
    """Return the response compressed with gzip if the client takes it, and if it is text and long enough."""
    response["Vary"] = "Accept-Encoding"
    accepted = request.META.get("HTTP_ACCEPT_ENCODING", "").lower().replace(" ", "").split(",")
    takes_gzip = any(each.startswith("gzip") and not each.endswith((";q=0", ";q=0.0")) for each in accepted)
    if not takes_gzip or not response["Content-Type"].startswith(_TEXT):
        return response
    if isinstance(response, HttpResponse):
        if len(response.content) < MIN_COMPRESSED_BYTES:
            return response
        response.content = b"".join(_gzipped((response.content,)))
        response["Content-Length"] = str(len(response.content))
    else:
        if int(response.headers.get("Content-Length") or MIN_COMPRESSED_BYTES) < MIN_COMPRESSED_BYTES:
            return response
        response.streaming_content = _gzipped(response.streaming_content)  # type: ignore[attr-defined]
        if "Content-Length" in response:
            del response["Content-Length"]
    response["Content-Encoding"] = "gzip"
    if tag := response.headers.get("ETag"):
        response["ETag"] = f"W/{tag}"
    return response


def _part(request: Request, size: int, tag: str) -> tuple[int, int] | None:
    """Return the first and the last byte that the request asks for; None for the whole file."""
    found = _RANGE.fullmatch(request.META.get("HTTP_RANGE", "").strip())
    condition = request.META.get("HTTP_IF_RANGE", "")
    if found is None or not any(found.groups()) or (condition and condition != tag):
        return None
    first, last = (int(number) if number else None for number in found.groups())
    if first is None:
        first, last = max(0, size - (last or 0)), size - 1
    last = size - 1 if last is None else min(last, size - 1)
    if first > last:
        raise RangeNotSatisfiable(f"The file has {size} bytes. Ask for a part of it, or for the whole file.")
    return first, last


def _bytes_of(content: BinaryIO, first: int, length: int) -> Iterator[bytes]:
    with content:
        content.seek(first)
        while length > 0 and (chunk := content.read(min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk


def _gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for chunk in chunks:
        if out := gzip.compress(chunk):
            yield out
    yield gzip.flush()
