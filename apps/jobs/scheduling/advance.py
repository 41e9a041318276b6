"""From one stage to the next: whoever settles the last page of a stage moves the job on."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from apps.jobs import queries
from apps.jobs.models import ParseJob, Step
from apps.jobs.scheduling.dispatch import send_pages_of, start_job_step
from apps.jobs.scheduling.moves import move_to_stage
from apps.jobs.states import NEXT_STAGE, OPEN_STEPS, JobState, Stage


def advance_if_done(*, job_id: str, stage: Stage) -> None:
    """Ask what is still open of a stage of page work: nothing, then the job advances; half a window is free, then more
    is sent."""
    still = queries.open_steps(job_id=job_id, stage=stage)
    if not still:
        advance_job(job_id=job_id)
        return
    thirsty = [one.queue for one in still if one.unsent and one.sent <= _window(one.queue) // 2]
    if thirsty:
        send_pages_of(ParseJob.objects.only("project_id").get(pk=job_id), stage, queues=thirsty)


def _window(queue: str) -> int:
    return int(settings.QUEUES[queue].window_per_job)


def advance_job(*, job_id: str) -> bool:
    """Move a job on whose stage of page work has nothing open; of all who ask, exactly one does it."""
    open_step = Step.objects.filter(job_id=OuterRef("pk"), state__in=OPEN_STEPS)
    with transaction.atomic():
        for stage, following in NEXT_STAGE.items():
            ready = ParseJob.objects.filter(~Exists(open_step), pk=job_id, state=JobState.RUNNING, stage=stage)
            if ready.update(stage=following, updated_at=Now()):
                job = ParseJob.objects.get(pk=job_id)
                if following is Stage.ROUTE and not job.uses_models:
                    enter_stage(job, Stage.ASSEMBLE)
                else:
                    start_job_step(job=job, stage=following)
                return True
        return False


def enter_stage(job: ParseJob, stage: Stage) -> None:
    """The next stage of a running job, one that is a step of the job as a whole; inside the caller's transaction."""
    move_to_stage(job.pk, stage)
    start_job_step(job=job, stage=stage)


def close_window(*, job_id: str) -> None:
    """The body of a window's chord: everything in it has been answered, so there is room for more."""
    ParseJob.objects.filter(pk=job_id).update(windows_closed=F("windows_closed") + 1)
    job = ParseJob.objects.filter(pk=job_id, state=JobState.RUNNING).only("project_id", "stage").first()
    if job is not None and job.stage in NEXT_STAGE:
        send_pages_of(job, Stage(job.stage))
