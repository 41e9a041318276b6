"""The open work of each queue, counted from the rows.

The broker is no source for it: it holds only the messages that the windows allow, and it may lose them. A message is an
open step, or a page in a row of many pages that waits to be sent. It counts once, for the queue whose workers it waits
for. So a page for OCR counts for the OCR queue, except while its message waits in the pages queue to be rendered. Work
that will follow from open steps (ranges of a document that is not split yet, OCR of pages that are not extracted yet)
is unknown and not estimated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import (
    BooleanField,
    Case,
    Count,
    F,
    IntegerField,
    Min,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from apps.jobs import queries, workflow
from apps.jobs.models import Step
from apps.jobs.scheduling.pauses import paused_names
from apps.jobs.states import StepState

_NONE = Value(0, output_field=IntegerField())
_ROWS = Count("id")
_RUNNING = Count("id", filter=Q(state=StepState.RUNNING))
_OF_RANGES = frozenset({workflow.PARSE_QUEUE, workflow.PAGES_QUEUE})
_PAGES = Sum(F("last_page") - F("first_page") + 1)
# SQLite uses the index step_sent_and_open only if the statement spells the states as the index does.
_OPEN = RawSQL("state IN ('pending', 'running')", (), output_field=BooleanField())


@dataclass(frozen=True)
class QueueStatus:
    """The work of one queue. ``messages`` is ``waiting`` + ``in_flight``; None means unknown.

    ``unsent``: waiting messages that are not in the broker, because the window is full or the queue is paused.
    ``oldest_age_seconds``: time since the job of the oldest message entered its present stage. ``work_seconds``: time
    that one process needs for all messages, by the newest attempts; ``estimated_seconds``: the same for all consumers.
    ``consumers``: workers, counted by the broker if it knows them, otherwise by their own rows. ``width``: messages
    that they process at once, all together. ``paused``: the queue, or the one that renders its pages, gets no new
    messages. ``broker_messages``: messages that wait in the broker.
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
        """Return whether the queue has a consumer, or needs none because it is empty."""
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
    """Return the queues whose names begin with ``prefix``, with the figures of the broker.

    Raise BrokerUnavailable if the broker does not answer.
    """
    names = [name for name in settings.QUEUES if name.startswith(prefix)]
    return _status(names, workflow.broker_queues(names))


def queue_status_of_rows() -> list[QueueStatus]:
    """Return all queues, without the figures of the broker."""
    return _status(list(settings.QUEUES), {})


def _status(names: Collection[str], broker: dict[str, workflow.BrokerQueue]) -> list[QueueStatus]:
    if not names:
        return []
    work = _open_work(names)
    oldest = Step.objects.filter(pk__in=[one.oldest for one in work.values() if one.oldest is not None])
    ages = {
        pk: max(0.0, (now - since).total_seconds())
        for pk, since, now in oldest.values_list("pk", "job__updated_at", Now())
    }
    unit_seconds = queries.seconds_per_unit() if work else {}
    live_workers, paused = queries.live_workers(), paused_names()
    status = []
    for name in names:
        one, in_broker = work[name], broker.get(name)
        workers = live_workers.get(name, queries.WorkersOfQueue())
        seconds = unit_seconds.get(name)
        status.append(
            QueueStatus(
                name=name,
                waiting=one.waiting,
                unsent=one.unsent,
                in_flight=one.in_flight,
                open_pages=one.pages,
                oldest_age_seconds=ages.get(one.oldest) if one.oldest else None,
                work_seconds=None if seconds is None else seconds * (one.pages or one.waiting + one.in_flight),
                consumers=workers.workers if in_broker is None or in_broker.consumers is None else in_broker.consumers,
                width=workers.width,
                paused=name in paused,
                broker_messages=in_broker.messages if in_broker else None,
            )
        )
    return status


def _open_work(names: Collection[str]) -> dict[str, _OpenWork]:
    """Count the open work of the queues in one statement, so that a step that is sent meanwhile counts once.

    A million jobs that have not begun may have unsent rows; an index alone counts these. The other rows are few: pages
    wait in rows of many pages, and the number of sent rows is limited by the windows.
    """
    ours = {*names, *workflow.OCR_QUEUES}
    # A page for OCR is rendered first: until then its message is in the pages queue.
    to_render = Q(queue__in=workflow.OCR_QUEUES, image="")
    queue_of_message = Case(When(to_render, then=Value(workflow.PAGES_QUEUE)), default=F("queue"))
    sent = Step.objects.filter(_OPEN, queue__in=ours, sent_at__isnull=False).annotate(queue_of_message=queue_of_message)
    counted = _counts(sent.values_list("queue_of_message"), running=_RUNNING, pages=_PAGES).union(
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
        one.pages += 0 if queue in (workflow.PARSE_QUEUE, workflow.CONVERT_QUEUE) else page_total
        one.oldest = oldest if one.oldest is None else min(one.oldest, oldest)
    return work


def _unsent(queues: Collection[str]) -> QuerySet[Step, Any]:
    """Return the unsent steps by queue. Pass queues of one kind: with a second condition SQLite scans the table."""
    return Step.objects.filter(queue__in=queues, state=StepState.PENDING, sent_at=None).values_list("queue")


def _counts(
    steps: QuerySet[Step, Any], *, messages: Any = _ROWS, unsent: Any = _NONE, running: Any = _NONE, pages: Any = _NONE
) -> QuerySet[Step, Any]:
    """Return for each queue: messages, unsent ones, those in flight, pages, and the id of the oldest step."""
    counts = {"messages": messages, "not_sent": unsent, "running": running, "page_sum": pages, "oldest": Min("id")}
    return steps.order_by().annotate(**counts)
