"""What OpenTelemetry is told of a job: one trace, and a span for each thing that was done for it.

Off unless ``settings.TRACES_ENDPOINT`` is set; nothing of opentelemetry is imported then (apps/core/telemetry.py
does). The trace's id is the one in the lines of the log. Those of spans are derived, too, from the job's id and a
``key``: every process can compute a span's parent, even before it is sent, so no message carries it. A span is
sent once, when it has ended. Any app may import this module.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.utils import timezone

from apps.core import logs

if TYPE_CHECKING:
    from apps.core.telemetry import Teller

logger = logging.getLogger(__name__)

JOB = "job"
"""The key of the span of the job as a whole, which everything else belongs to."""
Value = str | int | float | bool
_RANDOM_BITS = 56  # at the end of a trace's id, says W3C's trace context; before them UUIDs have bits that are the same


@dataclass(frozen=True)
class Span:
    """``key`` names it within its job, empty: nothing belongs to it; ``parent`` is the key of what it belongs to.

    ``error`` is a code, empty where nothing failed. ``caller``: the W3C traceparent that was sent to us, as it came.
    Attributes that are None or empty are left out. Never in them: text, names of files, prompts, keys.
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
        """0: none that anybody could know."""
        return span_id_of(self.job_id, self.key) if self.key else 0

    @property
    def parent_id(self) -> int:
        """0: it is the job's own."""
        return 0 if self.key == JOB else span_id_of(self.job_id, self.parent)


@dataclass(frozen=True)
class Place:
    """What this thread is at: the span that it will tell in the end, and what that is to say beside the usual."""

    job_id: str
    key: str
    begun_at: datetime
    notes: dict[str, Value | None]


_place: ContextVar[Place | None] = ContextVar("place", default=None)
_caused: ContextVar[list[str] | None] = ContextVar("caused", default=None)


def span_id_of(job_id: str, key: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{job_id} {key}".encode(), digest_size=8).digest()) or 1


def follows(job_id: str) -> bool:
    """Whether anything is to be told of this job; all processes say the same."""
    return bool(settings.TRACES_ENDPOINT) and _is_sampled(job_id, settings.TRACES_SHARE)


def _is_sampled(job_id: str, share: float) -> bool:
    chance = int(logs.trace_id_of(job_id), 16) % 2**_RANDOM_BITS
    return bool(chance >= (1 - share) * 2**_RANDOM_BITS)


def within(job_id: str, key: str) -> AbstractContextManager[Place | None]:
    """What this thread does in the block belongs to the span with this key."""
    return _within(job_id, key) if follows(job_id) else nullcontext()


@contextmanager
def _within(job_id: str, key: str) -> Iterator[Place]:
    place = Place(job_id, key, timezone.now(), {})
    token = _place.set(place)
    try:
        yield place
    finally:
        _place.reset(token)


def here(job_id: str) -> Place | None:
    """What this thread is at of this job, where that is known."""
    place = _place.get()
    return place if place is not None and place.job_id == job_id else None


def note(**attributes: Value | None) -> None:
    """What the span of this thread's work is to say when it is told, each by its name after "leafmill."."""
    if (place := _place.get()) is not None:
        place.notes.update({f"leafmill.{name}": value for name, value in attributes.items()})


@contextmanager
def causing() -> Iterator[Sequence[str]]:
    """The ids of the jobs that this thread begins, changes or ends in the block."""
    jobs: list[str] = []
    token = _caused.set(jobs)
    try:
        yield jobs
    finally:
        _caused.reset(token)


def caused(job_id: str) -> None:
    """The request that this thread answers is part of this job's trace."""
    jobs = _caused.get()
    if jobs is not None and job_id not in jobs:
        jobs.append(job_id)


def tell(span: Span) -> None:
    """Have the span sent. Never raises and never waits: nobody's work depends on who watches it."""
    try:
        if (teller := _shared()) is not None:
            teller.tell(span)
    except Exception:
        logger.exception("A span of %s could not be told", span.job_id)


# --- this process ---

_lock = threading.Lock()
_teller: Teller | None = None
_teller_pid = 0


def start(queues: Sequence[str] = ()) -> None:
    """Get ready to tell, after the last fork, so that no span waits for imports. ``queues``: those taken from."""
    if settings.TRACES_ENDPOINT:
        with _lock:
            _make_teller(queues)


def stop() -> None:
    """Send what is left, within a few seconds; said at the end of a process. What is told afterwards is not sent."""
    if _teller is not None and _teller_pid == os.getpid():
        _teller.stop()


def _shared() -> Teller | None:
    """The one of this process, since threads do not survive a fork; None where it could not be made."""
    with _lock:
        if _teller_pid != os.getpid():
            _make_teller()
        return _teller


def _make_teller(queues: Sequence[str] = ()) -> None:
    global _teller, _teller_pid
    _teller, _teller_pid = None, os.getpid()
    try:
        from apps.core.telemetry import Teller

        _teller = Teller(
            endpoint=settings.TRACES_ENDPOINT, service=settings.TRACES_SERVICE, version=settings.VERSION, queues=queues
        )
    except Exception:
        logger.exception("Traces cannot be sent; all else goes on")
        return
    Finalize(None, stop, exitpriority=0)  # unlike atexit it is heard where the web server ends its processes, too
