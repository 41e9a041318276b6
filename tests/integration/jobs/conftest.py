"""Jobs on a real database and a real reader. There is no broker, so publishing fails as if the broker were down.

The tests deliver due steps by calling the stages as the tasks do.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import Project
from apps.documents import services as documents
from apps.jobs.commands.submit import JobRequest, submit_job
from apps.jobs.models import LeaderLock, ParseJob, Step
from apps.jobs.options import JobOptions
from apps.jobs.scheduling.rescue import Rescued, rescue_jobs
from apps.jobs.stages import assemble, convert, extract, model, plan, recognize, split
from apps.jobs.stages.annotations import annotate
from apps.jobs.states import OPEN_STEPS, Stage
from tests.documents.long import long_document
from tests.fakes.fixtures import (
    gateway,
    make_gateway,
    provider,
    quota_store,
    running_provider,
    shared_connections,
)

__all__ = ["gateway", "make_gateway", "provider", "quota_store", "running_provider", "shared_connections"]
DELIVER = {
    Stage.SPLIT: split.split_document,
    Stage.CONVERT: convert.convert_document,
    Stage.EXTRACT: extract.extract_pages,
    Stage.PLAN: plan.plan_pages,
    Stage.ROUTE: plan.route_pages,
    Stage.MODEL: model.parse_page,
    Stage.ANNOTATE: annotate.annotate_step,
    Stage.ASSEMBLE: assemble.assemble_document,
}
Submit = Callable[..., ParseJob]


@pytest.fixture(autouse=True)
def _own_storage(settings: Any, tmp_path: Path) -> None:
    options = {"location": str(tmp_path / "storage")}
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "apps.documents.storage.FolderStorage", "OPTIONS": options}
    }
    settings.PAGES_PER_RANGE = 4
    settings.SHORT_ROAD_PAGES = 0  # ranges for short documents, too; test_short_documents.py sets it


@pytest.fixture
def project(transactional_db: None) -> Project:
    return accounts.default_project()


@pytest.fixture
def submit(project: Project) -> Submit:
    def submit(
        content: bytes | None = None,
        *,
        pages: int = 10,
        lines: int = 12,
        owner: Project | None = None,
        kept_as_file: bool = True,
        **request: Any,
    ) -> ParseJob:
        owner = owner or project
        body = io.BytesIO(long_document(pages, lines=lines) if content is None else content)
        document = documents.store_upload(project=owner, name="long.pdf", content=body, kept_as_file=kept_as_file)
        asked = {"mode": "fast", "tier": "fast", "version": "latest"} | request
        asked["options"] = JobOptions.model_validate(asked.get("options", {}))
        return submit_job(project=owner, document=document, request=JobRequest(**asked))

    return submit


def ended_days_ago(job: ParseJob, *, days: float = 40) -> ParseJob:
    """Change the job as if it had ended this number of days ago."""
    ended = timezone.now() - timedelta(days=days)
    ParseJob.objects.filter(pk=job.pk).update(finished_at=ended, retention_days=None)
    return job


def exists(job: ParseJob) -> bool:
    return ParseJob.objects.filter(pk=job.pk).exists()


def open_steps(job: ParseJob, stage: Stage | None = None) -> list[Step]:
    steps = Step.objects.filter(job=job, state__in=OPEN_STEPS).order_by("pk")
    return list(steps.filter(stage=stage) if stage else steps)


def deliver(step: Step) -> None:
    """Do the work of a worker that receives the step's message."""
    DELIVER[Stage(step.stage)](step_id=step.pk, fence=step.fence)


def run_to(job: ParseJob, stage: Stage) -> ParseJob:
    """Deliver messages until the job is at this stage."""
    for _ in range(1000):
        job.refresh_from_db()
        if job.stage == stage or job.has_ended:
            return job
        steps = open_steps(job)
        assert steps, f"{job} is stuck in {job.stage}"
        deliver(steps[0])
    raise AssertionError(f"{job} did not reach {stage} within 1000 messages")


def run(job: ParseJob) -> ParseJob:
    """Deliver messages until the job has ended."""
    return run_to(job, Stage.DONE)


def rescue() -> Rescued:
    LeaderLock.objects.filter(name="rescue_jobs").delete()
    found = rescue_jobs(accept_written_answer=recognize.accept_written_answer)
    assert found is not None
    return found
