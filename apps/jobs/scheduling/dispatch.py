"""Rows that are due become messages, as long as their queue has room for them."""

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
from apps.jobs.states import Stage, StepMove, StepState

logger = logging.getLogger(__name__)

MAX_PAGES_PER_ROW = 100_000


def make_page_steps(*, job: ParseJob, stage: Stage, queue: str, numbers: Iterable[int]) -> list[Step]:
    """Rows, not written yet, in which these pages wait to be sent: one for each run of pages without a gap."""
    return [
        Step(job=job, project_id=job.project_id, stage=stage, queue=queue, first_page=first, last_page=last)
        for first, last in queries.page_ranges(list(numbers), max_pages=MAX_PAGES_PER_ROW)
    ]


def start_job_step(*, job: ParseJob, stage: Stage) -> Step:
    """Make the row of a step of the job as a whole and publish it on commit.

    The first step of a job waits unsent when its project fills the queue already; later ones go at once, so that
    a job that has begun is not kept waiting by those that have not. Nothing goes into a paused queue.
    """
    queue = workflow.QUEUE_OF_STAGE[stage]
    step = Step(job=job, project_id=job.project_id, stage=stage, queue=queue)
    if is_paused(queue) or (stage is Stage.SPLIT and not _may_begin(queue, job.project_id)):
        step.save(force_insert=True)
        return step
    step.window, step.sent_at = _new_window(), Now()
    step.save(force_insert=True)
    transaction.on_commit(partial(_publish, [step]))
    return step


def is_paused(queue: str) -> bool:
    """Whether nothing is sent to the queue, because it or the one that works for it is paused."""
    return _pauses_of(queue).exists()


def _pauses_of(queue: str) -> QuerySet[Pause]:
    """Pages for OCR are rendered first, by those who take from the queue of pages."""
    needed = (queue, workflow.PAGES_QUEUE) if queue in workflow.OCR_QUEUES else (queue,)
    return Pause.objects.filter(name__in=needed)


def send_due_if_any_waits() -> int:
    """``send_due``, after one look whether any row at all waits to be sent."""
    waits = Step.objects.filter(state=StepState.PENDING, sent_at=None).exists()
    return send_due() if waits else 0


def send_pages_of(job: ParseJob, stage: Stage, *, queues: Iterable[str] | None = None) -> int:
    """Send what is due of a stage of one job's pages, in all its queues or some; the number of messages sent."""
    asked = queues or workflow.QUEUES_OF_PAGE_STAGE[stage]
    return sum(_send(queue, job.project_id, job_id=job.pk) for queue in asked)


def send_due(*, project_id: UUID | None = None, queues: Iterable[str] | None = None) -> int:
    """Send what is due, of everybody or of one project, in all queues or some; the number of messages sent.

    Each queue takes a window per job and per project (settings.QUEUES), counted in rows sent and not settled, so a
    backlog of one project never stands before the one page of another. Rows are marked as sent before they are
    published, by one process at a time for each project.
    """
    sent = 0
    for queue in queues or settings.QUEUES:
        for owner in [project_id] if project_id else _projects_with_unsent(queue):
            sent += _send(queue, owner)
    return sent


def _send(queue: str, project_id: UUID, *, job_id: str | None = None) -> int:
    if not _choose(queue, project_id, job_id=job_id):
        return 0
    with transaction.atomic():
        # Two processes that counted at once would each find the same room. NO KEY: new jobs of the project go on.
        Project.objects.select_for_update(no_key=True).only("pk").get(pk=project_id)
        marked = _mark(_choose(queue, project_id, job_id=job_id))
    return sum(_publish(steps) for steps in _by_job_and_stage(marked))


def _projects_with_unsent(queue: str) -> list[UUID]:
    """Asked project by project: a look into the index for each, however many rows wait."""
    waits = Exists(_unsent(queue).filter(project_id=OuterRef("pk")))
    return list(Project.objects.filter(waits).values_list("pk", flat=True).order_by())


def _unsent(queue: str):  # type: ignore[no-untyped-def]
    due = Q(not_before=None) | Q(not_before__lte=Now())
    goes_on = ~Exists(_pauses_of(queue))
    return Step.objects.filter(due, goes_on, queue=queue, state=StepState.PENDING, sent_at=None)


def _may_begin(queue: str, project_id: UUID) -> bool:
    return _room(queue, project_id) > 0 and queries.jobs_that_may_begin(project_id) != 0


def _room(queue: str, project_id: UUID) -> int:
    sent = queries.sent_by_job(queue=queue, project_id=project_id)
    return int(settings.QUEUES[queue].window_per_project) - sum(sent.values())


@dataclass(frozen=True)
class _Chosen:
    """A row that goes, and how many messages of it: less than it waits for where the window is full."""

    step: Step
    messages: int


