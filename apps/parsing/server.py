"""``manage.py parse --server``: a running service parses the document, over the same HTTP API as everybody's.

The outputs are written into a folder under the names that a local parse gives them, so the rest of the command does not
know the difference.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import msgspec

from apps.pages.errors import DocumentError, ParseError
from apps.parsing.progress import Progress, say

_TIERS = {"fast": "fast", "balanced": "cost_effective", "multimodal": "multimodal", "agentic": "agentic"}
_EXPAND = {
    "markdown": ("markdown_full", "markdown"),
    "text": ("text_full", "markdown"),
    "json": ("text", "markdown", "items", "metadata"),
}
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 3.0
_TRIES = 5
_TIMEOUT = httpx.Timeout(60.0, connect=5.0, write=300.0)


class ServerProblem(ParseError):
    """The server could not be reached or could not do what was asked. Check its address, and whether it runs."""

    code = "server_unavailable"
    exit_code = 5


class RefusedByServer(DocumentError):
    """The server refused the document."""


def parse_on_server(options: argparse.Namespace, password: str | None, folder: Path, progress: Progress) -> bool:
    """Upload, wait and fetch; returns whether some pages failed. Raises ``ServerProblem``, ``DocumentError``."""
    key = options.api_key or os.environ.get("LEAFMILL_API_KEY", "").strip()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=options.server.rstrip("/"), headers=headers, timeout=_TIMEOUT) as http:
            job = _create(http, options, password, folder)
            _wait_for(http, job["id"], progress)
            _tell_warnings(http, job["id"])
            return _fetch(http, job["id"], options.format, folder)
    except httpx.InvalidURL as error:
        raise ServerProblem(f"{options.server!r} is not the address of a server.") from error
    except (httpx.TransportError, httpx.UnsupportedProtocol) as error:
        raise ServerProblem(
            f"{options.server} cannot be reached: {error or type(error).__name__}. Does it run, and at this address?"
        ) from error
    except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
        raise ServerProblem(f"{options.server} answered something else than a Leafmill API does.") from error


def _create(http: httpx.Client, options: argparse.Namespace, password: str | None, folder: Path) -> dict[str, Any]:
    configuration: dict[str, Any] = {"tier": _TIERS[options.mode], "version": "latest"}
    if options.pages:
        configuration["page_ranges"] = {"target_pages": options.pages}
    if password is not None:
        configuration["input_options"] = {"pdf": {"password": password}}
    processing: dict[str, Any] = {}
    if ocr := _ocr_parameters(options):
        processing["ocr_parameters"] = ocr
    if options.ignore_hidden_text:
        processing["ignore"] = {"ignore_hidden_text": True}
    if processing:
        configuration["processing_options"] = processing
    if options.source.lower().startswith(("http://", "https://")):
        return _answer(http.post("/api/v2/parse", json={**configuration, "source_url": options.source}))
    path = _spooled_stdin(folder) if options.source == "-" else Path(options.source)
    with path.open("rb") as document:
        files = {"file": (path.name, document, "application/octet-stream")}
        return _answer(
            http.post("/api/v2/parse/upload", data={"configuration": json.dumps(configuration)}, files=files)
        )


def _tell_warnings(http: httpx.Client, job_id: str) -> None:
    for warning in _answer(_get(http, f"/api/v2/parse/{job_id}"))["job"].get("warnings") or ():
        say(f"{warning['code']}: {warning['detail']}")


def _ocr_parameters(options: argparse.Namespace) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if options.languages:
        asked["languages"] = options.languages.split(",")
    if options.no_ocr:
        asked["disable_ocr"] = True
    if options.high_res_ocr:
        asked["high_res_ocr"] = True
    return asked


def _spooled_stdin(folder: Path) -> Path:
    path = folder / "stdin"
    with path.open("wb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
    return path


def _wait_for(http: httpx.Client, job_id: str, progress: Progress) -> None:
    for wait_seconds in _waits():
        job = _answer(_get(http, f"/api/v2/parse/{job_id}"))["job"]
        if job["status"] == "COMPLETED":
            return
        if job["status"] in {"FAILED", "CANCELLED"}:
            _refuse(job.get("error") or {}, str(job.get("error_message") or "The server gave the job up."))
        progress(0, 0)
        time.sleep(wait_seconds)


def _waits() -> Iterator[float]:
    seconds = _FIRST_WAIT_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * 1.5, _LONGEST_WAIT_SECONDS)


def _fetch(http: httpx.Client, job_id: str, wanted: str, folder: Path) -> bool:
    result = _answer(_get(http, f"/api/v2/parse/{job_id}", expand=list(_EXPAND[wanted])))
    failed = [page for page in result["markdown"]["pages"] if page.get("success") is False]
    for page in failed:
        say(f"page {page['page_number']}: {page.get('error', 'failed')}")
    if wanted == "json":
        for section in _EXPAND["json"]:
            (folder / f"{section}.json").write_bytes(msgspec.json.encode(result[section]))
    else:
        name = {"markdown": "markdown.md", "text": "text.txt"}[wanted]
        (folder / name).write_bytes(str(result[f"{wanted}_full"]).encode())
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
        time.sleep(min(2.0**attempt / 2, _LONGEST_WAIT_SECONDS))
    raise AssertionError("unreachable")


def _answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a good answer; ``RefusedByServer`` for what the document or an option is to blame for."""
    if response.is_success:
        whole = msgspec.json.decode(response.content)  # and encoded by it again: numbers keep their spelling
        if not isinstance(whole, dict):
            raise TypeError("an object is expected")
        return whole
    problem = _problem(response)
    detail = str(problem.get("detail") or f"The server answered {response.status_code}.")
    if response.status_code in {401, 403}:
        refused = ServerProblem(
            f"The server refused the API key: {detail} Pass one with --api-key or LEAFMILL_API_KEY."
        )
        refused.code = "unauthenticated"
        raise refused
    if 400 <= response.status_code < 500 and response.status_code not in {404, 405, 408, 429}:
        _refuse(problem, detail)
    raise ServerProblem(f"{response.request.url.host} answered {response.status_code}: {detail}")


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _refuse(problem: dict[str, Any], detail: str) -> NoReturn:
    error = RefusedByServer(str(problem.get("detail") or detail))
    error.code = str(problem.get("code") or "document_refused")
    raise error
