"""``manage.py mcp``: the tools of a running service over standard input and output, for programs that start a command.

Messages go to the service's ``/mcp`` and back. One thing is added: ``parse_document`` takes the path of a local file.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from apps.cli.options import UsageError, check_server
from apps.cli.progress import write_line

OK, USAGE = 0, 2
MAX_AT_ONCE = 4
_INTERNAL_ERROR = -32603
_TIMEOUT = httpx.Timeout(120.0, connect=5.0, write=300.0)
_PATH = {"type": "string", "description": "a file on this computer, inside the folder that the command was started for"}
Json = dict[str, Any]


class _CallRefused(Exception):
    """The file or the service is at fault. The text is a code, a colon and a sentence."""


def main(arguments: Sequence[str]) -> int:
    """Serve until standard input ends. Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="manage.py mcp", description="Serve the tools of a running service over stdio (Model Context Protocol)."
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", default="http://127.0.0.1:8000", metavar="URL", help="the service (default: %(default)s)"
    )
    parser.add_argument("--api-key", metavar="KEY", help="API key of the service; better use LEAFMILL_API_KEY")
    parser.add_argument(
        "--folder",
        default=".",
        metavar="PATH",
        help="only files in this folder may be parsed (default: the current one)",
    )


def run(options: argparse.Namespace) -> int:
    try:
        check_server(options)
        folder = Path(options.folder).resolve()
        if not folder.is_dir():
            raise UsageError("invalid_option", f"{options.folder} is not a folder. Pass one with --folder.")
    except UsageError as error:
        write_line(f"{error.code}: {error.detail}")
        return USAGE
    headers = {"Authorization": f"Bearer {options.api_key}", "Accept": "application/json, text/event-stream"}
    with (
        httpx.Client(base_url=options.server.rstrip("/"), headers=headers, timeout=_TIMEOUT) as http,
        ThreadPoolExecutor(MAX_AT_ONCE) as threads,
    ):
        relay = _Relay(http, folder, sys.stdout.buffer)
        for line in sys.stdin.buffer:
            if line.strip():
                threads.submit(relay.answer, line)
    return OK


class _Relay:
    """Passes messages on. Requests run in threads, because a tool may take a minute."""

    def __init__(self, http: httpx.Client, folder: Path, out: BinaryIO) -> None:
        self._http, self._folder, self._out = http, folder, out
        self._lock = threading.Lock()

    def answer(self, line: bytes) -> None:
        """Write the response to a message, if it gets one."""
        message: Any = None
        try:
            message = json.loads(line)
            response = self._response_to(message) if isinstance(message, dict) else self._send(line)
        except ValueError:
            response = _error(None, "The message is not valid JSON.", code=-32700)
        except (_CallRefused, httpx.HTTPError, OSError) as error:
            sent_id = message.get("id") if isinstance(message, dict) else None
            fault = str(error) or type(error).__name__
            if isinstance(error, httpx.HTTPError):
                fault = (
                    f"server_unavailable: {self._http.base_url} cannot be reached: {fault}. "
                    "Check the address and that the service is running."
                )
            response = None if sent_id is None else _error(sent_id, fault)
        if response is not None:
            with self._lock:
                self._out.write(json.dumps(response).encode() + b"\n")
                self._out.flush()

    def _response_to(self, message: Json) -> Json | None:
        method, params, path = message.get("method"), message.get("params"), None
        params = params if isinstance(params, dict) else {}
        if method == "tools/call" and params.get("name") == "parse_document":
            path = (params.get("arguments") or {}).get("path")
        if isinstance(path, str):
            try:
                arguments = {"job_id": self._upload(path, params["arguments"])}
            except (_CallRefused, OSError) as error:
                text = str(error) if isinstance(error, _CallRefused) else f"file_unreadable: {error.strerror}: {path}"
                result = {"content": [{"type": "text", "text": text}], "isError": True}
                return {"jsonrpc": "2.0", "id": message.get("id"), "result": result}
            message = {**message, "params": {**params, "arguments": arguments}}
        response = self._send(json.dumps(message).encode())
        if method == "tools/list" and response and "result" in response:
            self._parse_document(response)["properties"]["path"] = _PATH
        return response

    def _send(self, body: bytes) -> Json | None:
        """Return the service's response; None if the message gets none. Raise _CallRefused or HTTPError."""
        response = self._http.post("/mcp", content=body, headers={"Content-Type": "application/json"})
        if response.status_code == 202:
            return None
        content = response.json() if "json" in response.headers.get("Content-Type", "") else {}
        if isinstance(content, dict) and content.get("jsonrpc") == "2.0":
            return content
        raise _CallRefused(_fault(response, content))

    def _upload(self, path: str, arguments: Json) -> str:
        """Create a job for a local file and return its id. Raise _CallRefused, OSError or HTTPError."""
        file = (self._folder / path).resolve()
        if not file.is_relative_to(self._folder):
            raise _CallRefused(
                f"file_unreadable: {path} is not in {self._folder}. Only files in this folder may be parsed."
            )
        configuration = {"tier": arguments.get("tier") or self._default_tier(), "version": "latest"}
        if arguments.get("pages"):
            configuration["page_ranges"] = {"target_pages": arguments["pages"]}
        with file.open("rb") as document:
            response = self._http.post(
                "/api/v2/parse/upload",
                data={"configuration": json.dumps(configuration)},
                files={"file": (file.name, document, "application/octet-stream")},
            )
        content = response.json() if "json" in response.headers.get("Content-Type", "") else {}
        if not response.is_success:
            raise _CallRefused(_fault(response, content))
        return str(content["id"])

    def _default_tier(self) -> str:
        listed = self._send(b'{"jsonrpc": "2.0", "id": 0, "method": "tools/list"}')
        return str(self._parse_document(listed or {})["properties"]["tier"]["default"])

    @staticmethod
    def _parse_document(listed: Json) -> Json:
        """Return the schema of the arguments of ``parse_document``."""
        tools = listed.get("result", {}).get("tools", ())
        schema: Json = next(tool["inputSchema"] for tool in tools if tool["name"] == "parse_document")
        return schema


def _error(sent_id: object, message: str, *, code: int = _INTERNAL_ERROR) -> Json:
    return {"jsonrpc": "2.0", "id": sent_id, "error": {"code": code, "message": message}}


def _fault(response: httpx.Response, content: Any) -> str:
    """Return the code and the sentence of an error response."""
    if not isinstance(content, dict) or "code" not in content:
        return f"server_unavailable: The server responded with status {response.status_code}. Check its address."
    detail = content.get("detail")
    if isinstance(detail, list):
        detail = " ".join(str(each.get("msg")) for each in detail)
    return f"{content['code']}: {detail}"
