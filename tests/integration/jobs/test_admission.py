"""The reason in the error when no provider can serve a request for models, and warnings about prices."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import Project, ProjectQuota
from apps.jobs.errors import InvalidOption, ModeNotAvailable, QueueFull, QuotaExceeded
from apps.jobs.models import ParseJob
from apps.jobs.options import JobOptions
from apps.jobs.scheduling import admission
from apps.jobs.scheduling.admission import admit
from apps.jobs.states import JobState
from apps.providers.catalog import catalog
from apps.providers.models import Provider, Usage
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


def warnings(project: Project, **options: Any) -> list[tuple[str, str]]:
    """Request balanced mode with these options, and return the codes and options of the warnings."""
    chosen = JobOptions.model_validate(options)
    admission = admit(project=project, mode="balanced", options=chosen, tier="balanced")
    return [(warning["code"], warning.get("option", "")) for warning in admission.warnings]


def test_a_job_that_waits_in_vain_for_a_lower_price_is_warned(project: Project, provider: FakeProvider) -> None:
    deploy(provider)

    assert warnings(project, urgency="hours") == [("option_without_effect", "urgency")]
    assert warnings(project) == []

    deploy(provider, name="cheap", listed_prices={"input flex": "1", "input": "2", "output": "8"})
    assert warnings(project, urgency="hours") == []


def test_a_cost_limit_without_a_price_is_refused(project: Project, provider: FakeProvider) -> None:
    deploy(provider, prices=None)

    with pytest.raises(InvalidOption) as error:
        warnings(project, max_cost=1)

    assert "max_cost cannot be guaranteed: the price of openai is unknown" in error.value.detail
    assert warnings(project) == []


def test_a_projects_money_for_a_day_counts_the_calls_whose_cost_is_known(
    project: Project, provider: FakeProvider
) -> None:
    ProjectQuota.objects.create(project=project, dollars_per_day="0.50")
    deploy(provider, prices=None)
    call = {"project_id": project.pk, "job_id": "pjb-1", "page_number": 1, "started_at": Now()}
    call |= {"input_tokens": 1, "output_tokens": 1}
    Usage.objects.create(**call, cost_nanos=None)
    Usage.objects.create(**call, cost_nanos=499_000_000)
    assert warnings(project) == [("price_unknown", "")]

    Usage.objects.create(**call, cost_nanos=1_000_000)

    with pytest.raises(QuotaExceeded):
        warnings(project)


def test_too_many_open_pages_are_refused_until_jobs_end(
    project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "ROOM_SECONDS", 0.0)
    settings.PROJECT_OPEN_PAGES, settings.OPEN_PAGES = 5, 9
    other = Project.objects.create(name="another")
    now = timezone.now()
    for owner, pages in ((project, 4), (project, None), (other, 4)):
        ParseJob.objects.create(
            project=owner, page_count=pages, mode="fast", tier="fast", created_at=now, updated_at=now, deadline_at=now
        )

    def refusal_of(owner: Project) -> str:
        try:
            admit(project=owner, mode="fast", options=JobOptions(), tier="fast")
        except QueueFull as error:
            return error.detail
        return ""

    assert "This project has 5 pages to parse, 5 is the limit" in refusal_of(project)
    assert "The service has 9 pages to parse, 9 is the limit" in refusal_of(other)
    ParseJob.objects.filter(page_count=None).update(state=JobState.SUCCEEDED)
    assert (refusal_of(project), refusal_of(other)) == ("", "")
