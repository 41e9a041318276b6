"""Dispatch: turn due rows into messages.

A *window* limits how many rows of one job, and of one project, are sent and still open in a queue (settings.QUEUES).
``Step.window`` is the random name of the group of rows that a step was sent with.
"""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.accounts.models import Project
from apps.jobs import queries, workflow
from apps.jobs.models import ParseJob, Pause, Step
from apps.jobs.scheduling.moves import move_steps
from apps.jobs.states import JobState, Stage, StepMove, StepState

logger = logging.getLogger(__name__)

MAX_PAGES_PER_ROW = 100_000
# Not the second split of a document that has been converted: its job runs already.
_BEGINS_JOB = Q(stage=Stage.SPLIT, job__state=JobState.PENDING)


def make_page_steps(*, job: ParseJob, stage: Stage, queue: str, numbers: Iterable[int]) -> list[Step]:
    """Return unsaved rows for these pages, one for each range of pages without a gap.

    When they are dispatched, each page gets a row of its own.
    """
    return [
        Step(job=job, project_id=job.project_id, stage=stage, queue=queue, first_page=first, last_page=last)
        for first, last in queries.page_ranges(list(numbers), max_pages=MAX_PAGES_PER_ROW)
    ]


def start_job_step(*, job: ParseJob, stage: Stage) -> Step:
    """Create the row of a step of the whole job and publish it on commit.

    The first step of a job waits unsent while its project's window is full. Later steps are sent at once, so that jobs
    that have not begun do not delay one that has. Nothing is sent to a paused queue.
    """
    queue = workflow.QUEUE_OF_STAGE[stage]
    step = Step(job=job, project_id=job.project_id, stage=stage, queue=queue)
    may_send = not is_paused(queue)
    if may_send and stage is Stage.SPLIT and job.state == JobState.PENDING:
        sent = sum(queries.sent_by_job(queue=queue, project_id=job.project_id).values())
        is_window_full = sent >= int(settings.QUEUES[queue].window_per_project)
        may_send = not is_window_full and queries.jobs_that_may_start(job.project_id) != 0
    if not may_send:
        step.save(force_insert=True)
        return step
    step.window, step.sent_at = _new_window(), Now()
    step.save(force_insert=True)
    transaction.on_commit(partial(_publish, [step]))
    return step


def is_paused(queue: str) -> bool:
    """Return whether the queue, or the one that renders its pages, is paused."""
    return _pauses_of(queue).exists()


def _pauses_of(queue: str) -> QuerySet[Pause]:
    """Return the pauses that stop the queue. Pages for OCR are rendered first, by the workers of the pages queue."""
    needed = (queue, workflow.PAGES_QUEUE) if queue in workflow.OCR_QUEUES else (queue,)
    return Pause.objects.filter(name__in=needed)


def dispatch_due_if_any() -> int:
    """Call ``dispatch_due`` if one query finds that a row waits to be sent."""
    waits = Step.objects.filter(state=StepState.PENDING, sent_at=None).exists()
    return dispatch_due() if waits else 0


def dispatch_pages_of(job: ParseJob, stage: Stage, *, queues: Iterable[str] | None = None) -> int:
    """Dispatch due rows of one stage of a job's pages, in all its queues or some. Return the number of messages."""
    names = queues or workflow.QUEUES_OF_PAGE_STAGE[stage]
    return sum(_dispatch(queue, job.project_id, job_id=job.pk) for queue in names)


def dispatch_due(*, project_id: UUID | None = None, queues: Iterable[str] | None = None) -> int:
    """Dispatch due rows of all projects or of one, in all queues or some. Return the number of messages.

    Because of the windows, a backlog of one project does not delay the one page of another. Rows are marked as sent
    before they are published, by one process at a time for each project.
    """
    sent = 0
    for queue in queues or settings.QUEUES:
        projects: Iterable[UUID] = [project_id] if project_id else []
        if project_id is None:
            # One index lookup per project, however many rows wait.
            waits = Exists(_unsent(queue).filter(project_id=OuterRef("pk")))
            projects = list(Project.objects.filter(waits).values_list("pk", flat=True).order_by())
        sent += sum(_dispatch(queue, owner) for owner in projects)
    return sent


def _dispatch(queue: str, project_id: UUID, *, job_id: str | None = None) -> int:
    if not _choose(queue, project_id, job_id=job_id):
        return 0
    with transaction.atomic():
        # Two processes that counted at once would both fill the same window. NO KEY: new jobs can still be inserted.
        Project.objects.select_for_update(no_key=True).only("pk").get(pk=project_id)
        marked = _mark(_choose(queue, project_id, job_id=job_id))
    groups: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in marked:
        groups[step.job_id, step.stage].append(step)
    return sum(_publish(steps) for steps in groups.values())


def _unsent(queue: str) -> QuerySet[Step]:
    due = Q(not_before=None) | Q(not_before__lte=Now())
    not_paused = ~Exists(_pauses_of(queue))
    return Step.objects.filter(due, not_paused, queue=queue, state=StepState.PENDING, sent_at=None)


