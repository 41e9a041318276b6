"""Estimates compared with the usage of the same jobs on the fake provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import Project
from apps.jobs.commands.estimate import Estimate, estimate_parse
from apps.jobs.commands.submit import JobRequest
from apps.jobs.options import JobOptions
from apps.jobs.states import JobState
from apps.providers.catalog import catalog
from apps.providers.ledger import spent_by_job
from apps.providers.models import Deployment, Usage
from tests.documents.long import long_document
from tests.documents.scans import scanned_pdf
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, run

pytestmark = pytest.mark.usefixtures("gateway")
REPORT = Path(__file__).resolve().parents[3] / "examples" / "report.pdf"


def estimate(project: Project, content: bytes, folder: Path, **request: Any) -> Estimate:
    path = folder / "estimated.pdf"
    path.write_bytes(content)
    asked = {"mode": "", "tier": "", "version": ""} | request
    asked["options"] = JobOptions.model_validate(asked.get("options", {}))
    return estimate_parse(project=project, path=path, name="long.pdf", request=JobRequest(**asked))


@pytest.mark.parametrize("mode", ["balanced", "agentic"])
@pytest.mark.parametrize("document", ["report", "long"])
def test_the_cost_of_the_job_is_within_the_estimated_range(
    submit: Submit, project: Project, provider: FakeProvider, tmp_path: Path, mode: str, document: str
) -> None:
    deploy(provider, "local")
    content = REPORT.read_bytes() if document == "report" else long_document(40, lines=12)
    found = estimate(project, content, tmp_path, mode=mode, tier=mode).modes[mode]

    job = run(submit(content, mode=mode, tier=mode, uses_models=True))

    assert job.state == JobState.SUCCEEDED
    used = spent_by_job(job.pk)
    assert found.requests == used.requests
    assert found.cost is not None
    assert used.dollars is not None
    assert found.cost.low <= used.dollars <= found.cost.high


def test_listed_prices_count_for_each_call_and_not_for_the_sum_of_all(
    project: Project, provider: FakeProvider, tmp_path: Path
) -> None:
    listed = {"input": "2", "output": "8", "input flex": "1", "output flex": "4"}
    row = deploy(provider, prices=None, listed_prices=listed)
    usual = estimate(project, long_document(200), tmp_path).modes["balanced"]
    patient = estimate(project, long_document(200), tmp_path, options={"urgency": "hours"}).modes["balanced"]
    Deployment.objects.filter(pk=row.pk).update(listed_prices=listed | {"input above 200000": "4"})
    catalog.forget()

    assert usual.input_tokens > 200_000
    again = estimate(project, long_document(200), tmp_path).modes["balanced"].cost
    assert usual.cost
    assert patient.cost
    assert again
    assert again.high == pytest.approx(usual.cost.high, rel=0.01)  # a sample of the pages differs each time
    assert patient.cost.low == pytest.approx(usual.cost.low / 2, rel=0.01)
    assert patient.cost.high == pytest.approx(usual.cost.high, rel=0.01)


def test_the_picture_counts_as_the_model_of_the_deployment_counts_it(
    project: Project, provider: FakeProvider, tmp_path: Path
) -> None:
    row = deploy(provider, model="gpt-4o")

    def tokens_with(**fields: Any) -> int:
        Deployment.objects.filter(pk=row.pk).update(**fields)
        catalog.forget()
        return estimate(project, long_document(1), tmp_path).modes["multimodal"].input_tokens

    usual = tokens_with()
    assert tokens_with(model="gpt-4o-mini") - usual == pytest.approx(
        4 * (5667 - 170) + 2833 - 85, abs=30
    )  # marks are random
    assert tokens_with(model="qwen2.5-vl", picture_pixels=1000) < tokens_with(picture_pixels=2000) - 1000


def test_a_document_model_counts_with_its_own_prompt(project: Project, provider: FakeProvider, tmp_path: Path) -> None:
    row = deploy(provider, "local", serves_llm=False, serves_agent=False, picture_pixels=1540)
    ours = estimate(project, long_document(1), tmp_path).modes["multimodal"]
    Deployment.objects.filter(pk=row.pk).update(dialect="paddleocr_vl")
    catalog.forget()

    found = estimate(project, long_document(1), tmp_path).modes["multimodal"]

    assert found.input_tokens < ours.input_tokens - 200  # "OCR:" instead of our instructions
    wished = estimate(
        project, long_document(1), tmp_path, options={"agentic_options": {"custom_prompt": "Translate it."}}
    )
    assert wished.modes["multimodal"].cost is None  # it gets no page with instructions


def test_pages_that_need_ocr_count_with_typical_text(project: Project, provider: FakeProvider, tmp_path: Path) -> None:
    deploy(provider)

    found = estimate(project, scanned_pdf(3), tmp_path)

    assert found.pages_needing_ocr == 3
    assert found.modes["balanced"].requests == 3
    assert found.modes["balanced"].output_tokens > 1000
    unrecognised = estimate(
        project, scanned_pdf(3), tmp_path, options={"processing_options": {"ocr_parameters": {"disable_ocr": True}}}
    )
    assert (unrecognised.pages_needing_ocr, unrecognised.modes["balanced"].requests) == (0, 0)
    assert unrecognised.modes["multimodal"].requests == 3  # a vision model needs no OCR


def test_the_duration_follows_from_the_latency_of_earlier_calls(
    submit: Submit, project: Project, provider: FakeProvider, tmp_path: Path
) -> None:
    deploy(provider)
    run(submit(pages=1, mode="balanced", tier="balanced", uses_models=True))
    Usage.objects.update(seconds=100)

    found = estimate(project, long_document(1), tmp_path)

    assert 100 < found.modes["balanced"].seconds.low < found.modes["balanced"].seconds.high
    assert found.modes["multimodal"].seconds.high < 100
