"""Jobs whose pages go to models: with a real database and Redis, and a fake of the providers' HTTP API."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from apps.accounts.models import Project, ProjectQuota
from apps.api.v1.job_metadata import job_metadata
from apps.documents import storage
from apps.documents.models import Document
from apps.jobs import queries
from apps.jobs.commands import delete
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import JobPage, PageAnswer, ParseJob, Step
from apps.jobs.scheduling import dispatch
from apps.jobs.stages.assemble import how_parsed, usage_of
from apps.jobs.stages.page_contents import stored_page
from apps.jobs.states import JobState, PageState, Stage
from apps.pages.model.blocks import encode_page
from apps.providers.models import Usage
from tests.documents.long import LINES_PER_PAGE, heading_of
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, deliver, open_steps, rescue, run, run_to

pytestmark = pytest.mark.usefixtures("gateway")
BALANCED = {"mode": "balanced", "tier": "cost_effective", "uses_models": True}


def run_without_delays(job: ParseJob, *, rounds: int = 400) -> ParseJob:
    """Deliver messages until the job has ended. Snoozed pages become due at once."""
    for _ in range(rounds):
        job.refresh_from_db()
        if job.has_ended:
            return job
        Step.objects.filter(job=job, not_before__isnull=False).update(not_before=Now())
        deliver(open_steps(job)[0])
    raise AssertionError(f"{job} has not ended after {rounds} messages")


def markdown(job: ParseJob) -> str:
    source = queries.open_result(job, "markdown.md")
    assert source is not None
    with source:
        return source.read().decode()


def parsing(job: ParseJob) -> list[dict[str, Any]]:
    return [page["parsing"] for page in metadata(job)]


def metadata(job: ParseJob) -> list[dict[str, Any]]:
    source = queries.open_result(job, "metadata.json")
    assert source is not None
    with source:
        return list(json.loads(source.read())["pages"])


@pytest.mark.parametrize("mode", ["balanced", "multimodal", "agentic"])
def test_a_page_parsed_by_a_model_has_boxes(submit: Submit, provider: FakeProvider, mode: str) -> None:
    deploy(provider)
    if mode == "multimodal":
        provider.answer(f"# {heading_of(1)}\n\nSeen, not read.")

    job = run(
        submit(
            pages=1,
            mode=mode,
            tier=mode,
            uses_models=True,
            options={"agentic_options": {"custom_prompt": "Be brief.", "check_answers": False}},
        )
    )

    assert job.state == JobState.SUCCEEDED
    assert heading_of(1) in markdown(job)
    [page] = parsing(job)
    assert (page["mode"], page["deployment"], page["cache"]) == (mode, "openai", "miss")
    assert page["requests"] == (2 if mode == "agentic" else 1)
    assert all(entry["has_image"] == (mode != "balanced") for entry in provider.requests())
    source = queries.open_result(job, "items.json")
    assert source is not None
    with source:
        items = json.loads(source.read())["pages"][0]["items"]
    assert items[0]["bbox"]


def test_custom_prompts_are_sent_to_the_model(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    prompts = {"custom_prompt": "Write sums in bold.", "system_prompt_append": "The firm is called Mill & Weir."}

    run(submit(pages=1, **BALANCED, options={"agentic_options": prompts}))

    prompt = provider.requests()[0]["text"]
    assert "Write sums in bold." in prompt
    assert "The firm is called Mill & Weir." in prompt


def test_the_second_job_of_the_same_file_uses_cached_answers(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    first = run(submit(pages=3, **BALANCED))

    again = run(submit(pages=3, **BALANCED))

    assert len(provider.requests()) == 3
    assert [page["cache"] for page in parsing(again)] == ["hit"] * 3
    assert [job_metadata(job)["job_is_cache_hit"] for job in (first, again)] == [False, True]
    assert usage_of(again)["requests"] == 0
    assert usage_of(again)["cost_usd"] == 0


@pytest.mark.parametrize(
    ("first", "second", "requests"),
    [
        ({}, {"disable_cache": True}, 2),
        ({}, {"invalidate_cache": True}, 2),
        ({"do_not_cache": True}, {}, 2),
        ({}, {"agentic_options": {"custom_prompt": "Otherwise."}}, 2),
        ({"agentic_options": {"check_answers": False}}, {}, 2),
        ({}, {}, 1),
    ],
)
def test_the_cache_follows_the_options(
    submit: Submit, provider: FakeProvider, first: dict[str, Any], second: dict[str, Any], requests: int
) -> None:
    deploy(provider)
    for options in (first, second):
        run(submit(pages=1, **BALANCED, options=options))

    assert len(provider.requests()) == requests


@pytest.mark.parametrize("mode", ["balanced", "multimodal"])
def test_an_answer_is_compared_with_its_page_whatever_the_prompt(
    submit: Submit, provider: FakeProvider, mode: str
) -> None:
    deploy(provider)
    provider.answer("Invoice 9999, nothing else to see.")
    prompts: dict[str, Any] = {"custom_prompt": "Be brief."}

    refused, kept = (
        run(submit(pages=1, mode=mode, tier=mode, uses_models=True, options={"agentic_options": {**prompts, **check}}))
        for check in ({}, {"check_answers": False})
    )

    assert "9999" not in markdown(refused)
    assert parsing(refused)[0]["fallback_used"]
    assert "9999" in markdown(kept)
    assert "answer_differs" in [warning["code"] for warning in kept.warnings]
    assert parsing(kept)[0]["fidelity"]["numbers_added"] == ["9999"]


def test_usage_of_a_job_counts_cached_and_thinking_tokens(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, cached_input_price="1.25")
    provider.count_tokens(input=793, cached=700, output=500, thinking=300)

    job = run(submit(pages=2, **BALANCED))

    assert job.result_facts["usage"] == {
        "requests": 2,
        "input_tokens": 1586,
        "output_tokens": 1000,
        "cached_input_tokens": 1400,
        "reasoning_tokens": 600,
        "cost_usd": 2 * (93 * 2.5 + 700 * 1.25 + 5000) / 1e6,
    }


LISTED = {"input": "2", "output": "8", "input flex": "1", "output flex": "4"}


def test_a_job_that_can_wait_costs_half(submit: Submit, provider: FakeProvider, settings: Any) -> None:
    deploy(provider, prices=None, listed_prices=LISTED)
    provider.count_tokens(input=1800, output=1000)

    job = run(submit(pages=2, **BALANCED, options={"urgency": "hours", "max_cost": 1}))

    assert usage_of(job)["cost_usd"] == 2 * (1800 * 1 + 1000 * 4) / 1e6
    assert set(Usage.objects.values_list("service_tier", flat=True)) == {"flex"}
    assert job.warnings == []
    assert job.deadline_at - job.created_at > timedelta(seconds=settings.MAX_JOB_SECONDS - 60)


def test_a_job_pays_the_usual_price_in_the_second_half_of_its_time(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, prices=None, listed_prices=LISTED)
    job = run_to(submit(pages=1, **BALANCED, options={"urgency": "hours"}), Stage.MODEL)
    ParseJob.objects.filter(pk=job.pk).update(created_at=job.deadline_at - timedelta(hours=12))

    run(job)

    assert Usage.objects.get().service_tier == ""


def test_cached_answers_are_not_shared_between_projects(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    run(submit(pages=1, **BALANCED))

    run(submit(pages=1, **BALANCED, owner=Project.objects.create(name="another")))

    assert len(provider.requests()) == 2


def test_deleting_a_document_deletes_its_cached_answers(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    job = run(submit(pages=2, **BALANCED))
    assert PageAnswer.objects.count() == 2

    delete.delete_document(document=Document.objects.get(pk=job.document_id))

    assert not PageAnswer.objects.exists()


def test_a_rate_limited_page_is_snoozed_without_an_attempt(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    provider.fault("status", times=1, code=429, retry_after="30")
    job = run_to(submit(pages=1, **BALANCED), Stage.MODEL)
    [step] = open_steps(job)

    deliver(step)

    page = JobPage.objects.get(job=job)
    step.refresh_from_db()
    assert (page.state, page.attempts, step.starts) == (
        PageState.WAITING,
        1,
        0,
    )  # the one attempt extracted the text layer
    assert step.not_before is not None


def test_no_page_fails_when_every_third_request_fails(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, "openai")
    deploy(provider, "anthropic", order=2)
    for number, kind in enumerate(("overloaded", "html", "cut_text", "reset", "status")):
        details: dict[str, Any] = {"code": 500} if kind == "status" else {}
        provider.fault(kind, share=0.06, seed=number, at_most_per_prompt=2, **details)

    job = run_without_delays(submit(pages=30, **BALANCED))

    answered = [entry for entry in provider.requests() if entry["status"] == 200]
    assert (job.state, JobPage.objects.filter(job=job, fallback="").count()) == (JobState.SUCCEEDED, 30)
    assert Usage.objects.exclude(http_status=None).count() + Usage.objects.filter(outcome="answered").count() >= len(
        answered
    )
    assert usage_of(job)["requests"] == Usage.objects.filter(job_id=job.pk).count()
    assert "fallback_used" not in {warning["code"] for warning in job.warnings}


def test_pages_keep_their_fallback_text_when_all_deployments_are_down(
    submit: Submit, provider: FakeProvider, settings: Any
) -> None:
    settings.PROVIDER_OUTAGE_SECONDS = 0
    deploy(provider)
    provider.stop()
    try:
        job = run_without_delays(submit(pages=2, **BALANCED))
    finally:
        provider.start()

    assert job.state == JobState.SUCCEEDED
    assert heading_of(2) in markdown(job)
    assert [page["fallback_used"] for page in parsing(job)] == [True, True]
    assert {warning["code"] for warning in job.warnings} == {"fallback_used"}
    assert not PageAnswer.objects.exists()


def test_a_page_is_snoozed_during_an_outage_without_an_attempt(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    job = run_to(submit(pages=1, **BALANCED), Stage.MODEL)
    provider.stop()
    try:
        deliver(open_steps(job)[0])
    finally:
        provider.start()
    waiting = open_steps(job)[0]
    assert (waiting.starts, waiting.outage_since is not None) == (0, True)

    run_without_delays(job)

    assert parsing(job)[0]["deployment"] == "openai"


def test_pages_open_at_the_deadline_keep_their_fallback_text(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    job = run_to(submit(pages=2, **BALANCED), Stage.MODEL)
    ParseJob.objects.filter(pk=job.pk).update(deadline_at=job.created_at)

    rescue()
    run(job)

    assert job.state == JobState.SUCCEEDED
    assert [page["fallback_reason"] for page in parsing(job)] == ["job_deadline_exceeded"] * 2


def test_a_project_without_external_providers_overrides_the_job(
    submit: Submit, project: Project, provider: FakeProvider
) -> None:
    deploy(provider)
    ProjectQuota.objects.create(project=project, allow_external=False)

    job = run(submit(pages=2, **BALANCED, options={"allow_external": True, "providers": ["openai-account"]}))

    assert provider.requests() == []
    assert job.state == JobState.SUCCEEDED
    assert [page["fallback_reason"] for page in parsing(job)] == ["provider_not_allowed"] * 2


@pytest.mark.parametrize(
    ("on_budget", "state", "failed"), [("degrade", JobState.SUCCEEDED, 0), ("stop", JobState.PARTIAL, None)]
)
def test_the_budget_of_a_job_is_never_exceeded(
    submit: Submit, provider: FakeProvider, on_budget: str, state: str, failed: int | None
) -> None:
    deploy(provider, prices=("2", "20"))

    options = {"max_cost": 0.3, "on_budget": on_budget}
    job = run_without_delays(submit(pages=12, lines=LINES_PER_PAGE, **BALANCED, options=options))

    spent = usage_of(job)["cost_usd"]
    assert job.state == state
    assert isinstance(spent, float)
    assert 0 < spent <= 0.3
    refused = JobPage.objects.filter(job=job, error_code="budget_exceeded")
    assert 0 < refused.count() < 12
    assert failed is None or JobPage.objects.filter(job=job, state=PageState.FAILED).count() == failed


def test_auto_mode_rules_choose_the_mode_of_a_page_and_record_the_reason(
    submit: Submit, provider: FakeProvider
) -> None:
    deploy(provider)
    rules = [{"text_in_page": heading_of(2), "parsing_conf": {"tier": "agentic", "version": "latest"}}]

    job = run(submit(pages=3, **BALANCED, options={"processing_options": {"auto_mode_configuration": rules}}))

    pages = parsing(job)
    assert [page["mode"] for page in pages] == ["balanced", "agentic", "balanced"]
    assert pages[1]["reason"] == "rule 1: text_in_page"
    assert [page.get("triggered_auto_mode") for page in metadata(job)] == [None, True, None]
    assert job.result_facts["credits"] == 3 + 10 + 3


def test_easy_pages_of_an_expensive_job_go_to_the_cheaper_mode(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    asked = {"processing_options": {"cost_optimizer": {"enable": True}}}

    job = run(submit(pages=2, mode="agentic", tier="agentic", uses_models=True, options=asked))

    assert [page["mode"] for page in parsing(job)] == ["balanced", "balanced"]
    assert parsing(job)[0]["reason"].startswith("cost optimizer: ")
    assert [page.get("cost_optimized") for page in metadata(job)] == [True, True]


def test_pages_of_a_cancelled_job_make_no_calls(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    job = run_to(submit(pages=3, **BALANCED), Stage.MODEL)
    steps = open_steps(job)
    cancel_job(job=job)

    for step in steps:
        deliver(step)

    assert provider.requests() == []


def test_a_late_answer_is_paid_for_and_discarded(
    submit: Submit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(provider)
    job = run_to(submit(pages=1, **BALANCED), Stage.MODEL)
    [step] = open_steps(job)
    provider.set_latency(0.3)
    Step.objects.filter(pk=step.pk).update(starts=0)
    create = Usage.objects.bulk_create

    def create_and_claim(rows: list[Usage]) -> list[Usage]:
        created = create(rows)
        Step.objects.filter(pk=step.pk).update(fence=99)  # another worker claimed the page during the call
        return created

    monkeypatch.setattr(Usage.objects, "bulk_create", create_and_claim)
    deliver(step)

    assert Usage.objects.get().outcome == "answered"
    assert JobPage.objects.get(job=job).facts == {}


def test_a_project_without_pages_left_fails_its_job_with_the_reason(
    submit: Submit, project: Project, provider: FakeProvider
) -> None:
    ProjectQuota.objects.create(project=project, pages_per_day=5)

    first, second = run(submit(pages=4)), run(submit(pages=4))

    assert (first.state, second.state, second.error_code) == (JobState.SUCCEEDED, JobState.FAILED, "quota_exceeded")
    assert "It has parsed 4" in second.error_detail


def test_jobs_beyond_the_projects_limit_wait(submit: Submit, project: Project) -> None:
    ProjectQuota.objects.create(project=project, concurrent_jobs=1)
    dispatch.dispatch_due()
    first = run_to(submit(pages=4), Stage.EXTRACT)
    second = submit(pages=4)
    dispatch.dispatch_due()
    assert Step.objects.get(job=second).sent_at is None

    run(first)

    assert queries.jobs_that_may_start(project.pk) == 1
    assert run(second).state == JobState.SUCCEEDED


@pytest.mark.parametrize("mode", ["balanced", "agentic"])
def test_a_model_is_told_how_the_page_before_ends(submit: Submit, provider: FakeProvider, mode: str) -> None:
    deploy(provider)

    run(submit(pages=5, mode=mode, tier=mode, uses_models=True))

    ends = [re.findall(r"It ends: 12\. .* (\d)\n</page_before", entry["text"]) for entry in provider.requests()]
    # Ranges have four pages here. In agentic mode each page is asked for twice, and the request has its context twice.
    assert {number for found in ends for number in found} == {"1", "2", "3", "4"}
    assert [] in ends
    assert all(len(found) < 2 for found in ends)


def test_a_model_is_told_how_a_recognized_page_before_ends(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    job = run_to(submit(pages=3, mode="balanced", tier="balanced", uses_models=True), Stage.ROUTE)
    for row in JobPage.objects.filter(job=job):  # OCR writes a file for each page
        page = stored_page(row)
        row.content = storage.page_content(job.pk, first=row.number, last=row.number, attempt="ocr")
        storage.write(row.content, encode_page(page) + b"\n")
        row.save()

    run(job)

    ends = [re.findall(r"It ends: 12\. .* (\d)\n</page_before", entry["text"]) for entry in provider.requests()]
    assert sorted(ends) == [[], ["1"], ["2"]]
    assert all("read_content" not in how_parsed(row) for row in JobPage.objects.filter(job=job))
