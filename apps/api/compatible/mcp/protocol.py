"""JSON-RPC messages of the Model Context Protocol (2025-06-18): a server with tools and without sessions.

https://modelcontextprotocol.io/specification/2025-06-18
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps import VERSION

Json = dict[str, Any]
VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")
"""The revisions of the protocol, oldest first, whose tools are the same."""
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
_INSTRUCTIONS = (
    "Reads PDFs, scans, pictures, office files, web pages and mail. Call parse_document first; it returns a job_id and "
    "the first pages as Markdown. get_page returns any page of that job, search_document finds words in all of them."
)


class ProtocolError(Exception):
    """The message is not a request that this server can answer. ``code`` is JSON-RPC's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def answer(message: Json, *, tools: list[Json], call: Callable[[str, Json], Json]) -> Json | None:
    """Return the response to a message; None for notifications and responses, which get none.

    ``call`` runs a tool by its name. It raises ProtocolError if there is no such tool.
    """
    sent_id = message.get("id")
    is_request = isinstance(sent_id, str | int) and not isinstance(sent_id, bool)
    try:
        if message.get("jsonrpc") != "2.0":
            raise ProtocolError(INVALID_REQUEST, 'Send one JSON-RPC message: {"jsonrpc": "2.0", ...}.')
        method = message.get("method")
        if "id" not in message or (method is None and ("result" in message or "error" in message)):
            return None
        if not is_request or not isinstance(method, str):
            raise ProtocolError(INVALID_REQUEST, "A request has a method and an id, which is a text or a number.")
        params = message.get("params", {})
        if not isinstance(params, dict):
            raise ProtocolError(INVALID_PARAMS, "The params must be an object.")
        return {"jsonrpc": "2.0", "id": sent_id, "result": _result(method, params, tools, call)}
    except ProtocolError as error:
        return error_response(error, sent_id if is_request else None)


def error_response(error: ProtocolError, sent_id: object = None) -> Json:
    return {"jsonrpc": "2.0", "id": sent_id, "error": {"code": error.code, "message": error.message}}


def _result(method: str, params: Json, tools: list[Json], call: Callable[[str, Json], Json]) -> Json:
    if method == "initialize":
        wanted = params.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": "leafmill", "title": "Leafmill", "version": VERSION},
            "instructions": _INSTRUCTIONS,
        }
    if method == "ping":
        return {}
    if method == "tools/list":
        return {"tools": tools}
    if method == "tools/call":
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise ProtocolError(INVALID_PARAMS, "tools/call needs the name of a tool, and its arguments as an object.")
        return call(name, arguments)
    raise ProtocolError(METHOD_NOT_FOUND, "This server has no such method. It has tools: tools/list and tools/call.")
