"""Jobs that ask a model about their document: what becomes of their steps when workers, models or people stop them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now

from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.models import JobKind, PageAttempt, ParseJob, Step
from apps.jobs.scheduling.claims import start_attempt
from apps.jobs.states import JobState, Stage
from apps.parsing.annotations.tasks import AnnotationTask
from apps.providers.models import Usage
from tests.documents.invoices import SCHEMA, invoice
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, deliver, open_steps, rescue, run, run_to

pytestmark = pytest.mark.usefixtures("gateway")


def extract(submit: Submit, number: int = 3, **task: Any) -> ParseJob:
    """Submit the extraction of an invoice of two pages."""
    wanted = AnnotationTask(**{"kind": "extract", "schema_": SCHEMA, "cites": True, **task})
    return submit(invoice(number).content, kind=JobKind.EXTRACT, annotation=wanted, uses_models=True)


def test_an_annotation_of_a_lost_worker_is_done_by_another(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    job = run_to(extract(submit), Stage.ANNOTATE)
    [step] = open_steps(job)
    start_attempt(step_id=step.pk, fence=step.fence)
    Step.objects.filter(pk=step.pk).update(lease_expires_at=Now())

    assert rescue().leases == 1
    deliver(step)  # the message of the lost worker comes again

    assert provider.requests() == []
    assert run(job).state == JobState.SUCCEEDED
    outcomes = PageAttempt.objects.filter(stage=Stage.ANNOTATE).order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == ["lease_lost", "accepted"]


def test_a_cancelled_job_asks_no_model(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    job = run_to(extract(submit), Stage.ANNOTATE)
    [step] = open_steps(job)

    cancel_job(job=job)
    deliver(step)

    assert provider.requests() == []
    assert not Usage.objects.exists()


def test_a_failed_annotation_is_tried_again_without_parsing(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    provider.answer("no JSON", times=2)
    job = run(extract(submit))
    assert (job.state, job.error_code) == (JobState.FAILED, "output_invalid")

    job = run(retry_pages(job=job))

    assert job.state == JobState.SUCCEEDED
    assert PageAttempt.objects.filter(job=job, stage=Stage.EXTRACT).count() == 1


def test_only_the_pages_whose_annotation_failed_are_annotated_again(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    provider.answer("no JSON", when="Page 2:", times=2)
    wanted = {"type": "object", "properties": {"grand_total": {"type": ["number", "null"]}}}
    job = run(extract(submit, target="page", schema_=wanted))
    assert job.state == JobState.PARTIAL
    assert [warning["code"] for warning in job.warnings] == ["pages_not_annotated"]
    asked = len(provider.requests())

    job = run(retry_pages(job=job))

    assert (job.state, job.warnings) == (JobState.SUCCEEDED, [])
    assert len(provider.requests()) == asked + 1


def test_a_document_that_is_too_long_for_a_model_fails_before_it_is_sent(
    submit: Submit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(provider)
    monkeypatch.setattr("apps.parsing.annotations.annotate.MAX_TEXT_CHARS", 100)

    job = run(extract(submit))

    assert (job.state, job.error_code) == (JobState.FAILED, "document_too_long")
    assert provider.requests() == []
