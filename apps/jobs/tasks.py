"""Celery's side of the services: an id comes in, one service is called. A task never raises for what a page does.

``job`` and ``pages`` are in the arguments for people who read Flower. ``**later`` lets workers of two releases share
a queue.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.jobs import services, workflow


@shared_task(name=workflow.SPLIT_DOCUMENT)
def split_document(*, step_id: int, fence: int, **later: Any) -> None:
    services.split_document(step_id=step_id, fence=fence)


@shared_task(name=workflow.EXTRACT_PAGES)
def extract_pages(*, step_id: int, fence: int, **later: Any) -> None:
    services.extract_pages(step_id=step_id, fence=fence)


@shared_task(name=workflow.PLAN_PAGES)
def plan_pages(*, step_id: int, fence: int, **later: Any) -> None:
    services.plan_pages(step_id=step_id, fence=fence)


@shared_task(name=workflow.ASSEMBLE_DOCUMENT)
def assemble_document(*, step_id: int, fence: int, **later: Any) -> None:
    services.assemble_document(step_id=step_id, fence=fence)


@shared_task(name=workflow.CLOSE_WINDOW)
def close_window(*, job: str, **later: Any) -> None:
    services.close_window(job_id=job)
