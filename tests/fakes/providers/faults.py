"""Faults that were ordered: which of them meets a request, and what it makes of the answer."""

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
_STAND_IN = 8_086_808_608_680_868  # exchanged in the written JSON for a number that json will not write
_BY_STATUS = {400: "invalid", 401: "auth", 403: "auth", 404: "model_not_found", 429: "rate_limited", 503: "overloaded"}
_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Welcome to the network</h1></body></html>"


class PromptCounts:
    """How often something was seen of each prompt; the oldest prompts are forgotten."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def __getitem__(self, prompt: str) -> int:
        return self._counts.get(prompt, 0)

    def add(self, prompt: str) -> None:
        self._counts[prompt] = self[prompt] + 1
        if len(self._counts) > REMEMBERED_PROMPTS:
            self._counts.popitem(last=False)


@dataclass
class _Ordered:
    fault: Fault
    struck: int = 0
    seen: PromptCounts = field(default_factory=PromptCounts)
    struck_prompts: PromptCounts = field(default_factory=PromptCounts)

    def strikes(self, family: str, conversation: Conversation) -> bool:
        fault, prompt = self.fault, conversation.sha256
        if not fault.covers(family, conversation.model) or (fault.when or "") not in conversation.text:
            return False
        if fault.times is not None and self.struck >= fault.times:
            return False
        if fault.at_most_per_prompt is not None and self.struck_prompts[prompt] >= fault.at_most_per_prompt:
            return False
        self.seen.add(prompt)
        if fault.share is not None and _draw(fault, prompt, self.seen[prompt]) >= fault.share:
            return False
        self.struck += 1
        self.struck_prompts.add(prompt)
        return True


class Faults:
    """Orders are tried in turn; the first that strikes is the request's only fault."""

    def __init__(self) -> None:
        self._ordered: list[_Ordered] = []

    def order(self, fault: Fault) -> None:
        self._ordered.append(_Ordered(fault))

    def pick(self, family: str, conversation: Conversation, *, by_name: bool = False) -> Fault | None:
        """The fault of this request. ``by_name``: only one that was ordered for this very family."""
        for ordered in self._ordered:
            if (ordered.fault.family or not by_name) and ordered.strikes(family, conversation):
                return ordered.fault
        return None


def refusal(fault: Fault) -> Refusal:
    retry_after = fault.details.get("retry_after")
    retry_after = None if retry_after is None else str(retry_after)
    if fault.kind != "status":
        return Refusal(fault.kind, retry_after=retry_after)
    status = int(fault.details.get("code", 500))
    kind = _BY_STATUS.get(status, "status")
    return Refusal(kind, str(fault.details.get("message", "")), status=status, retry_after=retry_after)


def write_body(body: dict[str, Any], usage_key: str, fault: Fault | None) -> Reply:
    """The body of a 200 in JSON, or what the fault makes of it."""
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
        case "usage":
            assert fault is not None
            _spoil_usage(body, usage_key, str(fault.details.get("value", "missing")))
    return _json(json.dumps(body).encode())


def _spoil_usage(body: dict[str, Any], usage_key: str, value: str) -> None:
    if value == "missing":
        del body[usage_key]
        return
    spoiled: dict[str, object] = {"negative": -1000, "string": "many", "1e12": 10**12, "too_small": 1}
    body[usage_key] = _every_number(body[usage_key], spoiled[value])


def _every_number(usage: dict[str, Any], value: object) -> dict[str, Any]:
    return {name: value if isinstance(count, int) else count for name, count in usage.items()}


def _json(body: bytes) -> Reply:
    return Reply(200, body, {"Content-Type": "application/json"})


def _draw(fault: Fault, prompt: str, turn: int) -> float:
    """A number in [0, 1) that these four decide."""
    digest = hashlib.sha256(f"{fault.seed}/{fault.kind}/{prompt}/{turn}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
