"""The arguments of a message that Flower shows: its job and pages, and no signed link."""

from __future__ import annotations

from typing import Any

import pytest

from apps.jobs import workflow
from apps.jobs.states import Stage

JOB = "pjb-00000000-0000-4000-8000-000000000001"
PAGE_STAGES = [(Stage.EXTRACT, workflow.PAGES_QUEUE), (Stage.RECOGNIZE, "ocr_cpu"), (Stage.MODEL, "llm")]


@pytest.mark.parametrize(("stage", "queue"), PAGE_STAGES)
def test_every_task_names_job_and_pages(stage: Stage, queue: str) -> None:
    signature = workflow.signature_of(workflow.Message(7, 3, stage, queue, JOB, "12"))

    for task in getattr(signature, "tasks", [signature]):
        shown = task.options.get("kwargsrepr") or repr(dict(task.kwargs))
        assert JOB in shown
        assert "'pages': '12'" in shown


def test_the_request_to_an_ocr_worker_is_not_shown() -> None:
    """It is passed from task to task and contains signed links."""
    chain: Any = workflow.signature_of(workflow.Message(7, 3, Stage.RECOGNIZE, "ocr_cpu", JOB, "12"))

    assert [task.options.get("argsrepr") for task in chain.tasks] == [None, "()", "()"]
