"""Planning: what each page needs after its text layer was read, and after OCR: OCR, a model, or nothing more."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from apps.jobs.models import JobPage
from apps.jobs.scheduling.advance import enter_stage
from apps.jobs.scheduling.claims import Claim, claim_step, complete
from apps.jobs.stages.recognize import begin_recognition, pages_to_recognize
from apps.jobs.stages.routing import begin_models, choose_routes
from apps.jobs.stages.step_work import do_work
from apps.jobs.states import Stage


def plan_pages(*, step_id: int, fence: int) -> None:
    """Decide what each page needs after its text layer was read: OCR, or nothing more."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is not None:
            do_work(claim, _plan)


def _plan(claim: Claim) -> None:
    job = claim.job
    waiting = JobPage.objects.filter(~Q(needs_ocr=""), job=job).order_by("number")
    numbers = pages_to_recognize(job, waiting.values_list("number", "needs_ocr"))
    with transaction.atomic():
        if not complete(claim):
            return
        if numbers:
            begin_recognition(job, numbers)
        else:
            enter_stage(job, Stage.ROUTE if job.uses_models else Stage.ASSEMBLE)


def route_pages(*, step_id: int, fence: int) -> None:
    """Decide which mode parses each page; those of a mode that asks a model get a step in its queue."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is not None:
            do_work(claim, _route)


def _route(claim: Claim) -> None:
    job = claim.job
    routes = choose_routes(job)
    with transaction.atomic():
        if not complete(claim):
            return
        if not begin_models(job, routes):
            enter_stage(job, Stage.ASSEMBLE)
