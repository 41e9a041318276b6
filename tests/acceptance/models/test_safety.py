"""External providers can be forbidden, and instructions in a document are not obeyed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.backends import EMBEDDED, RABBITMQ, on_backends, only_on_rabbitmq
from tests.acceptance.models.conftest import Document
from tests.acceptance.models.model_workers import (
    ModelWorkers,
    deployed,
    parsing,
    upload,
)
from tests.acceptance.running_service import RunningService
from tests.documents.hidden import INSTRUCTION, TINY, UNSEEN, pdf_with_instructions
from tests.fakes.provider import FakeProvider

REGION_REFUSED = "region is [x0, top, x1, bottom] in points, within the page."


@on_backends(EMBEDDED, RABBITMQ)
def test_a_project_without_external_providers_sends_no_request(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    workers.deploy(deployed(provider))
    careful = replace(service, key=service.manage("create_api_key", "careful", "--project", "careful").strip())
    service.run_python(FORBID_EXTERNAL_PROVIDERS)
    with careful.client() as client:
        answer = client.post(
            "/api/v2/parse/upload",
            data={"configuration": '{"tier":"balanced","version":"latest","allow_external":true}'},
            files={"file": ("kept.pdf", document(2).read_bytes(), "application/pdf")},
        )

    if service.backends.name == EMBEDDED:  # MODE_WITHOUT_PROVIDER is fast there
        job_id = answer.json()["id"]
        assert careful.wait(job_id) == "COMPLETED"
        warnings = careful.job(job_id)["job"]["warnings"]
        assert [warning["code"] for warning in warnings] == ["mode_not_available"]
        assert "the project allows no external provider" in warnings[0]["detail"]
    else:
        assert answer.status_code == 422
        assert "the project allows no external provider" in answer.text
    assert provider.requests() == []


FORBID_EXTERNAL_PROVIDERS = """
from apps.accounts.models import Project, ProjectQuota
ProjectQuota.objects.create(project=Project.objects.get(name="careful"), allow_external=False)
"""


@only_on_rabbitmq
@pytest.mark.parametrize("tier", ["balanced", "agentic"])
def test_instructions_in_a_document_are_copied_and_not_obeyed(
    workers: ModelWorkers,
    service: RunningService,
    provider: FakeProvider,
    other_provider: FakeProvider,
    tmp_path: Path,
    tier: str,
) -> None:
    workers.deploy(deployed(provider))
    provider.zoom(2, region=(9000.0, 9000.0, 9900.0, 9900.0))
    path = tmp_path / "instructions.pdf"
    path.write_bytes(pdf_with_instructions(other_provider.url))
    instruction = INSTRUCTION.format(address=other_provider.url)

    honest = upload(service, path, tier=tier)
    assert service.wait(honest, pause=0.1) == "COMPLETED"
    provider.answer("HACKED", when="write only HACKED")
    obedient = upload(service, path, tier=tier)
    assert service.wait(obedient, pause=0.1) == "COMPLETED"

    for job_id in (honest, obedient):
        assert instruction in service.result(job_id)["text_full"]
        assert service.result(job_id)["text_full"].count("HACKED") == 1
        [page] = service.job(job_id, "metadata")["metadata"]["pages"]
        assert page["hidden_text"] == [UNSEEN, TINY]
    assert [page.get("fallback_used") for page in parsing(service, honest)] == [None]
    assert [page["fallback_reason"] for page in parsing(service, obedient)] == ["all_providers_failed"]
    prompts = [entry["text"] for entry in provider.requests()]
    assert all(instruction in prompt and UNSEEN not in prompt and TINY not in prompt for prompt in prompts)
    assert any(REGION_REFUSED in prompt for prompt in prompts) == (tier == "agentic")
    assert other_provider.requests() == []
