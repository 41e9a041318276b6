"""The batch APIs: OpenAI's and Azure's files and batches, Anthropic's message batches.

A batch is worked on when a test calls ``end``. Until then it is checked, then in progress.

https://platform.openai.com/docs/api-reference/batch
https://docs.anthropic.com/en/api/creating-message-batches
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from tests.fakes.providers.conversation import Call, Refusal, Reply
from tests.fakes.providers.specifications import BatchEnd
from tests.fakes.providers.wires.anthropic import refuse_as_anthropic
from tests.fakes.providers.wires.base import Wire, json_reply, number

Answer = Callable[[Wire, Call], Awaitable[tuple[int, dict[str, Any]]]]
FAMILIES = frozenset({"openai", "azure", "anthropic"})
_OPENAI_PATH = re.compile(r"/(?:v1|openai)/(?P<kind>files|batches)(?:/(?P<id>[\w-]+))?(?:/(?P<verb>content|cancel))?")
_ANTHROPIC_PATH = re.compile(r"/v1/messages/batches(?:/(?P<id>[\w-]+))?(?:/(?P<verb>results|cancel))?")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_METADATA, _MAX_LISTED = 16, 100
EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


@dataclass
class Batch:
    """``lines``: the requests by custom id, as calls of the family's usual API."""

    id: str
    family: str
    lines: dict[str, Call]
    facts: dict[str, Any]
    status: str = "validating"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    files: dict[str, str] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)


