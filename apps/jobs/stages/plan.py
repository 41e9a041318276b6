"""Planning: decide after the text layer was read, and again after OCR, which work each page still needs."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from apps.jobs.models import JobPage
from apps.jobs.scheduling.advance import annotate_or_assemble, enter_stage
from apps.jobs.scheduling.claims import claim_step, complete
from apps.jobs.stages.recognize import begin_recognition, pages_to_recognize
from apps.jobs.stages.routing import begin_models, choose_routes
from apps.jobs.stages.step_work import record_errors
from apps.jobs.states import Stage


def plan_pages(*, step_id: int, fence: int) -> None:
    """Send the pages whose text layer is not enough to OCR. Enter the next stage if there are none."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with record_errors(claim):
            job = claim.job
            needs_ocr = JobPage.objects.filter(~Q(needs_ocr=""), job=job).order_by("number")
            numbers = pages_to_recognize(job, needs_ocr.values_list("number", "needs_ocr"))
            with transaction.atomic():
                if not complete(claim):
                    return
                if numbers:
                    begin_recognition(job, numbers)
                else:
                    enter_stage(job, Stage.ROUTE if job.uses_models else Stage.ASSEMBLE)


def route_pages(*, step_id: int, fence: int) -> None:
    """Choose the mode of each page. Pages whose mode uses a model get a step in the queue of its parser."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with record_errors(claim):
            routes = choose_routes(claim.job)
            with transaction.atomic():
                if complete(claim) and not begin_models(claim.job, routes):
                    annotate_or_assemble(claim.job)
