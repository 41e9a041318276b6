"""Spans of a job's trace, with ids that every process can compute from the job's id and a key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from apps.core import logs

JOB = "job"
"""The key of the job's root span."""
Value = str | int | float | bool


@dataclass(frozen=True)
class Span:
    """A finished span.

    ``key`` names it within its job; a span without a key has no children. ``parent`` is the key of its parent.
    ``error`` is an error code, empty after success. ``caller`` is the W3C traceparent of the request, unparsed.
    Attributes that are None or empty are left out. They never hold text of documents, file names, prompts or keys.
    """

    name: str
    job_id: str
    begun_at: datetime
    ended_at: datetime
    key: str = ""
    parent: str = JOB
    attributes: Mapping[str, Value | None] = field(default_factory=dict)
    error: str = ""
    kind: Literal["internal", "server", "client"] = "internal"
    caller: str = ""

    @property
    def trace_id(self) -> int:
        return int(logs.trace_id_of(self.job_id), 16)

    @property
    def span_id(self) -> int:
        """The id derived from the key; 0 without a key: any id will do."""
        return span_id_of(self.job_id, self.key) if self.key else 0

    @property
    def parent_id(self) -> int:
        """The id of the parent; 0 for the root span."""
        return 0 if self.key == JOB else span_id_of(self.job_id, self.parent)


def span_id_of(job_id: str, key: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{job_id} {key}".encode(), digest_size=8).digest()) or 1