def _waits_for(step: Step) -> int:
    """The messages that an unsent row becomes: one, or one for each page of a run."""
    return step.page_total if step.stage in workflow.PAGE_BY_PAGE else 1


def _choose(queue: str, project_id: UUID, *, job_id: str | None) -> list[_Chosen]:
    """Unsent due rows that still fit: by the priority of their jobs, those that waited for a moment first, then the
    oldest; jobs by their window."""
    window = settings.QUEUES[queue]
    sent = defaultdict(int, queries.sent_by_job(queue=queue, project_id=project_id))
    room = window.window_per_project - sum(sent.values())
    chosen: list[_Chosen] = []
    new_jobs = queries.jobs_that_may_begin(project_id) if queue == workflow.PARSE_QUEUE else None
    order: list[Any] = [F("not_before").asc(nulls_last=True), "pk"]
    if queries.has_priorities(project_id):
        order.insert(0, "-job__priority")
    while room > 0:
        full = [job for job, count in sent.items() if count >= window.window_per_job]
        rows = _unsent(queue).filter(project_id=project_id).exclude(job_id__in=full)
        rows = rows.exclude(pk__in=[one.step.pk for one in chosen])
        if job_id is not None:
            rows = rows.filter(job_id=job_id)
        if new_jobs == 0:
            rows = rows.exclude(stage=Stage.SPLIT)
        batch = list(rows.order_by(*order)[:room])
        if not batch:
            break
        for step in batch:
            begins = step.stage == Stage.SPLIT and new_jobs is not None
            messages = min(_waits_for(step), room, window.window_per_job - sent[step.job_id])
            if messages > 0 and not (begins and new_jobs == 0):
                new_jobs = new_jobs - 1 if begins and new_jobs is not None else new_jobs
                sent[step.job_id] += messages
                room -= messages
                chosen.append(_Chosen(step, messages))
        if len(batch) < room:
            break
    return chosen


def _mark(chosen: Sequence[_Chosen]) -> list[Step]:
    """Mark as sent, with a row for each message; what somebody else marked, moved or cancelled is left out."""
    window = _new_window()
    marked = _mark_rows([one.step for one in chosen if _waits_for(one.step) == 1], window)
    for one in chosen:
        if _waits_for(one.step) > 1:
            marked += _cut_off(one, window)
    return marked


def _mark_rows(steps: Sequence[Step], window: str) -> list[Step]:
    if not steps:
        return []
    unsent = Step.objects.filter(pk__in=[step.pk for step in steps], sent_at=None)
    if move_steps(unsent, StepMove.SEND, window=window) == len(steps):
        return list(steps)
    marked = set(Step.objects.filter(window=window).values_list("pk", flat=True))
    return [step for step in steps if step.pk in marked]


def _cut_off(chosen: _Chosen, window: str) -> list[Step]:
    """Rows of their own, marked as sent, for the first pages of a run; what is left of the run waits on."""
    run, rest = chosen.step, chosen.step.first_page + chosen.messages
    ours = Step.objects.filter(
        pk=run.pk, state=StepState.PENDING, sent_at=None, queue=run.queue, first_page=run.first_page
    )
    cut = ours.update(first_page=rest) if rest <= run.last_page else move_steps(ours, StepMove.REPLACE_BY_PAGES)
    if not cut:
        return []
    numbers = range(run.first_page, rest)
    return Step.objects.bulk_create(run.part(number, number, sent_at=Now(), window=window) for number in numbers)


def _by_job_and_stage(steps: Iterable[Step]) -> list[list[Step]]:
    groups: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        groups[step.job_id, step.stage].append(step)
    return list(groups.values())


def _publish(steps: Sequence[Step]) -> int:
    """Publish steps of one job and stage; when the broker does not take them the rows become unsent again."""
    messages = [workflow.Message.of(step) for step in steps]
    if steps[0].first_page:
        ParseJob.objects.filter(pk=steps[0].job_id).update(windows_sent=F("windows_sent") + 1)
        taken = workflow.send_window(messages)
    else:
        answers = [workflow.send_step(message) for message in messages]
        taken = all(answers)
    if taken:
        return len(messages)
    move_steps(Step.objects.filter(pk__in=[step.pk for step in steps]), StepMove.UNSEND)
    return 0


def send_again(step: Step) -> bool:
    """Publish a row whose message got lost, with the same fence; False when it was begun or sent again meanwhile.

    Guarded by the window it was sent in, not by the moment: on SQLite moments are texts, and two spellings of one
    moment are not equal.
    """
    lost = Step.objects.filter(pk=step.pk, window=step.window)
    marked = move_steps(lost, StepMove.RESEND, window=_new_window())
    return bool(marked) and workflow.send_step(workflow.Message.of(step))


def _new_window() -> str:
    return secrets.token_hex(8)
