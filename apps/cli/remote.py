"""``manage.py parse --server``: a running service parses the document, over the same HTTP API as everybody's.

The outputs are written into a folder under the names that a local parse gives them, so the rest of the command does not
know the difference.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec

from apps.cli.progress import Progress, say
from apps.cli.remote_reports import cache_line, estimate_table, fallback_lines, pages_line, usage_line
from apps.cli.remote_request import configuration
from apps.pages.model.errors import DocumentError, ParseError

_EXPAND = {
    "markdown": ("markdown_full", "markdown"),
    "text": ("text_full", "markdown"),
    "json": ("text", "markdown", "items", "metadata"),
}
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 0.2, 3.0
_TRIES = 5
_SENTENCES_OF_OURS = {"value_error", "mode_not_available", "invalid_range"}
_ABOUT_THE_COMMAND = {"invalid_option", "mode_not_available", "mode_not_allowed"}
_TIMEOUT = httpx.Timeout(60.0, connect=5.0, write=300.0)


class ServerProblem(ParseError):
    """The server could not be reached or could not do what was asked. Check its address, and whether it runs."""

    code = "server_unavailable"
    exit_code = 5


class RefusedByServer(DocumentError):
    """The server refused the document, or an option of the command."""

    exit_code = 3


def parse_on_server(options: argparse.Namespace, password: str | None, folder: Path, progress: Progress) -> bool:
    """Upload, wait and fetch; returns whether some pages failed. Raises ``ServerProblem``, ``DocumentError``."""
    with _service(options) as http:
        job = _send(http, "/api/v2/parse", "/api/v2/parse/upload", options, password, folder)
        _wait_for(http, job["id"], progress)
        expand = dict.fromkeys((*_EXPAND[options.format], "metadata"))
        result = _answer(_get(http, f"/api/v2/parse/{job['id']}", expand=list(expand)))
        _tell(result, quiet=options.quiet)
        _keep(result, options.format, folder)
        return _failed_pages(result)


def estimate_on_server(options: argparse.Namespace, password: str | None, folder: Path) -> str:
    """What the request would come to: a table, or JSON where that is the format. Raises as ``parse_on_server``."""
    address = "/api/v2/parse/estimate"
    with _service(options) as http:
        estimate = _send(http, address, address, options, password, folder)
        if options.format == "json":
            return msgspec.json.encode(estimate).decode() + "\n"
        return estimate_table(estimate)


@contextmanager
def _service(options: argparse.Namespace) -> Iterator[httpx.Client]:
    """The service; what goes wrong on the way to it, or in its answers, is told as ``ServerProblem``."""
    key = options.api_key
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=options.server.rstrip("/"), headers=headers, timeout=_TIMEOUT) as http:
            yield http
    except httpx.TransportError as error:
        raise ServerProblem(
            f"{options.server} cannot be reached: {error or type(error).__name__}. Does it run, and at this address?"
        ) from error
    except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
        raise ServerProblem(f"{options.server} answered something else than a Leafmill API does.") from error


def _send(
    http: httpx.Client,
    address: str,
    upload_address: str,
    options: argparse.Namespace,
    password: str | None,
    folder: Path,
) -> dict[str, Any]:
    asked = configuration(options, password)
    if options.source.lower().startswith(("http://", "https://")):
        return _answer(http.post(address, json={**asked, "source_url": options.source}))
    path = _spooled_stdin(folder) if options.source == "-" else Path(options.source)
    with path.open("rb") as document:
        files = {"file": (path.name, document, "application/octet-stream")}
        return _answer(http.post(upload_address, data={"configuration": json.dumps(asked)}, files=files))


def _tell(result: dict[str, Any], *, quiet: bool) -> None:
    job, pages = result["job"], (result.get("metadata") or {}).get("pages") or ()
    fallen = fallback_lines(pages)
    for warning in job.get("warnings") or ():
        if not (fallen and warning["code"] == "fallback_used"):
            say(f"{warning['code']}: {warning['detail']}")
    for line in [*fallen, *(() if quiet else (cache_line(pages), usage_line(job, pages)))]:
        if line:
            say(line)


def _spooled_stdin(folder: Path) -> Path:
    path = folder / "stdin"
    with path.open("wb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
    return path


def _wait_for(http: httpx.Client, job_id: str, progress: Progress) -> None:
    for wait_seconds in _waits():
        job = _answer(_get(http, f"/api/v2/parse/{job_id}"))["job"]
        if job["status"] == "COMPLETED":
            progress.clear()
            return
        if job["status"] in {"FAILED", "CANCELLED"}:
            progress.clear()
            raise _refusal(job.get("error") or {}, str(job.get("error_message") or "The server gave the job up."))
        progress.tell(partial(_how_far, http, job))
        time.sleep(wait_seconds)


def _how_far(http: httpx.Client, job: dict[str, Any]) -> str:
    if job["status"] == "PENDING":
        return "waiting for the server to begin"
    pages = _answer(_get(http, f"/api/v2/parse/{job['id']}/pages", page_size=1))
    return pages_line(pages.get("counts") or {})


def _waits() -> Iterator[float]:
    seconds = _FIRST_WAIT_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * 1.5, _MAX_WAIT_SECONDS)


def _keep(result: dict[str, Any], wanted: str, folder: Path) -> None:
    """Write the result under the names that a local parse gives it."""
    if wanted == "json":
        for section in _EXPAND["json"]:
            (folder / f"{section}.json").write_bytes(msgspec.json.encode(result[section]))
    else:
        name = {"markdown": "markdown.md", "text": "text.txt"}[wanted]
        (folder / name).write_bytes(str(result[f"{wanted}_full"]).encode())


def _failed_pages(result: dict[str, Any]) -> bool:
    """Whether there are some; each is named."""
    failed = [page for page in result["markdown"]["pages"] if page.get("success") is False]
    for page in failed:
        say(f"page {page['page_number']}: {page.get('error', 'failed')}")
    return bool(failed)


def _get(http: httpx.Client, path: str, **query: Any) -> httpx.Response:
    """A GET that outlasts a short absence of the server: reading twice harms nobody."""
    for attempt in range(1, _TRIES + 1):
        try:
            answer = http.get(path, params=query)
        except httpx.TransportError:
            if attempt == _TRIES:
                raise
        else:
            if answer.status_code not in {429, 502, 503, 504} or attempt == _TRIES:
                return answer
        time.sleep(min(2.0**attempt / 2, _MAX_WAIT_SECONDS))
    raise AssertionError("unreachable")


def _answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a good answer; ``RefusedByServer`` for what the document or an option is to blame for."""
    if response.is_success:
        whole = msgspec.json.decode(response.content)  # and encoded by it again: numbers keep their spelling
        if not isinstance(whole, dict):
            raise TypeError("an object is expected")
        return whole
    problem = _problem(response)
    detail = _sentences(problem.get("detail")) or "Is this the address of a Leafmill service?"
    if problem.get("code") in _ABOUT_THE_COMMAND and not _is_about_the_document(problem):
        refused = _refusal(problem, detail)
        refused.exit_code = 2
        raise refused
    if response.status_code in {401, 403}:
        sent_one = "Authorization" in response.request.headers
        what = "refused the API key. Pass another" if sent_one else "wants an API key. Pass one"
        raise _problem_of("unauthenticated", f"The server {what} with --api-key or LEAFMILL_API_KEY.")
    if 400 <= response.status_code < 500 and response.status_code not in {404, 405, 408, 429}:
        raise _refusal(problem, detail)
    told = f"{response.request.url.host} answered {response.status_code}: {detail}"
    raise _problem_of(str(problem.get("code") or ServerProblem.code), told)


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _problem_of(code: str, detail: str) -> ServerProblem:
    error = ServerProblem(detail)
    error.code = code
    return error


def _sentences(detail: object) -> str:
    """What a problem tells: a sentence, or a list of options at fault."""
    if isinstance(detail, list):
        return " ".join(_sentence(one) if isinstance(one, dict) else str(one) for one in detail)
    return str(detail or "")


def _sentence(option: dict[str, Any]) -> str:
    """What is wrong with an option. Only the server's own sentences name it by themselves."""
    said = str(option.get("msg")).rstrip(".") + "."
    names_it = option.get("type") in _SENTENCES_OF_OURS
    return said if names_it else f"{'.'.join(map(str, (option.get('loc') or ())[1:]))}: {said}"


def _is_about_the_document(problem: dict[str, Any]) -> bool:
    """Whether the options would do for another document: this one lacks the pages."""
    return any(option.get("code") == "invalid_range" for option in problem.get("errors") or ())


def _refusal(problem: dict[str, Any], detail: str) -> RefusedByServer:
    error = RefusedByServer(_sentences(problem.get("detail")) or detail)
    error.code = str(problem.get("code") or "document_refused")
    return error
