"""The server: read a request by its API, apply quota and faults, and respond. One process with one event loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from aiohttp import web

from apps.parsing.prompts.token_estimate import jpeg_size
from tests.fakes.providers import credentials, faults, specifications, thinking, transport
from tests.fakes.providers.batches import Batches
from tests.fakes.providers.conversation import Call, Completion, Conversation, Counted, Refusal, Reply
from tests.fakes.providers.faults import Faults
from tests.fakes.providers.ledger import Entry, Ledger
from tests.fakes.providers.limits import Limits
from tests.fakes.providers.model import Model
from tests.fakes.providers.specifications import Fault, Latency, Tokens
from tests.fakes.providers.wires.anthropic import Anthropic
from tests.fakes.providers.wires.azure import Azure
from tests.fakes.providers.wires.base import Wire
from tests.fakes.providers.wires.bedrock import Bedrock
from tests.fakes.providers.wires.gemini import Gemini
from tests.fakes.providers.wires.openai import OpenAI
from tests.fakes.providers.wires.vertex import TokenEndpoint, Vertex

MAX_REQUEST_BYTES = 64 * 2**20
_ABSOLUTE = re.compile(r"^http://[^/]+")
TOKEN_FAMILY = "vertex-token"


class Server:
    """The state of the server. ``reset`` forgets configuration and counts; keys and tokens stay."""

    def __init__(self, service_account: Mapping[str, str], *, sees: bool = False) -> None:
        self.token_endpoint = TokenEndpoint(service_account)
        self.sees = sees
        self._may_answer = asyncio.Event()
        self.reset()

    def reset(self) -> None:
        self.model = Model(sees=self.sees)
        self.faults = Faults()
        self.limits = Limits()
        self.ledger = Ledger()
        self.latency = Latency()
        self.tokens = Tokens()
        self.thinking: dict[str, int] = {}
        self.announced: dict[str, dict[str, str]] = {}
        self.batches = Batches(self._answer_alone)
        self.wires = _wires(self.token_endpoint)
        self._may_answer.set()

    def hold(self, *, held: bool) -> None:
        """Let requests wait for their answers, or release them all."""
        if held:
            self._may_answer.clear()
        else:
            self._may_answer.set()

    def know_models(self, family: str, names: tuple[str, ...]) -> None:
        for wire in self.wires.values():
            if wire.family == family:
                wire.models = names

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        raw_path = _ABSOLUTE.sub("", request.raw_path)  # a proxy gets the whole address
        whole = raw_path.partition("?")[0]
        prefix, _, rest = whole.lstrip("/").partition("/")
        if prefix in {"v1", "v1beta1"}:
            prefix, rest = "vertex", whole.lstrip("/")  # Vertex AI is also served at the root, as on its own host
        if prefix == "vertex":
            prefix += "/anthropic" if "/publishers/anthropic/" in whole else "/google"
        path = f"/{rest}"
        call = Call(request.method, path, raw_path, request.query, request.headers, body)
        if prefix == "token":
            return await self._exchange_token(request, call)
        wire = self.wires.get(prefix)
        if wire is None:
            return web.Response(status=404, text="no provider is served under this path")
        if self.batches.serves(prefix, path):
            return await self._answer_batch(request, wire, call)
        return await self._answer(request, wire, call)

    async def _answer_batch(self, request: web.Request, wire: Wire, call: Call) -> web.StreamResponse:
        """Answer a request to a batch API. Faults of the family "openai-batch" (and so on) come after its work."""
        fault = self.faults.pick(f"{wire.family}-batch", Conversation(f"{call.method} {call.path}"), by_name=True)
        try:
            if fault is not None and fault.kind in specifications.REFUSALS:
                raise faults.refusal(fault)
            reply = await self.batches.handle(wire, call)
        except Refusal as refusal:
            reply = wire.refuse(refusal, call)
        return await transport.send(request, reply, fault)

    async def _answer_alone(self, wire: Wire, call: Call) -> tuple[int, dict[str, Any]]:
        """Return status and body of the answer to a request of a batch."""
        try:
            conversation = wire.read(call)
            fault = self.faults.pick(wire.family, conversation)
            spoils_text = fault is not None and fault.kind in specifications.TEXTS
            completion = await self.model.complete(conversation, fault if spoils_text else None)
            return 200, wire.answer(conversation, self._counted(conversation, completion))
        except Refusal as refusal:
            reply = wire.refuse(refusal, call)
            return reply.status, json.loads(reply.body)

    async def _answer(self, request: web.Request, wire: Wire, call: Call) -> web.StreamResponse:
        read, refused = None, None
        try:
            read = wire.read(call)
        except Refusal as refusal:
            refused = refusal
        ledger = self.ledger
        entry = ledger.arrive(wire.family, call.model, call.credential)
        entry.own_headers = {
            name.lower(): value for name, value in call.headers.items() if name.lower().startswith("x-own-")
        }
        entry.host = request.host
        fault: Fault | None = None
        try:
            try:
                if refused is not None or read is None:
                    raise refused or Refusal("invalid")
                self._note(entry, read)
                fault, reply = await self._complete(wire, read, entry)
            except Refusal as refusal:
                reply = wire.refuse(refusal, call)
            entry.status = 0 if entry.fault == "reset" else reply.status
            entry.client_gone = transport.is_gone(request)
            ledger.note_retry_after(entry, reply.headers.get("Retry-After"))
            return await transport.send(request, reply, fault)
        finally:
            ledger.leave(entry)

    def _note(self, entry: Entry, conversation: Conversation) -> None:
        entry.sha256 = conversation.sha256
        entry.has_image = bool(conversation.images)
        entry.max_tokens = conversation.max_tokens
        entry.image_sizes = [jpeg_size(image) or (0, 0) for image in conversation.images]
        self.ledger.keep_text(entry, conversation.text)

    async def _complete(self, wire: Wire, conversation: Conversation, entry: Entry) -> tuple[Fault | None, Reply]:
        try:
            slots = self.limits.admit(
                wire.family, conversation, in_flight=self.ledger.in_flight(entry), at=time.monotonic()
            )
        except Refusal:
            entry.over_limit = True
            raise
        fault = self.faults.pick(wire.family, conversation)
        if fault is not None:
            entry.fault = fault.kind
            if fault.kind in specifications.REFUSALS:
                raise faults.refusal(fault)
            if fault.kind == "refusal" and wire.filters_by_error:
                raise Refusal("filtered")
        for model, tokens in self.thinking.items():
            if fnmatchcase(conversation.model, model):
                conversation.thinking_tokens = tokens
                conversation.shows_thinking |= wire.family == "bedrock"  # it does not count thinking apart
        spoils_text = fault is not None and fault.kind in specifications.TEXTS
        completion = self._counted(
            conversation, await self.model.complete(conversation, fault if spoils_text else None)
        )
        completion = thinking.with_thinking(conversation, completion)
        await asyncio.sleep(self._pause_seconds(entry))
        await self._may_answer.wait()
        entry.input_tokens, entry.output_tokens = completion.input_tokens, completion.output_tokens
        for slot in slots:
            slot.settle(completion.output_tokens)
        reply = faults.write_body(wire.answer(conversation, completion), wire.usage_key, fault)
        headers = {**wire.answer_headers(), **self.announced.get(wire.family, {}), **reply.headers}
        return fault, Reply(reply.status, reply.body, headers)

    def _counted(self, conversation: Conversation, completion: Completion) -> Completion:
        """Return the completion with the token counts that a test set, and the tier that it or the request names."""
        tokens = self.tokens
        tier = tokens.tier or conversation.tier
        parts = Counted(tokens.cached, tokens.written, tokens.written_for_an_hour, tokens.thinking, tier)
        return replace(
            completion,
            input_tokens=completion.input_tokens if tokens.input is None else tokens.input,
            output_tokens=completion.output_tokens if tokens.output is None else tokens.output,
            counted=parts,
        )

    def _pause_seconds(self, entry: Entry) -> float:
        if not self.latency.jitter:
            return self.latency.seconds
        digest = hashlib.sha256(f"{self.latency.seed}/{entry.sha256}".encode()).digest()
        swing = int.from_bytes(digest[:8], "big") / 2**63 - 1
        return max(0.0, self.latency.seconds + swing * self.latency.jitter)

    async def _exchange_token(self, request: web.Request, call: Call) -> web.StreamResponse:
        entry = self.ledger.arrive(TOKEN_FAMILY, "", "")
        fault = self.faults.pick(TOKEN_FAMILY, Conversation(""), by_name=True)
        try:
            if fault is not None and fault.kind in specifications.REFUSALS:
                entry.fault = fault.kind
                reply = self.wires["vertex/google"].refuse(faults.refusal(fault), call)
            else:
                reply = self.token_endpoint.exchange(call)
            entry.status = reply.status
            return await transport.send(request, reply, fault)
        finally:
            self.ledger.leave(entry)


def _wires(token_endpoint: TokenEndpoint) -> dict[str, Wire]:
    """Return the wires by the first segment of their paths, with Vertex AI's publisher."""
    known = credentials.MODELS
    openai_key, eu_key = credentials.OPENAI_KEY, credentials.OPENAI_EU_KEY
    return {
        "openai": OpenAI("openai", key=openai_key, models=known["openai"]),
        "openai-eu": OpenAI("openai-eu", key=eu_key, models=known["openai-eu"]),
        "local": OpenAI("local", key=None, models=known["local"]),
        "azure": Azure(key=credentials.AZURE_KEY, models=known["azure"]),
        "anthropic": Anthropic(key=credentials.ANTHROPIC_KEY, models=known["anthropic"]),
        "gemini": Gemini(key=credentials.GEMINI_KEY, models=known["gemini"]),
        "vertex/google": Vertex("google", token_endpoint=token_endpoint, models=known["vertex"]),
        "vertex/anthropic": Vertex("anthropic", token_endpoint=token_endpoint, models=known["vertex-claude"]),
        "bedrock": Bedrock(models=known["bedrock"]),
    }
