"""What a request for models is told when nobody serves it: the reason that is in the way, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now

from apps.accounts.models import Project
from apps.jobs.errors import ModeNotAvailable
from apps.jobs.options import JobOptions
from apps.jobs.scheduling.admission import admit
from apps.providers.catalog import catalog
from apps.providers.models import Provider
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider


def refused(project: Project, **options: Any) -> str:
    with pytest.raises(ModeNotAvailable) as told:
        admit(project=project, mode="balanced", options=JobOptions.model_validate(options), asked="balanced")
    return told.value.detail


@pytest.fixture(autouse=True)
def _refusing(settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = ""


def test_a_provider_in_trouble_is_the_reason_and_not_that_others_were_not_named(
    project: Project, provider: FakeProvider
) -> None:
    deploy(provider, "openai")
    deploy(provider, "anthropic")
    Provider.objects.filter(name="openai-account").update(trouble_code="provider_auth_failed", trouble_at=Now())
    catalog.forget()

    told = refused(project, providers=["openai-account"])

    assert "(openai of openai-account is out of order: provider_auth_failed). " in told
    assert "check_providers" in told
    assert "does not name" not in told


def test_a_paused_deployment_is_the_reason(project: Project, provider: FakeProvider) -> None:
    deploy(provider, "openai", paused=True)

    assert "(openai of openai-account is paused)" in refused(project)


def test_a_rule_is_the_reason_where_it_also_keeps_out_what_is_in_trouble(
    project: Project, provider: FakeProvider
) -> None:
    deploy(provider, "openai", trouble_code="provider_model_not_found", trouble_at=Now())
    deploy(provider, "anthropic")

    told = refused(project, allow_external=False)

    assert "the job allows no external provider" in told
    assert "out of order" not in told


def test_without_any_provider_loading_one_is_the_advice(project: Project) -> None:
    catalog.forget()

    assert refused(project).startswith(
        "No provider serves the mode balanced of the tier balanced. Load one with `manage.py load_providers`"
    )


def test_the_warning_of_a_job_that_fast_mode_parses_has_the_reason(
    project: Project, provider: FakeProvider, settings: Any
) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"
    deploy(provider, "openai", paused=True)

    admission = admit(project=project, mode="balanced", options=JobOptions(), asked="balanced")

    assert admission.mode == "fast"
    [warning] = admission.warnings
    assert warning["detail"] == (
        "No provider serves the mode balanced (openai of openai-account is paused); fast mode takes its place."
    )
