"""What each queue has to do, counted from the rows: windows keep the broker short, and it may forget.

A message is an open step, or a page of a run that waits to be sent. It counts once, for the queue whose workers it
waits for: a page that goes to OCR counts there, except while a worker that reads pages has been asked for its picture.
Work that comes of these steps later (the ranges of a document nobody has opened, the OCR of pages nobody has read) is
not known yet and not guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import (
    BooleanField,
    Case,
    Count,
    F,
    IntegerField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from apps.jobs import queries, workflow
from apps.jobs.models import AttemptOutcome, PageAttempt, Step
from apps.jobs.scheduling.pauses import paused_names
from apps.jobs.states import StepState

RECENT_ATTEMPTS = 200
_NONE = Value(0, output_field=IntegerField())
_ROWS = Count("id")
_RUNNING = Count("id", filter=Q(state=StepState.RUNNING))
_OF_RANGES = frozenset({workflow.PARSE_QUEUE, workflow.PAGES_QUEUE})
_PAGES = Sum(F("last_page") - F("first_page") + 1)
# SQLite uses the index of what was sent only when the states stand in the statement as they do in the index.
_OPEN = RawSQL("state IN ('pending', 'running')", (), output_field=BooleanField())


@dataclass(frozen=True)
class QueueStatus:
    """One queue. ``messages`` is ``waiting`` + ``in_flight``; None stands for what is not known.

    ``unsent``: how many of those that wait are not in the broker, because their window is full or the queue is paused.
    ``oldest_age_seconds``: how long the job of the oldest message has been in its present stage. ``work_seconds``: what
    one process would need for all of it, by the newest attempts; ``estimated_seconds``: what the consumers need.
    ``consumers`` are workers, counted by the broker where it knows them, else by their own word; ``width``: how much of
    it they do at once, all together. ``paused``: it, or the queue that works for it, gets no new messages.
    ``broker_messages`` wait in the broker.
    """

    name: str
    waiting: int
    unsent: int
    in_flight: int
    open_pages: int
    oldest_age_seconds: float | None
    work_seconds: float | None
    consumers: int
    width: int
    paused: bool = False
    broker_messages: int | None = None

    @property
    def messages(self) -> int:
        return self.waiting + self.in_flight

    @property
    def healthy(self) -> bool:
        """Whether somebody takes its messages."""
        return self.consumers != 0 or not self.messages

    @property
    def estimated_seconds(self) -> float | None:
        if not self.messages:
            return 0.0
        if self.work_seconds is None or not self.width:
            return None
        return self.work_seconds / self.width


@dataclass
class _OpenWork:
    waiting: int = 0
    unsent: int = 0
    in_flight: int = 0
    pages: int = 0
    oldest: int | None = None


def queue_status(prefix: str = "") -> list[QueueStatus]:
    """The queues whose names begin with ``prefix``, and what the broker says of them; BrokerUnavailable when it does
    not answer."""
    return _status(_queues(prefix), workflow.broker_queues(_queues(prefix)))


def queue_status_of_rows() -> list[QueueStatus]:
    """Every queue, without a word of the broker."""
    return _status(_queues(""), {})


def _queues(prefix: str) -> list[str]:
    return [name for name in settings.QUEUES if name.startswith(prefix)]


def _status(names: Collection[str], broker: dict[str, workflow.BrokerQueue]) -> list[QueueStatus]:
    if not names:
        return []
    work = _open_work(names)
    ages = _ages([one.oldest for one in work.values() if one.oldest is not None])
    paces = _seconds_a_unit() if work else {}
    there, paused = queries.live_workers(), paused_names()
    status = []
    for name in names:
        one, held, workers = work[name], broker.get(name), there.get(name, queries.WorkersOfQueue())
        pace = paces.get(name)
        status.append(
            QueueStatus(
                name=name,
                waiting=one.waiting,
                unsent=one.unsent,
                in_flight=one.in_flight,
                open_pages=one.pages,
                oldest_age_seconds=ages.get(one.oldest) if one.oldest else None,
                work_seconds=None if pace is None else pace * (one.pages or one.waiting + one.in_flight),
                consumers=workers.workers if held is None or held.consumers is None else held.consumers,
                width=workers.width,
                paused=name in paused,
                broker_messages=held.messages if held else None,
            )
        )
    return status


def _open_work(names: Collection[str]) -> dict[str, _OpenWork]:
    """One statement, so that a step that is sent meanwhile counts once.

    Rows nobody has sent may be a million, of jobs that have not begun: these are counted in an index alone. Pages wait
    in ranges and runs, and what was sent is never more than windows allow.
    """
    ours = {*names, *workflow.OCR_QUEUES}
    sent = Step.objects.filter(_OPEN, queue__in=ours, sent_at__isnull=False).annotate(stands_in=_queue_of_message())
    counted = _counts(sent.values_list("stands_in"), running=_RUNNING, pages=_PAGES).union(
        _counts(_unsent(ours & {workflow.PARSE_QUEUE}), unsent=_ROWS),
        _counts(_unsent(ours & {workflow.PAGES_QUEUE}), unsent=_ROWS, pages=_PAGES),
        _counts(_unsent(ours - _OF_RANGES), messages=_PAGES, unsent=_PAGES, pages=_PAGES),
        all=True,
    )
    work: dict[str, _OpenWork] = defaultdict(_OpenWork)
    for queue, messages, not_sent, running, page_total, oldest in counted:
        one = work[queue]
        one.waiting += messages - running
        one.unsent += not_sent
        one.in_flight += running
        one.pages += 0 if queue == workflow.PARSE_QUEUE else page_total
        one.oldest = oldest if one.oldest is None else min(one.oldest, oldest)
    return work


def _unsent(queues: Collection[str]) -> QuerySet[Step, Any]:
    """By queue. Queues of one kind only: SQLite reads the whole table for those that a second condition leaves out."""
    return Step.objects.filter(queue__in=queues, state=StepState.PENDING, sent_at=None).values_list("queue")


def _counts(
    steps: QuerySet[Step, Any], *, messages: Any = _ROWS, unsent: Any = _NONE, running: Any = _NONE, pages: Any = _NONE
) -> QuerySet[Step, Any]:
    """For each queue: messages, those that are not sent, those in flight, pages, the oldest step's id."""
    counts = {"messages": messages, "not_sent": unsent, "running": running, "page_sum": pages, "oldest": Min("id")}
    return steps.order_by().annotate(**counts)


