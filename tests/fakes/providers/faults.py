"""Configured faults: select the one that applies to a request, and apply it to the response."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.providers.conversation import Conversation, Refusal, Reply
from tests.fakes.providers.model import NO_UTF8
from tests.fakes.providers.specifications import Fault

REMEMBERED_PROMPTS = 100_000
_NESTED_LISTS = 200_000
_HUGE_DIGITS = 5_000
_STAND_IN = 8_086_808_608_680_868  # replaced in the JSON text by a number that json cannot write
_BY_STATUS = {400: "invalid", 401: "auth", 403: "auth", 404: "model_not_found", 429: "rate_limited", 503: "overloaded"}
_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Welcome to the network</h1></body></html>"


class PromptCounts:
    """Counts by prompt. The oldest prompts are forgotten."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def __getitem__(self, prompt: str) -> int:
        return self._counts.get(prompt, 0)

    def add(self, prompt: str) -> None:
        self._counts[prompt] = self[prompt] + 1
        if len(self._counts) > REMEMBERED_PROMPTS:
            self._counts.popitem(last=False)


@dataclass
class _ActiveFault:
    fault: Fault
    applied: int = 0
    seen: PromptCounts = field(default_factory=PromptCounts)
    applied_prompts: PromptCounts = field(default_factory=PromptCounts)

    def applies(self, family: str, conversation: Conversation) -> bool:
        fault, prompt = self.fault, conversation.sha256
        if not fault.covers(family, conversation.model) or (fault.when or "") not in conversation.text:
            return False
        if fault.times is not None and self.applied >= fault.times:
            return False
        if fault.at_most_per_prompt is not None and self.applied_prompts[prompt] >= fault.at_most_per_prompt:
            return False
        self.seen.add(prompt)
        if fault.share is not None:  # drawn by seed, kind, prompt and occurrence alone
            drawn = hashlib.sha256(f"{fault.seed}/{fault.kind}/{prompt}/{self.seen[prompt]}".encode()).digest()
            if int.from_bytes(drawn[:8], "big") / 2**64 >= fault.share:
                return False
        self.applied += 1
        self.applied_prompts.add(prompt)
        return True


class Faults:
    """The configured faults. The first one that applies is the request's only fault."""

    def __init__(self) -> None:
        self._active: list[_ActiveFault] = []

    def add(self, fault: Fault) -> None:
        self._active.append(_ActiveFault(fault))

    def pick(self, family: str, conversation: Conversation, *, by_name: bool = False) -> Fault | None:
        """Return the fault of this request. ``by_name``: only a fault for exactly this family."""
        for active in self._active:
            if (active.fault.family or not by_name) and active.applies(family, conversation):
                return active.fault
        return None


def refusal(fault: Fault) -> Refusal:
    """Return the refusal that the fault causes."""
    retry_after = fault.details.get("retry_after")
    retry_after = None if retry_after is None else str(retry_after)
    if fault.kind != "status":
        return Refusal(fault.kind, retry_after=retry_after)
    status = int(fault.details.get("code", 500))
    kind = _BY_STATUS.get(status, "status")
    return Refusal(kind, str(fault.details.get("message", "")), status=status, retry_after=retry_after)


def write_body(body: dict[str, Any], usage_key: str, fault: Fault | None) -> Reply:
    """Return the body of a 200 in JSON, changed by the fault."""
    match fault.kind if fault else None:
        case "html":
            return Reply(200, _HTML, {"Content-Type": "text/html; charset=utf-8"})
        case "empty":
            return _json(b"")
        case "nan":
            return _json(b'{"a": NaN}')
        case "deep":
            return _json(b"[" * _NESTED_LISTS + b"]" * _NESTED_LISTS)
        case "invalid_utf8":
            return _json(json.dumps(body).encode().replace(json.dumps(NO_UTF8)[1:-1].encode(), b"\xff\xfe\x80"))
        case "huge_int":
            body[usage_key] = _every_number(body[usage_key], _STAND_IN)
            return _json(json.dumps(body).encode().replace(b"%d" % _STAND_IN, b"9" * _HUGE_DIGITS))
        case "no_finish_reason":  # OpenAI's API, as some servers speak it
            for choice in body["choices"]:
                del choice["finish_reason"]
        case "usage":
            assert fault is not None
            _spoil_usage(body, usage_key, str(fault.details.get("value", "missing")))
    return _json(json.dumps(body).encode())


def _spoil_usage(body: dict[str, Any], usage_key: str, value: str) -> None:
    if value == "missing":
        del body[usage_key]
    else:
        wrong: dict[str, object] = {"negative": -1000, "string": "many", "1e12": 10**12, "too_small": 1}
        body[usage_key] = _every_number(body[usage_key], wrong[value])


def _every_number(usage: dict[str, Any], value: object) -> dict[str, Any]:
    return {name: value if isinstance(count, int) else count for name, count in usage.items()}


def _json(body: bytes) -> Reply:
    return Reply(200, body, {"Content-Type": "application/json"})
