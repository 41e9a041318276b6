"""The configuration that tests send to the control API. Unknown fields are refused."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

REFUSALS = frozenset({"status", "insufficient_quota", "auth", "model_not_found", "overloaded", "context_exceeded"})
TEXTS = frozenset({"cut_text", "prose", "other_page", "nested_fences", "surrogate", "invalid_utf8", "refusal"})
BODIES = frozenset({"html", "empty", "nan", "deep", "huge_int", "usage", "no_finish_reason"})
TRANSPORTS = frozenset(
    {"huge_body", "gzip_bomb", "cut_body", "reset", "slow_headers", "trickle", "trickle_headers", "late"}
)
KINDS = REFUSALS | TEXTS | BODIES | TRANSPORTS

_DETAILS: dict[str, frozenset[str]] = {
    "status": frozenset({"code", "retry_after", "message"}),
    "insufficient_quota": frozenset({"retry_after"}),
    "overloaded": frozenset({"retry_after"}),
    "cut_text": frozenset({"finish"}),
    "prose": frozenset({"end_line"}),
    "other_page": frozenset({"end_line"}),
    "usage": frozenset({"value"}),
    "huge_body": frozenset({"megabytes"}),
    "gzip_bomb": frozenset({"megabytes"}),
    "slow_headers": frozenset({"seconds"}),
    "late": frozenset({"seconds"}),
}


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The requests to which a setting applies: family exactly, model with * and ? as in a shell; None: all."""

    family: str | None = None
    model: str | None = None

    def covers(self, family: str, model: str) -> bool:
        return self.family in {None, family} and (self.model is None or fnmatchcase(model, self.model))


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answer to prompts that contain ``when``. ``end_line`` False omits the end line that the prompt requests.

    ``model``: of models of this name alone, with * and ? as in a shell.
    """

    markdown: str
    when: str | None = None
    model: str | None = None
    times: int | None = None
    end_line: bool = True


class Fault(Scope, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fault. ``share`` is drawn by seed, prompt and its occurrence, so that the order of arrival does not matter."""

    kind: str
    times: int | None = None
    share: float | None = None
    seed: int = 0
    when: str | None = None
    at_most_per_prompt: int | None = None
    details: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; the faults are {', '.join(sorted(KINDS))}")
        unknown = self.details.keys() - _DETAILS.get(self.kind, frozenset())
        if unknown:
            raise ValueError(f"the fault {self.kind} has no parameters {', '.join(sorted(unknown))}")


class Limit(Scope, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A quota for each family and model.

    ``counts``: count the input plus the requested maximum of output tokens on arrival, or the actual use.
    """

    requests: int | None = 600
    tokens: int | None = None
    window_seconds: float = 60.0
    counts: Literal["max_tokens", "actual"] = "actual"
    in_flight: int | None = None
    retry_after: float | None = None


class Tokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the provider counts every call: all input and output tokens (None: as they are), and parts of them."""

    input: int | None = None
    output: int | None = None
    cached: int = 0
    written: int = 0
    written_for_an_hour: int = 0
    thinking: int = 0
    tier: str = ""


class Announced(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Headers that a family's answers carry."""

    family: str
    headers: dict[str, str]


class Thinking(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many tokens models of this name (with * and ?) think, whatever the request says."""

    model: str
    tokens: int


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Seconds before a response. ``jitter`` is the maximum that is added or subtracted."""

    seconds: float = 0.0
    jitter: float = 0.0
    seed: int = 0


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether requests that arrive wait for their answers until a later setting releases them."""

    held: bool


class Sight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether models read the pictures that they are sent, in every mode."""

    reads: bool


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What pictures show: Markdown by the SHA-256 of a picture, in hex."""

    pages: dict[str, str]


class Zoom(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often the model calls the zoom tool before it finishes, and with which x0, top, x1, bottom."""

    zoom_first: int = 0
    region: tuple[float, float, float, float] = (0.0, 0.0, 100.0, 100.0)


class Models(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The models that a family knows."""

    family: str
    names: tuple[str, ...]


class BatchEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How open batches end: ``answered`` of their requests have answers (None: all). ``code``: of a failed batch."""

    status: Literal["completed", "expired", "cancelled", "failed"] = "completed"
    answered: int | None = None
    code: str = "invalid_request"