def _queue_of_message() -> Case:
    """Where the message of a step that was sent stands: a page that goes to OCR is rendered first."""
    rendered_first = Q(queue__in=workflow.OCR_QUEUES, image="")
    return Case(When(rendered_first, then=Value(workflow.PAGES_QUEUE)), default=F("queue"))


def _ages(steps: Collection[int]) -> dict[int, float]:
    rows = Step.objects.filter(pk__in=steps).values_list("pk", "job__updated_at", Now())
    return {pk: max(0.0, (now - since).total_seconds()) for pk, since, now in rows}


def _seconds_a_unit() -> dict[str, float]:
    """By queue: what a page, or a message of a job as a whole, took at the newest attempts of all."""
    queue = Subquery(Step.objects.filter(pk=OuterRef("step_id")).values("queue"))
    newest = (
        PageAttempt.objects.filter(outcome=AttemptOutcome.ACCEPTED, ended_at__isnull=False)
        .order_by("-pk")
        .values_list(queue, "started_at", "ended_at", "first_page", "last_page")[:RECENT_ATTEMPTS]
    )
    seconds: dict[str, timedelta] = defaultdict(timedelta)
    units: dict[str, int] = defaultdict(int)
    for name, started_at, ended_at, first, last in newest:
        if name and ended_at:
            seconds[name] += ended_at - started_at
            units[name] += last - first + 1
    return {name: taken.total_seconds() / units[name] for name, taken in seconds.items()}
