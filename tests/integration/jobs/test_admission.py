"""The reason in the error when no provider can serve a request for models."""

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


def refusal(project: Project, **options: Any) -> str:
    """Request balanced mode with these options, and return the detail of the error."""
    with pytest.raises(ModeNotAvailable) as error:
        admit(project=project, mode="balanced", options=JobOptions.model_validate(options), tier="balanced")
    return error.value.detail


@pytest.fixture(autouse=True)
def _no_fast_mode_instead(settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = ""


def test_a_broken_provider_is_the_reason_although_other_providers_are_not_named(
    project: Project, provider: FakeProvider
) -> None:
    deploy(provider, "openai")
    deploy(provider, "anthropic")
    Provider.objects.filter(name="openai-account").update(trouble_code="provider_auth_failed", trouble_at=Now())
    catalog.forget()

    detail = refusal(project, providers=["openai-account"])

    assert "(openai of openai-account is out of order: provider_auth_failed). " in detail
    assert "check_providers" in detail
    assert "does not name" not in detail


def test_a_paused_deployment_is_the_reason(project: Project, provider: FakeProvider) -> None:
    deploy(provider, "openai", paused=True)

    assert "(openai of openai-account is paused)" in refusal(project)


def test_a_provider_rule_is_the_reason_if_it_also_excludes_the_broken_provider(
    project: Project, provider: FakeProvider
) -> None:
    deploy(provider, "openai", trouble_code="provider_model_not_found", trouble_at=Now())
    deploy(provider, "anthropic")

    detail = refusal(project, allow_external=False)

    assert "the job allows no external provider" in detail
    assert "out of order" not in detail


def test_without_any_provider_the_advice_is_to_load_one(project: Project) -> None:
    catalog.forget()

    assert refusal(project).startswith(
        "No provider serves the mode balanced of the tier balanced. Load one with `manage.py load_providers`"
    )


def test_the_warning_about_fast_mode_contains_the_reason(
    project: Project, provider: FakeProvider, settings: Any
) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"
    deploy(provider, "openai", paused=True)

    admission = admit(project=project, mode="balanced", options=JobOptions(), tier="balanced")

    assert admission.mode == "fast"
    [warning] = admission.warnings
    assert warning["detail"] == (
        "No provider serves the mode balanced (openai of openai-account is paused); fast mode takes its place."
    )
