"""Planning: what each page needs after its text layer was read."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from apps.jobs.models import JobPage, ParseJob
from apps.jobs.services.claims import Claim, claimed, settle
from apps.jobs.services.recognizing import begin_recognition, pages_to_recognize
from apps.jobs.services.sending import start_job_step
from apps.jobs.services.working import do_work
from apps.jobs.states import JobState, Stage


def plan_pages(*, step_id: int, fence: int) -> None:
    """Decide what each page needs after its text layer was read: OCR, or nothing more."""
    with claimed(step_id=step_id, fence=fence) as claim:
        if claim is not None:
            do_work(claim, _plan)


def _plan(claim: Claim) -> None:
    job = claim.job
    waiting = JobPage.objects.filter(~Q(needs_ocr=""), job=job).order_by("number")
    numbers = pages_to_recognize(job, waiting.values_list("number", "needs_ocr"))
    with transaction.atomic():
        if not settle(claim):
            return
        if numbers:
            begin_recognition(job, numbers)
            return
        ParseJob.objects.filter(pk=job.pk, state=JobState.RUNNING).update(stage=Stage.ASSEMBLE, updated_at=Now())
        start_job_step(job=job, stage=Stage.ASSEMBLE)