class Batches:
    """All batches and files of the server. ``answer`` answers a call of a wire and returns status and body."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._files: dict[str, tuple[str, bytes]] = {}
        self._batches: dict[str, Batch] = {}
        self.created = 0

    def serves(self, family: str, path: str) -> bool:
        return family in FAMILIES and bool((_ANTHROPIC_PATH if family == "anthropic" else _OPENAI_PATH).fullmatch(path))

    def listed(self) -> list[dict[str, Any]]:
        """Return what a test may want to know of each batch, the oldest first."""
        facts = [
            {
                "id": batch.id,
                "status": batch.status,
                "pages": len(batch.lines),
                "pictures": sum(b'"image_url"' in line.body for line in batch.lines.values()),
                **batch.facts,
            }
            for batch in self._batches.values()
        ]
        return [*facts]

    def kept(self) -> dict[str, Any]:
        """Return what is still stored, and how many batches were ever created."""
        return {"files": sorted(self._files), "batches": self.listed(), "created": self.created}

    async def end(self, how: BatchEnd, wires: Mapping[str, Wire]) -> None:
        """End every open batch: answer its first requests, or all, and give the others no answer."""
        for batch in self._batches.values():
            if batch.status in ("completed", "expired", "cancelled", "failed", "ended"):
                continue
            if how.status == "failed":
                batch.status, batch.errors = "failed", [{"code": how.code, "message": how.code, "line": None}]
                continue
            answered = len(batch.lines) if how.answered is None else how.answered
            await self._work(batch, answered, how.status, wires[batch.family])

    async def handle(self, wire: Wire, call: Call) -> Reply:
        """Answer a request to a batch API. Raise Refusal."""
        if wire.family == "anthropic":
            return self._anthropic(wire, call)
        return self._openai(wire, call)

    async def _work(self, batch: Batch, answered: int, status: str, wire: Wire) -> None:
        output: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for place, (name, line) in enumerate(batch.lines.items()):
            if place < answered:
                code, body = await self._answer(wire, line)
                batch.results[name] = {"status": code, "body": body}
                entry: dict[str, Any] = {"id": f"batch_req_{number()}", "custom_id": name}
                response = {"status_code": code, "request_id": f"req_{number()}", "body": body}
                (output if code == 200 else errors).append({**entry, "response": response, "error": None})
            else:
                batch.results[name] = {"status": None, "kind": "canceled" if status == "cancelled" else "expired"}
                errors.append({"id": f"batch_req_{number()}", "custom_id": name, "response": None, "error": EXPIRED})
        for kind, lines in (("output_file_id", output), ("error_file_id", errors)):
            if lines:
                batch.files[kind] = self._store("results.jsonl", "\n".join(map(json.dumps, lines)).encode())
        batch.status = "ended" if batch.family == "anthropic" else status

    # --- OpenAI and Azure ---

    def _openai(self, wire: Wire, call: Call) -> Reply:
        key = call.headers.get("api-key" if wire.family == "azure" else "Authorization", "").removeprefix("Bearer ")
        call.credential = key
        if key != wire.key:  # type: ignore[attr-defined]
            raise Refusal("auth" if key else "no_auth" if wire.family == "openai" else "auth")
        if wire.family == "azure" and not call.query.get("api-version"):
            raise Refusal("wrong_path")
        found = _OPENAI_PATH.fullmatch(call.path)
        assert found is not None
        reply = self._openai_file(call, found) if found["kind"] == "files" else self._openai_batch(wire, call, found)
        if reply is None:
            raise Refusal("status", f"No such {found['kind']} object: {found['id']}", status=404)
        return reply

    def _openai_file(self, call: Call, found: re.Match[str]) -> Reply | None:
        match call.method, found["id"], found["verb"]:
            case "POST", None, None:
                return self._upload(call)
            case "GET", str(file), None if file in self._files:
                return json_reply(200, _file_object(file, *self._files[file]), {})
            case "GET", str(file), "content" if file in self._files:
                return Reply(200, self._files[file][1], {"Content-Type": "application/octet-stream"})
            case "DELETE", str(file), None if file in self._files:
                del self._files[file]
                return json_reply(200, {"id": file, "object": "file", "deleted": True}, {})
        return None

    def _openai_batch(self, wire: Wire, call: Call, found: re.Match[str]) -> Reply | None:
        match call.method, self._batches.get(found["id"] or ""), found["verb"]:
            case "POST", None, None if not found["id"]:
                return self._create(wire, call)
            case "GET", None, None if not found["id"]:
                page, has_more = self._page(call, wire.family, "after")
                data = [_batch_object(batch) for batch in page]
                return json_reply(200, {"object": "list", "data": data, "has_more": has_more}, {})
            case "GET", Batch() as batch, None:
                reply = json_reply(200, _batch_object(batch), {})
                batch.status = "in_progress" if batch.status == "validating" else batch.status
                return reply
            case "POST", Batch() as batch, "cancel":
                if batch.status not in ("validating", "in_progress"):
                    raise Refusal("invalid", f"Cannot cancel a batch with status '{batch.status}'.")
                batch.status = "cancelling"
                return json_reply(200, _batch_object(batch), {})
        return None

    def _upload(self, call: Call) -> Reply:
        head = f"Content-Type: {call.headers.get('Content-Type', '')}\r\n\r\n".encode()
        form = BytesParser(policy=HTTP).parsebytes(head + call.body)
        parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
        if "purpose" not in parts or str(parts["purpose"].get_payload()).strip() != "batch":
            raise Refusal("invalid", "'purpose' is a required property", param="purpose")
        if "file" not in parts:
            raise Refusal("invalid", "'file' is a required property", param="file")
        name = str(parts["file"].get_filename())
        if not name.endswith(".jsonl"):
            raise Refusal("invalid", "Invalid file format for Batch API. Must be .jsonl", param="file")
        content: Any = parts["file"].get_payload(decode=True)
        file = self._store(name, content)
        return json_reply(200, _file_object(file, name, content), {})

    def _create(self, wire: Wire, call: Call) -> Reply:
        body = call.json_object()
        for name in body:
            if name not in {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}:
                raise Refusal("invalid", f"Unknown parameter: '{name}'.", param=name)
        if body.get("completion_window") != "24h":
            raise Refusal(
                "invalid", "Invalid value for 'completion_window'. Expected '24h'.", param="completion_window"
            )
        endpoint = "/chat/completions" if wire.family == "azure" else "/v1/chat/completions"
        if body.get("endpoint") != endpoint:
            raise Refusal("invalid", f"Invalid value: '{body.get('endpoint')}'.", param="endpoint")
        metadata = body.get("metadata") or {}
        if len(metadata) > _MAX_METADATA or not all(isinstance(value, str) for value in metadata.values()):
            raise Refusal("invalid", "Invalid 'metadata'.", param="metadata")
        if body.get("input_file_id") not in self._files:
            raise Refusal("invalid", f"Invalid file {body.get('input_file_id')!r}.", param="input_file_id")
        lines: dict[str, Call] = {}
        for line in self._files[body["input_file_id"]][1].splitlines():
            request = json.loads(line)
            if set(request) != {"custom_id", "method", "url", "body"} or request["url"] != endpoint:
                raise Refusal("invalid", "A line of the file is not a request to the batch's endpoint.")
            self._add(lines, request["custom_id"], self._line(wire, call, request["body"]))
        facts = {"metadata": metadata, "input_file_id": body["input_file_id"], "endpoint": endpoint}
        return json_reply(200, _batch_object(self._new("batch_", wire.family, lines, facts)), {})

    # --- Anthropic ---

    def _anthropic(self, wire: Wire, call: Call) -> Reply:
        call.credential = call.headers.get("x-api-key", "")
        if call.credential != wire.key:  # type: ignore[attr-defined]
            raise Refusal("auth" if call.credential else "no_auth")
        if call.headers.get("anthropic-version") != "2023-06-01":
            raise Refusal("invalid", "anthropic-version: header is required")
        found = _ANTHROPIC_PATH.fullmatch(call.path)
        assert found is not None
        reply = self._message_batches(wire, call, found["id"], found["verb"])
        return reply or refuse_as_anthropic(Refusal("wrong_path"), call, {})

    def _message_batches(self, wire: Wire, call: Call, name: str | None, verb: str | None) -> Reply | None:
        match call.method, self._batches.get(name or ""), verb:
            case "POST", None, None if not name:
                return self._create_message_batch(wire, call)
            case "GET", None, None if not name:
                page, has_more = self._page(call, "anthropic", "after_id")
                data = [_message_batch(each) for each in page]
                ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {}
                return json_reply(
                    200, {"data": data, "has_more": has_more, "first_id": None, "last_id": None, **ends}, {}
                )
            case "GET", Batch() as batch, None:
                return json_reply(200, _message_batch(batch), {})
            case "POST", Batch() as batch, "cancel":
                batch.status = "cancelling"
                return json_reply(200, _message_batch(batch), {})
            case "DELETE", Batch(status="ended") as batch, None:
                del self._batches[batch.id]
                return json_reply(200, {"id": batch.id, "type": "message_batch_deleted"}, {})
            case "GET", Batch(status="ended") as batch, "results":
                lines = []
                for custom_id, result in reversed(batch.results.items()):
                    kind = _anthropic_kind(result)
                    content = {"message": result["body"]} if kind == "succeeded" else {"error": result.get("body")}
                    shown = {"type": kind, **(content if kind in ("succeeded", "errored") else {})}
                    lines.append({"custom_id": custom_id, "result": shown})
                return Reply(200, "\n".join(map(json.dumps, lines)).encode(), {"Content-Type": "application/x-jsonl"})
        return None

    def _create_message_batch(self, wire: Wire, call: Call) -> Reply:
        body = call.json_object()
        lines: dict[str, Call] = {}
        for request in body.get("requests") or []:
            if set(request) != {"custom_id", "params"}:
                raise Refusal("invalid", "requests.0: Extra inputs are not permitted")
            self._add(lines, request["custom_id"], self._line(wire, call, request["params"]))
        if set(body) != {"requests"} or not lines:
            raise Refusal("invalid", "requests: Field required")
        return json_reply(200, _message_batch(self._new("msgbatch_", "anthropic", lines, {})), {})

    # --- both ---

    def _page(self, call: Call, family: str, cursor: str) -> tuple[list[Batch], bool]:
        """Return the newest batches, or those after the one that the cursor names, and whether there are more."""
        own = [batch for batch in reversed(self._batches.values()) if batch.family == family]
        limit, after = int(call.query.get("limit", "20")), call.query.get(cursor)
        if not 1 <= limit <= _MAX_LISTED or (after and after not in self._batches):
            raise Refusal("invalid", f"Invalid limit or {cursor}.")
        first = own.index(self._batches[after]) + 1 if after else 0
        return own[first : first + limit], first + limit < len(own)

    def _line(self, wire: Wire, call: Call, body: dict[str, Any]) -> Call:
        path = {"azure": f"/openai/deployments/{body.get('model')}/chat/completions", "anthropic": "/v1/messages"}
        own = path.get(wire.family, "/v1/chat/completions")
        return replace(call, method="POST", path=own, body=json.dumps(body).encode())

    def _add(self, lines: dict[str, Call], name: object, line: Call) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in lines:
            raise Refusal("invalid", f"The custom_id {name!r} is invalid or not unique.")
        lines[name] = line

    def _new(self, prefix: str, family: str, lines: dict[str, Call], facts: dict[str, Any]) -> Batch:
        batch = Batch(f"{prefix}{number():012d}", family, lines, facts)
        self._batches[batch.id] = batch
        self.created += 1
        return batch

    def _store(self, name: str, content: bytes) -> str:
        file = f"file-{number():012d}"
        self._files[file] = (name, content)
        return file


def _file_object(file: str, name: str, content: bytes) -> dict[str, Any]:
    facts = {"object": "file", "bytes": len(content), "created_at": 1_750_000_000, "purpose": "batch"}
    return {"id": file, "filename": name, "status": "processed", **facts}


def _batch_object(batch: Batch) -> dict[str, Any]:
    done = sum(result["status"] == 200 for result in batch.results.values())
    return {
        "id": batch.id,
        "object": "batch",
        "completion_window": "24h",
        "status": batch.status,
        "created_at": int(batch.created_at.timestamp()),
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "output_file_id": batch.files.get("output_file_id"),
        "error_file_id": batch.files.get("error_file_id"),
        "request_counts": {"total": len(batch.lines), "completed": done, "failed": len(batch.results) - done},
        **batch.facts,
    }


def _message_batch(batch: Batch) -> dict[str, Any]:
    kinds = [_anthropic_kind(result) for result in batch.results.values()]
    counts = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
    status = {"validating": "in_progress", "cancelling": "canceling"}.get(batch.status, batch.status)
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {"processing": len(batch.lines) - len(kinds), **counts},
        "created_at": batch.created_at.isoformat().replace("+00:00", "Z"),
        "ended_at": None,
        "results_url": "https://elsewhere.invalid/results" if batch.status == "ended" else None,
    }


def _anthropic_kind(result: Mapping[str, Any]) -> str:
    if result["status"] is None:
        return str(result["kind"])
    return "succeeded" if result["status"] == 200 else "errored"
