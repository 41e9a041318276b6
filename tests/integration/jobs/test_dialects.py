"""Document models parse pages of a job with their own prompt, size of picture and form of answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.jobs import queries
from apps.jobs.models import ParseJob
from apps.jobs.states import JobState
from apps.pages.sandbox.preload import assembled_pdf
from apps.providers.catalog import catalog
from apps.providers.model_facts.dialects import DIALECTS
from apps.providers.models import Deployment, Usage
from tests.documents.hostile import stream
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, run

pytestmark = pytest.mark.usefixtures("gateway")
MULTIMODAL = {"mode": "multimodal", "tier": "multimodal", "uses_models": True}
LVM_ONLY: dict[str, Any] = {"serves_llm": False, "serves_agent": False, "serves_lvm": True}
HEADING, SENTENCE, ITEM = "Annual report", "Sales rose by 4 percent in the third year.", "Rent rose to 700 EUR."
PAGE = assembled_pdf(
    b"<</Type/Catalog/Pages 2 0 R>>",
    b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
    b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R/Resources<</Font<</F 3 0 R>>>>>>",
    stream(
        f"BT /F 16 Tf 60 600 Td ({HEADING}) Tj ET BT /F 9 Tf 60 560 Td ({SENTENCE}) Tj ET "
        f"BT /F 9 Tf 60 540 Td (- {ITEM}) Tj ET".encode()
    ),
)
BODY = f"# {HEADING}\n\n{SENTENCE}\n\n- {ITEM}"
ANSWERS = {
    "markdown": BODY,
    "olmocr": f"---\nprimary_language: en\nis_rotation_valid: True\n---\n{BODY}",
    "nanonets_ocr": BODY,
    "paddleocr_vl": BODY,
    "dots_ocr": json.dumps(
        [
            {"bbox": [100, 100, 900, 140], "category": "Title", "text": f"# {HEADING}"},
            {"bbox": [100, 200, 900, 300], "category": "Text", "text": SENTENCE},
            {"bbox": [100, 310, 900, 330], "category": "List-item", "text": f"- {ITEM}"},
        ]
    ),
    "doctags": (
        f"<doctag><title><loc_50><loc_100><loc_400><loc_120>{HEADING}</title><text>{SENTENCE}</text>"
        f"<unordered_list><list_item>{ITEM}</list_item></unordered_list></doctag>"
    ),
    "deepseek_ocr": (
        f"<|ref|>title<|/ref|><|det|>[[99, 50, 900, 70]]<|/det|>\n# {HEADING}\n\n"
        f"<|ref|>text<|/ref|><|det|>[[99, 100, 900, 150]]<|/det|>\n{SENTENCE}\n\n- {ITEM}"
    ),
    "mineru": (
        f"<|box_start|>100 50 900 70<|box_end|><|ref_start|>title<|ref_end|><|md_start|># {HEADING}<|md_end|>\n"
        f"<|box_start|>100 90 900 99<|box_end|><|ref_start|>text<|ref_end|><|md_start|>{SENTENCE}<|md_end|>\n"
        f"<|box_start|>100 90 900 99<|box_end|><|ref_start|>list<|ref_end|><|md_start|>- {ITEM}<|md_end|>"
    ),
}


def result(job: ParseJob, name: str) -> str:
    source = queries.open_result(job, name)
    assert source is not None
    with source:
        return source.read().decode()


def parsing(job: ParseJob) -> dict[str, Any]:
    return dict(json.loads(result(job, "metadata.json"))["pages"][0]["parsing"])


@pytest.mark.parametrize("dialect", ANSWERS)
def test_a_page_is_parsed_by_a_document_model(submit: Submit, provider: FakeProvider, dialect: str) -> None:
    deploy(provider, "local", dialect=dialect, **LVM_ONLY)
    provider.answer(ANSWERS[dialect], end_line=False)

    job = run(submit(PAGE, **MULTIMODAL))

    assert job.state == JobState.SUCCEEDED
    assert "fallback_reason" not in parsing(job)
    assert result(job, "markdown.md") == f"{BODY}\n"
    assert parsing(job)["prompt"] == dialect
    [request] = provider.requests()
    assert request["text"].strip() == DIALECTS[dialect].prompt.strip()
    assert max(request["image_sizes"][0]) == pytest.approx(DIALECTS[dialect].picture_pixels, abs=1)


def test_an_answer_without_a_finish_reason_is_taken(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, "local", dialect="markdown", **LVM_ONLY)
    provider.answer(ANSWERS["markdown"], end_line=False)
    provider.fault("no_finish_reason")

    job = run(submit(PAGE, **MULTIMODAL))

    assert "fallback_reason" not in parsing(job)
    assert result(job, "markdown.md") == f"{BODY}\n"
    assert len(provider.requests()) == 1


def test_every_dialect_is_tried_here() -> None:
    assert set(ANSWERS) == set(DIALECTS) - {""}


def test_a_deployment_has_a_prompt_and_a_size_of_picture_of_its_own(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, "local", dialect="markdown", prompt="Write it down.", picture_pixels=1000, **LVM_ONLY)
    provider.answer(BODY, end_line=False)

    run(submit(PAGE, **MULTIMODAL))

    [request] = provider.requests()
    assert request["text"] == "Write it down."
    assert max(request["image_sizes"][0]) == pytest.approx(1000, abs=1)


def test_a_cut_answer_of_a_document_model_is_refused(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, "local", dialect="markdown", **LVM_ONLY)
    provider.answer(BODY, end_line=False)
    provider.fault("cut_text", finish="length")

    job = run(submit(PAGE, **MULTIMODAL))

    assert parsing(job)["fallback_used"]


def test_a_page_with_instructions_goes_to_a_model_that_follows_them(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, "local", dialect="dots_ocr", **LVM_ONLY)
    deploy(provider, "openai", order=2)
    provider.answer(BODY)

    job = run(submit(PAGE, **MULTIMODAL, options={"agentic_options": {"custom_prompt": "Write sums in bold."}}))

    assert parsing(job)["deployment"] == "openai"
    assert [entry["family"] for entry in provider.requests()] == ["openai"]


def test_sums_are_bold_if_the_sender_wishes_it(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    provider.answer(f"# {HEADING}\n\n{SENTENCE}\n\n- Rent rose to **700 EUR**.", when="Write all sums in bold.")

    job = run(submit(PAGE, **MULTIMODAL, options={"agentic_options": {"custom_prompt": "Write all sums in bold."}}))

    assert result(job, "markdown.md").splitlines()[-1] == "- Rent rose to **700 EUR**."
    [value] = [
        item["items"][0] for item in json.loads(result(job, "items.json"))["pages"][0]["items"] if "items" in item
    ]
    assert (value["md"], value["value"]) == ("Rent rose to **700 EUR**.", ITEM)


@pytest.mark.parametrize("mode", ["balanced", "multimodal", "agentic"])
def test_a_complete_answer_without_the_end_line_is_taken(submit: Submit, provider: FakeProvider, mode: str) -> None:
    deploy(provider)
    provider.answer(BODY, end_line=False)

    job = run(submit(PAGE, mode=mode, tier=mode, uses_models=True))

    assert result(job, "markdown.md") == f"{BODY}\n"
    assert "fallback_used" not in parsing(job)


def test_an_incomplete_answer_without_the_end_line_is_refused(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    provider.answer(f"# {HEADING}", end_line=False)

    job = run(submit(PAGE, **MULTIMODAL))

    assert parsing(job)["fallback_used"]
    assert set(Usage.objects.values_list("error_code", flat=True)) == {"output_incomplete"}


@pytest.mark.parametrize("mode", ["multimodal", "agentic"])
@pytest.mark.parametrize("family", ["anthropic", "bedrock", "vertex-claude"])
def test_claude_gets_a_picture_of_the_size_that_it_sees(
    submit: Submit, provider: FakeProvider, family: str, mode: str
) -> None:
    deploy(provider, family)
    provider.answer(BODY)

    run(submit(PAGE, mode=mode, tier=mode, uses_models=True))

    sizes = [entry["image_sizes"] for entry in provider.requests() if entry["has_image"]]
    assert sizes
    assert all(max(pictures[0]) == pytest.approx(1568, abs=1) for pictures in sizes)


CHANGES: list[dict[str, Any]] = [
    {"dialect": "markdown"},
    {"prompt": "Write it down."},
    {"picture_pixels": 1000},
    {"parameters": {"temperature": 0.5}},
    {"model": "another-model"},
    {"base_model": "gpt-4o"},
    {"thinking": "low"},
]


@pytest.mark.parametrize("change", CHANGES, ids=["-".join(change) for change in CHANGES])
def test_a_change_of_the_deployment_makes_a_new_request(
    submit: Submit, provider: FakeProvider, change: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"dialect": "olmocr"} if "prompt" in change else {}
    deployment = deploy(provider, "local", **LVM_ONLY, **given)
    provider.answer(BODY)
    run(submit(PAGE, **MULTIMODAL))
    assert parsing(run(submit(PAGE, **MULTIMODAL)))["cache"] == "hit"

    Deployment.objects.filter(pk=deployment.pk).update(**change)
    catalog.forget()

    assert parsing(run(submit(PAGE, **MULTIMODAL)))["cache"] == "miss"


@pytest.mark.parametrize("family", ["openai", "anthropic", "gemini", "vertex-claude", "bedrock", "local"])
def test_an_agent_that_finds_its_draft_right_does_not_write_the_page_again(
    submit: Submit, provider: FakeProvider, family: str
) -> None:
    deploy(provider, family)
    provider.answer(BODY, times=1)

    job = run(submit(PAGE, mode="agentic", tier="agentic", uses_models=True))

    assert result(job, "markdown.md") == f"{BODY}\n"
    first, second = Usage.objects.order_by("pk")
    assert second.output_tokens is not None
    assert first.output_tokens is not None
    assert second.output_tokens < first.output_tokens / 2
    assert "call finish with the word ok alone" in provider.requests()[-1]["text"]


def test_an_agent_corrects_its_draft(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    provider.answer(BODY.replace("700", "800"), times=1)
    provider.answer(BODY)

    job = run(submit(PAGE, mode="agentic", tier="agentic", uses_models=True))

    assert "Numbers missing: 700." in provider.requests()[-1]["text"]
    assert result(job, "markdown.md") == f"{BODY}\n"


def test_a_wrong_draft_that_the_agent_approves_is_refused(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    provider.answer(BODY.replace("700", "800"), times=1)

    job = run(submit(PAGE, mode="agentic", tier="agentic", uses_models=True))

    assert parsing(job)["fallback_used"]
    assert result(job, "markdown.md") == f"{BODY}\n"
