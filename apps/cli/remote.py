"""``manage.py parse --server``: a running service parses the document over its public HTTP API.

The outputs are written under the names that a local parse uses, so the rest of the command treats both alike.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec

from apps.cli import exit_codes
from apps.cli.documents import is_url, local_document
from apps.cli.options import OUTPUT_FILES, chunk_options
from apps.cli.progress import PDF_COPIED, Progress, attachments_line, write_line
from apps.cli.remote_reports import cache_line, estimate_table, fallback_lines, pages_line, usage_line
from apps.cli.remote_request import configuration
from apps.pages.model.errors import DocumentError, ParseError
from apps.pages.model.media_types import PDF

_EXPAND = {
    "markdown": ("markdown_full", "markdown"),
    "text": ("text_full", "markdown"),
    "json": ("text", "markdown", "items", "metadata"),
}
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.2, 3.0
_LONG_POLL_SECONDS = 2
_MAX_LIMITED_SECONDS = 60.0
_TRIES = 5
# The messages of these types already contain the name of the option.
_TYPES_WITH_OPTION = {"value_error", "mode_not_available", "invalid_range"}
_COMMAND_CODES = {"invalid_option", "mode_not_available", "mode_not_allowed", "invalid_schema", "schema_too_large"}
# A job with one of these failed whatever its document is.
_SERVER_CODES = frozenset({"internal_error", "reader_not_confined", "storage_unavailable"})
_TIMEOUT = httpx.Timeout(60.0, connect=5.0, write=300.0)


class ServerProblem(ParseError):
    """The server could not be reached or failed. Check its address and that it is running."""

    code = "server_unavailable"
    exit_code = exit_codes.SERVER

    def __init__(self, detail: str | None = None, *, code: str = "") -> None:
        super().__init__(detail)
        self.code = code or self.code


class RefusedByServer(DocumentError):
    """The server refused the document or an option of the command."""

    exit_code = exit_codes.REFUSED


class NotInResult(RefusedByServer):
    """The result has no such file, such as a workbook of a document without tables. Ask for another format."""

    code = "not_found"


def parse_on_server(options: argparse.Namespace, password: str | None, folder: Path, progress: Progress) -> bool:
    """Submit the document, wait and write the outputs into ``folder``. Return whether pages failed.

    Raise ServerProblem or DocumentError.
    """
    with service(options) as http:
        job = _submit(http, "/api/v2/parse", "/api/v2/parse/upload", options, password, folder)
        _wait_for_end(http, job["id"], progress)
        expand = dict.fromkeys((*_EXPAND.get(options.format, ("markdown",)), "metadata", "job_metadata"))
        result = content(get(http, f"/api/v2/parse/{job['id']}", expand=list(expand)))

        job, pages = result["job"], (result.get("metadata") or {}).get("pages") or ()
        metadata = result.get("job_metadata") or {}
        attached = metadata.get("attachments")
        if attached:
            write_line(attachments_line([attachment["name"] for attachment in attached], metadata["media_type"]))
        fallbacks = fallback_lines(pages)
        for warning in job.get("warnings") or ():
            if not (fallbacks and warning["code"] == "fallback_used"):
                write_line(f"{warning['code']}: {warning['detail']}")
        for line in [*fallbacks, *(() if options.quiet else (cache_line(pages), usage_line(job, pages)))]:
            if line:
                write_line(line)

        _write_outputs(http, options, result, folder)
        if options.format == "pdf" and metadata.get("media_type") == PDF and not options.quiet:
            write_line(PDF_COPIED)
        failed = [page for page in result["markdown"]["pages"] if page.get("success") is False]
        for page in failed:
            write_line(f"page {page['page_number']}: {page.get('error', 'failed')}")
        return bool(failed)


def _write_outputs(http: httpx.Client, options: argparse.Namespace, result: dict[str, Any], folder: Path) -> None:
    if options.format == "json":
        for section in _EXPAND["json"]:
            (folder / f"{section}.json").write_bytes(msgspec.json.encode(result[section]))
        if options.boxes:
            link = result["result_content_metadata"]["grounded_items"]["presigned_url"]
            _download(http, link, folder / "grounded_items.jsonl")
    elif options.format in ("markdown", "text"):
        (folder / OUTPUT_FILES[options.format]).write_bytes(str(result[f"{options.format}_full"]).encode())
    else:
        name, query = OUTPUT_FILES[options.format], {}
        if options.format == "chunks":
            query = msgspec.to_builtins(chunk_options(options))
        _download(http, f"/api/v2/parse/{result['job']['id']}/result/{name}", folder / name, **query)


def estimate_on_server(options: argparse.Namespace, password: str | None, folder: Path) -> str:
    """Return the estimate as a table, or as JSON with ``--format json``. Raise ServerProblem or DocumentError."""
    address = "/api/v2/parse/estimate"
    with service(options) as http:
        estimate = _submit(http, address, address, options, password, folder)
        if options.format == "json":
            return msgspec.json.encode(estimate).decode() + "\n"
        return estimate_table(estimate)


@contextmanager
def service(options: argparse.Namespace) -> Iterator[httpx.Client]:
    """Yield a client of the service. Connection errors and malformed responses become ServerProblem."""
    key = options.api_key
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=options.server.rstrip("/"), headers=headers, timeout=_TIMEOUT) as http:
            yield http
    except httpx.TransportError as error:
        raise ServerProblem(
            f"{options.server} cannot be reached: {error or type(error).__name__}. "
            "Check the address and that the service is running."
        ) from error
    except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
        raise ServerProblem(f"{options.server} did not respond like a Leafmill service. Check the address.") from error


def _submit(
    http: httpx.Client,
    address: str,
    upload_address: str,
    options: argparse.Namespace,
    password: str | None,
    folder: Path,
) -> dict[str, Any]:
    body = configuration(options, password)
    if is_url(options.source):
        return content(http.post(address, json={**body, "source_url": options.source}))
    path = local_document(options.source, folder)
    with path.open("rb") as document:
        files = {"file": (path.name, document, "application/octet-stream")}
        return content(http.post(upload_address, data={"configuration": json.dumps(body)}, files=files))


def _wait_for_end(http: httpx.Client, job_id: str, progress: Progress) -> None:
    """Wait until the job ends. Raise RefusedByServer unless it is completed.

    The server waits with its response for the end of the job. One that is busy, or older, responds at once; then the
    job is polled with growing intervals.
    """

    def state_of(job: dict[str, Any]) -> str:
        if job["status"] == "PENDING":
            return "waiting for the server to start the job"
        pages = content(get(http, f"/api/v2/parse/{job_id}/pages", page_size=1))
        return pages_line(pages.get("counts") or {})

    wait_seconds = FIRST_WAIT_SECONDS
    while True:
        asked_at = time.monotonic()
        job = content(get(http, f"/api/v2/parse/{job_id}", wait=_LONG_POLL_SECONDS))["job"]
        if job["status"] in {"COMPLETED", "FAILED", "CANCELLED"}:
            progress.clear()
            if job["status"] == "COMPLETED":
                return
            raise refusal(job.get("error") or {}, str(job.get("error_message") or "The job failed on the server."))
        progress.show(partial(state_of, job))
        if time.monotonic() - asked_at < _LONG_POLL_SECONDS / 2:
            time.sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 1.5, MAX_WAIT_SECONDS)


def get(http: httpx.Client, path: str, **query: Any) -> httpx.Response:
    """Send a GET; retry it while the server is absent or overloaded, because reading twice is harmless."""
    for attempt in range(1, _TRIES + 1):
        pause = min(2.0**attempt / 2, MAX_WAIT_SECONDS)
        try:
            response = http.get(path, params=query)
        except httpx.TransportError:
            if attempt == _TRIES:
                raise
        else:
            if response.status_code not in {429, 502, 503, 504} or attempt == _TRIES:
                return response
            asked_wait = response.headers.get("Retry-After", "")
            if response.status_code == 429 and asked_wait.isdigit():
                pause = min(float(asked_wait), _MAX_LIMITED_SECONDS)
        time.sleep(pause)
    raise AssertionError("unreachable")


def _download(http: httpx.Client, link: str, path: Path, **query: Any) -> None:
    """Fetch a file of the result. Its link may begin with another address of the service than the one given here.

    Raise as ``content``.
    """
    response = get(http, "/api/" + link.partition("/api/")[2], **query)
    if response.status_code == 404:
        problem = response.json()
        if problem.get("code") == NotInResult.code:  # by a service; anything else may respond with 404, too
            raise NotInResult(_sentences(problem.get("detail")))
    if not response.is_success:
        content(response)
    path.write_bytes(response.content)


def content(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a successful response.

    Raise RefusedByServer if the document or an option is at fault, ServerProblem for other errors.
    """
    if response.is_success:
        content = msgspec.json.decode(response.content)  # msgspec encodes it again, so numbers keep their spelling
        if not isinstance(content, dict):
            raise TypeError("an object is expected")
        return content
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    detail = _sentences(problem.get("detail")) or "Check that this is the address of a Leafmill service."
    # Other documents may have the pages that this one lacks, so the document is at fault, not the command.
    lacks_pages = any(option.get("code") == "invalid_range" for option in problem.get("errors") or ())
    if problem.get("code") in _COMMAND_CODES and not lacks_pages:
        refused = refusal(problem, detail)
        refused.exit_code = exit_codes.USAGE
        raise refused
    if response.status_code in {401, 403}:
        sent_key = "Authorization" in response.request.headers
        fault = "refused the API key. Pass another" if sent_key else "requires an API key. Pass one"
        raise ServerProblem(f"The server {fault} with --api-key or LEAFMILL_API_KEY.", code="unauthenticated")
    if 400 <= response.status_code < 500 and response.status_code not in {404, 405, 408, 429}:
        raise refusal(problem, detail)
    fault = f"{response.request.url.host} responded with status {response.status_code}: {detail}"
    raise ServerProblem(fault, code=str(problem.get("code") or ""))


def _sentences(detail: object) -> str:
    """Return ``detail`` of an error response as text: it is a sentence, or a list of invalid options."""
    if not isinstance(detail, list):
        return str(detail or "")
    sentences = []
    for option in detail:
        if not isinstance(option, dict):
            sentences.append(str(option))
            continue
        sentence = str(option.get("msg")).rstrip(".") + "."
        name = ".".join(map(str, (option.get("loc") or ())[1:]))
        sentences.append(sentence if option.get("type") in _TYPES_WITH_OPTION else f"{name}: {sentence}")
    return " ".join(sentences)


def refusal(problem: dict[str, Any], detail: str) -> RefusedByServer:
    error = RefusedByServer(_sentences(problem.get("detail")) or detail)
    error.code = str(problem.get("code") or "document_refused")
    if error.code in _SERVER_CODES:
        error.exit_code = exit_codes.SERVER
    return error
