"""The Celery tasks. Each calls one stage or command, and raises no error that a page causes.

``job`` and ``pages`` are in the arguments for people who read Flower. ``**later`` lets workers of two releases share
a queue.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery import shared_task

from apps.jobs import workflow
from apps.jobs.commands import clean_up as expired_jobs
from apps.jobs.commands import deliver_webhooks as webhooks
from apps.jobs.scheduling import advance, workers
from apps.jobs.stages import assemble, convert, extract, model, plan, recognize, split
from apps.jobs.stages.annotations import annotate

Steps = Iterable[tuple[int, int]]  # ids and fences


@shared_task(name=workflow.SPLIT_DOCUMENT)
def split_document(*, step_id: int, fence: int, **later: Any) -> None:
    split.split_document(step_id=step_id, fence=fence)


@shared_task(name=workflow.CONVERT_DOCUMENT)
def convert_document(*, step_id: int, fence: int, **later: Any) -> None:
    convert.convert_document(step_id=step_id, fence=fence)


@shared_task(name=workflow.EXTRACT_PAGES)
def extract_pages(*, step_id: int, fence: int, **later: Any) -> None:
    extract.extract_pages(step_id=step_id, fence=fence)


@shared_task(name=workflow.PLAN_PAGES)
def plan_pages(*, step_id: int, fence: int, **later: Any) -> None:
    plan.plan_pages(step_id=step_id, fence=fence)


@shared_task(name=workflow.ROUTE_PAGES)
def route_pages(*, step_id: int, fence: int, **later: Any) -> None:
    plan.route_pages(step_id=step_id, fence=fence)


@shared_task(name=workflow.PARSE_PAGE_WITH["llm"])
def parse_page_with_llm(*, step_id: int, fence: int, others: Steps = (), **later: Any) -> None:
    model.parse_pages(queue="llm", fences=dict([(step_id, fence), *others]))


@shared_task(name=workflow.PARSE_PAGE_WITH["lvm"])
def parse_page_with_lvm(*, step_id: int, fence: int, others: Steps = (), **later: Any) -> None:
    model.parse_pages(queue="lvm", fences=dict([(step_id, fence), *others]))


@shared_task(name=workflow.PARSE_PAGE_WITH["agent"])
def parse_page_with_agent(*, step_id: int, fence: int, others: Steps = (), **later: Any) -> None:
    model.parse_pages(queue="agent", fences=dict([(step_id, fence), *others]))


@shared_task(name=workflow.ANNOTATE_PAGES)
def annotate_pages(*, step_id: int, fence: int, others: Steps = (), **later: Any) -> None:
    annotate.annotate_pages(fences=dict([(step_id, fence), *others]))


# resultrepr_maxsize: the result holds signed links, which Celery must not log or show in Flower.
@shared_task(name=workflow.RENDER_PAGE, resultrepr_maxsize=0)
def render_page(*, step_id: int, fence: int, **later: Any) -> dict[str, Any] | None:
    return recognize.render_page(step_id=step_id, fence=fence)


@shared_task(name=workflow.OCR_ALIVE)
def ocr_alive(*, step_id: int, fence: int, worker: str, **later: Any) -> None:
    recognize.renew_ocr_lease(step_id=step_id, fence=fence, worker=worker)


@shared_task(name=workflow.ACCEPT_OCR)
def accept_ocr(outcome: dict[str, Any] | None) -> None:
    if outcome is not None:
        recognize.accept_ocr(
            step_id=outcome["step_id"],
            fence=outcome["fence"],
            code=outcome["code"],
            detail=outcome["detail"],
            worked=outcome.get("worked", ()),
        )


@shared_task(name=workflow.OCR_WORKER_HERE)
def ocr_worker_here(
    *, worker_id: str, name: str, host: str, pid: int, queues: dict[str, int], width: int, version: str, **later: Any
) -> None:
    workers.record_worker(workers.WorkerFacts(worker_id, name, host, pid, queues, width, version))


@shared_task(name=workflow.OCR_WORKER_GONE)
def ocr_worker_gone(*, worker_id: str, **later: Any) -> None:
    workers.record_worker_stopped(worker_id)


@shared_task(name=workflow.ASSEMBLE_DOCUMENT)
def assemble_document(*, step_id: int, fence: int, **later: Any) -> None:
    assemble.assemble_document(step_id=step_id, fence=fence)


@shared_task(name=workflow.CLOSE_WINDOW)
def close_window(*, job: str, **later: Any) -> None:
    advance.close_window(job_id=job)


@shared_task(name=workflow.DELIVER_WEBHOOKS)
def deliver_webhooks(**later: Any) -> None:
    webhooks.deliver_webhooks()


@shared_task(name=workflow.CLEAN_UP)
def clean_up(**later: Any) -> None:
    expired_jobs.clean_up()
