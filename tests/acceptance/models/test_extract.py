"""Extraction by real workers over a real broker: whole documents, and pages by windows of messages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.acceptance.backends import EMBEDDED, RABBITMQ, REDIS
from tests.acceptance.models.conftest import Document
from tests.acceptance.models.model_workers import ModelWorkers, calls, deployed
from tests.acceptance.running_service import RunningService
from tests.documents.invoices import SCHEMA, invoice
from tests.fakes.provider import FakeProvider

PAGES = 40
HEADING = {"type": "object", "properties": {"heading": {"type": ["string", "null"]}}}


@pytest.mark.parametrize(
    "backends",
    [EMBEDDED, pytest.param(REDIS, marks=pytest.mark.long), pytest.param(RABBITMQ, marks=pytest.mark.long)],
    indirect=True,
    scope="session",
)
def test_documents_and_pages_are_extracted_by_workers(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    workers.deploy(deployed(provider))
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {service.key}"}, timeout=90) as api:

        def create(content: bytes, **configuration: Any) -> str:
            files = {"file": ("file.pdf", content)}
            file = api.post("/api/v1/beta/files", data={"purpose": "extract"}, files=files).raise_for_status().json()
            body = {"file_input": file["id"], "configuration": configuration}
            return str(api.post("/api/v2/extract", json=body).raise_for_status().json()["id"])

        def result(job_id: str) -> dict[str, Any]:
            found: dict[str, Any] = api.get(f"/api/v2/extract/{job_id}", params={"wait": 60}).raise_for_status().json()
            assert found["status"] == "COMPLETED", found["error_message"]
            return found

        invoices = [create(invoice(number).content, data_schema=SCHEMA) for number in range(3)]
        by_page = create(document(PAGES).read_bytes(), data_schema=HEADING, extraction_target="per_page")

        assert [result(job_id)["extract_result"] for job_id in invoices] == [invoice(n).values for n in range(3)]
        pages = result(by_page)
        assert pages["page_numbers"] == list(range(1, PAGES + 1))
    accepted = service.rows(
        f"SELECT first_page FROM jobs_pageattempt WHERE job_id='{by_page}' AND stage='annotate' AND outcome='accepted'"
    )
    assert sorted(page for (page,) in accepted) == list(range(1, PAGES + 1))
    assert [call.error_code for call in calls(service, by_page) if call.outcome == "answered" and call.error_code] == []