@dataclass(frozen=True)
class _Chosen:
    """A row to send, and the number of its messages that the window has space for."""

    step: Step
    messages: int


def _messages_of(step: Step) -> int:
    """Return how many messages an unsent row becomes: one, or one for each page."""
    return step.page_total if step.first_page and step.stage in workflow.PAGE_BY_PAGE else 1


def _choose(queue: str, project_id: UUID, *, job_id: str | None) -> list[_Chosen]:
    """Choose due rows that fit into the windows of the project and its jobs.

    Jobs of higher priority come first, then snoozed rows, then the oldest.
    """
    window = settings.QUEUES[queue]
    sent = defaultdict(int, queries.sent_by_job(queue=queue, project_id=project_id))
    free = window.window_per_project - sum(sent.values())
    chosen: list[_Chosen] = []
    # How many more jobs may begin. None: no limit, or a queue in which no job begins.
    new_jobs = queries.jobs_that_may_start(project_id) if queue == workflow.PARSE_QUEUE else None
    order: list[Any] = [F("not_before").asc(nulls_last=True), "pk"]
    if queries.has_priorities(project_id):
        order.insert(0, "-job__priority")
    while free > 0:
        full = [job for job, count in sent.items() if count >= window.window_per_job]
        rows = _unsent(queue).filter(project_id=project_id).exclude(job_id__in=full)
        rows = rows.exclude(pk__in=[one.step.pk for one in chosen])
        if job_id is not None:
            rows = rows.filter(job_id=job_id)
        if new_jobs == 0:
            rows = rows.exclude(_BEGINS_JOB)
        batch = list(rows.order_by(*order)[:free])
        if not batch:
            break
        begins = set()
        if new_jobs is not None:
            first_steps = Step.objects.filter(_BEGINS_JOB, pk__in=[step.pk for step in batch])
            begins = set(first_steps.values_list("pk", flat=True))
        for step in batch:
            begins_job = step.pk in begins
            messages = min(_messages_of(step), free, window.window_per_job - sent[step.job_id])
            if messages > 0 and not (begins_job and new_jobs == 0):
                new_jobs = new_jobs - 1 if begins_job and new_jobs is not None else new_jobs
                sent[step.job_id] += messages
                free -= messages
                chosen.append(_Chosen(step, messages))
        if len(batch) < free:
            break
    return chosen


def _mark(chosen: Sequence[_Chosen]) -> list[Step]:
    """Mark the chosen messages as sent, and return a row for each. Rows that were sent or cancelled are left out."""
    window = _new_window()
    marked: list[Step] = []
    single = {one.step.pk: one.step for one in chosen if _messages_of(one.step) == 1}
    if single:
        unsent = Step.objects.filter(pk__in=list(single), sent_at=None)
        marked = list(single.values())
        if move_steps(unsent, StepMove.SEND, window=window) < len(single):
            sent = set(Step.objects.filter(window=window).values_list("pk", flat=True))
            marked = [step for step in marked if step.pk in sent]
    for one in chosen:
        row = one.step
        if _messages_of(row) == 1:
            continue
        # The first pages of the row get rows of their own, marked as sent. The row keeps the pages that are left.
        rest = row.first_page + one.messages
        unsent = Step.objects.filter(
            pk=row.pk, state=StepState.PENDING, sent_at=None, queue=row.queue, first_page=row.first_page
        )
        has_rest = rest <= row.last_page
        if unsent.update(first_page=rest) if has_rest else move_steps(unsent, StepMove.REPLACE_BY_PAGES):
            numbers = range(row.first_page, rest)
            marked += Step.objects.bulk_create(
                row.part(number, number, sent_at=Now(), window=window) for number in numbers
            )
    return marked


def _publish(steps: Sequence[Step]) -> int:
    """Publish steps of one job and stage. If the broker does not accept them, mark the rows as unsent again."""
    messages = [workflow.Message.of(step) for step in steps]
    if steps[0].first_page:
        ParseJob.objects.filter(pk=steps[0].job_id).update(windows_sent=F("windows_sent") + 1)
        accepted = workflow.publish_window(messages)
    else:
        published = [workflow.publish_step(message) for message in messages]
        accepted = all(published)
    if accepted:
        return len(messages)
    move_steps(Step.objects.filter(pk__in=[step.pk for step in steps]), StepMove.UNSEND)
    return 0


def dispatch_again(step: Step) -> bool:
    """Publish a row again whose message was lost, with the same fence.

    Return False if it was claimed or sent meanwhile.

    The guard is the window it was sent in, not ``sent_at``: on SQLite times are texts, and two spellings of the same
    time are not equal.
    """
    lost = Step.objects.filter(pk=step.pk, window=step.window)
    marked = move_steps(lost, StepMove.RESEND, window=_new_window())
    return bool(marked) and workflow.publish_step(workflow.Message.of(step))


def _new_window() -> str:
    """Return a random name for rows that are sent together."""
    return secrets.token_hex(8)
