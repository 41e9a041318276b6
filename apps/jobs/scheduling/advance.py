"""Advance a job to its next stage when the last page of a stage has ended."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from apps.core.database_connections import retried_on_conflict
from apps.jobs import queries
from apps.jobs.models import Annotation, JobPage, ParseJob, Step
from apps.jobs.scheduling.dispatch import dispatch_pages_of, make_page_steps, start_job_step
from apps.jobs.scheduling.moves import move_to_stage
from apps.jobs.states import NEXT_STAGE, OPEN_STEPS, JobState, PageState, Stage
from apps.jobs.workflow import ANNOTATION_QUEUE
from apps.pages.model.warnings import describe

NOT_PRINTED = "not_printed"


def advance_if_done(*, job_id: str, stage: Stage) -> None:
    """Advance the job if no step of the stage is open. Send more pages if half of a queue's window is free."""
    open_steps = queries.open_steps(job_id=job_id, stage=stage)
    if not open_steps:
        advance_job(job_id=job_id)
        return
    half_free = [
        steps.queue
        for steps in open_steps
        if steps.unsent and steps.sent <= int(settings.QUEUES[steps.queue].window_per_job) // 2
    ]
    if half_free:
        dispatch_pages_of(ParseJob.objects.only("project_id").get(pk=job_id), stage, queues=half_free)


@retried_on_conflict
def advance_job(*, job_id: str) -> bool:
    """Advance a job whose stage of page work has no open step.

    Exactly one of the processes that call this does it and returns True.
    """
    open_step = Step.objects.filter(job_id=OuterRef("pk"), state__in=OPEN_STEPS)
    with transaction.atomic():
        for stage, following in NEXT_STAGE.items():
            ready = ParseJob.objects.filter(~Exists(open_step), pk=job_id, state=JobState.RUNNING, stage=stage)
            if ready.update(stage=following, updated_at=Now()):
                job = ParseJob.objects.get(pk=job_id)
                if following is Stage.ROUTE and not job.uses_models:
                    enter_stage(job, Stage.ASSEMBLE)
                elif following is Stage.ANNOTATE:
                    annotate_or_assemble(job)
                else:
                    start_job_step(job=job, stage=following)
                return True
        return False


def enter_stage(job: ParseJob, stage: Stage) -> None:
    """Start the next stage of a running job as one step of the whole job, inside the caller's transaction."""
    move_to_stage(job.pk, stage)
    start_job_step(job=job, stage=stage)


def end_print(job: ParseJob, *, printed_key: str = "", reason: str = "") -> None:
    """Split a job again whose document was printed, or could not be, inside the caller's transaction.

    Without a key the job has a warning with the ``reason``.
    """
    if not printed_key:
        job.warnings = [*job.warnings, not_printed(reason)]
    deadline_at = Now() + timedelta(seconds=settings.MAX_JOB_SECONDS)
    move_to_stage(job.pk, Stage.SPLIT, warnings=job.warnings, printed_key=printed_key, deadline_at=deadline_at)
    start_job_step(job=job, stage=Stage.SPLIT)


def not_printed(reason: str) -> dict[str, str]:
    """Return the warning of a job whose document could not be printed."""
    return {"code": NOT_PRINTED, "detail": f"{describe(NOT_PRINTED)} The reason: {reason}"}


def annotate_or_assemble(job: ParseJob) -> None:
    """Start the annotation of a job whose pages are parsed, or assemble one without, in the caller's transaction.

    Pages that have an annotation, from before a retry, keep it.
    """
    task = job.annotation_task
    if task is None:
        enter_stage(job, Stage.ASSEMBLE)
        return
    good_pages = JobPage.objects.filter(job=job, state=PageState.SUCCEEDED)
    annotated = Annotation.objects.filter(job=job).exclude(content="").values("page_number")
    numbers = list(good_pages.exclude(number__in=annotated).order_by("number").values_list("number", flat=True))
    if task.target == "document" and good_pages.exists():
        enter_stage(job, Stage.ANNOTATE)
    elif task.target == "document" or not numbers:
        enter_stage(job, Stage.ASSEMBLE)
    else:
        steps = make_page_steps(job=job, stage=Stage.ANNOTATE, queue=ANNOTATION_QUEUE, numbers=numbers)
        Step.objects.bulk_create(steps)
        move_to_stage(job.pk, Stage.ANNOTATE)
        transaction.on_commit(partial(dispatch_pages_of, job, Stage.ANNOTATE))


def close_window(*, job_id: str) -> None:
    """Record that all steps of a window have ended, and send more. This is the body of the window's chord."""
    ParseJob.objects.filter(pk=job_id).update(windows_closed=F("windows_closed") + 1)
    job = ParseJob.objects.filter(pk=job_id, state=JobState.RUNNING).only("project_id", "stage").first()
    if job is not None and job.stage in NEXT_STAGE:
        dispatch_pages_of(job, Stage(job.stage))
