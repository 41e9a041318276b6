"""LlamaParse's own client with this service over real HTTP. It must work as with LlamaParse.

The client retries 408, 409, 429 and 5xx five times. The tests count requests: permanent errors must not be retried.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import llama_cloud
import pytest
from llama_cloud import AsyncLlamaCloud, LlamaCloud
from llama_cloud.types.beta.extracted_data import ExtractedData, ExtractedFieldMetadata, PageDimensions
from pydantic import BaseModel

from apps.accounts import services as accounts
from apps.jobs.models import ParseJob
from tests.documents.invoices import SCHEMA, invoice
from tests.documents.long import heading_of, long_document
from tests.fakes.deployments import deploy
from tests.fakes.fixtures import (
    gateway,
    make_gateway,
    provider,
    quota_store,
    running_provider,
    shared_connections,
)
from tests.fakes.provider import FakeProvider
from tests.integration.api.conftest import _own_service as _own_service
from tests.integration.jobs.conftest import run

__all__ = ["gateway", "make_gateway", "provider", "quota_store", "running_provider", "shared_connections"]
EVERYTHING = ["text", "text_full", "markdown", "markdown_full", "items", "metadata", "job_metadata", "usage"]


class InvoiceValues(BaseModel):
    grand_total: float


@pytest.fixture
def base_url(live_server: Any) -> str:
    return str(live_server.url)


@pytest.fixture
def key(transactional_db: None) -> str:
    return accounts.create_api_key(name="client")[1]


@pytest.fixture
def requests() -> list[httpx.Request]:
    return []


@pytest.fixture
def client(base_url: str, key: str, requests: list[httpx.Request]) -> Iterator[LlamaCloud]:
    http = httpx.Client(event_hooks={"request": [requests.append]})
    with LlamaCloud(base_url=base_url, api_key=key, http_client=http) as client:
        yield client


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(long_document(3))
    return path


def test_files_are_created_listed_linked_and_deleted(client: LlamaCloud, report: Path) -> None:
    file = client.files.create(file=report, purpose="parse", external_file_id="x-1")
    assert (file.name, file.external_file_id, file.purpose, file.file_type) == ("report.pdf", "x-1", "parse", "pdf")
    client.files.create(file=("other.pdf", b"%PDF-1.7", "application/pdf"), purpose="user_data")

    assert [each.name for each in client.files.list(page_size=1, order_by="name")] == ["other.pdf", "report.pdf"]
    assert [each.id for each in client.files.list(external_file_id="x-1")] == [file.id]
    link = client.files.content(file.id, expires_at_seconds=30)
    assert httpx.get(link.url).content == report.read_bytes()
    assert client.files.list(file_ids=[file.id], expand=["download_url"]).items[0].download_url is not None

    client.files.delete(file.id)
    with pytest.raises(llama_cloud.NotFoundError):
        client.files.content(file.id)


def test_an_uploaded_document_is_parsed(client: LlamaCloud, report: Path) -> None:
    job = client.parsing.create(
        upload_file=report, tier="fast", version="latest", page_ranges={"max_pages": 2}, disable_cache=True
    )
    assert job.status == "PENDING"
    assert client.parsing.get(job.id, expand=EVERYTHING).markdown is None
    run(ParseJob.objects.get(pk=job.id))

    result = client.parsing.get(job.id, expand=[*EVERYTHING, "debug_logs"])
    assert result.job.status == "COMPLETED"
    assert result.job.usage is not None
    assert result.text is not None
    assert heading_of(2) in result.text.pages[1].text
    assert result.markdown is not None
    assert [page.success for page in result.markdown.pages] == [True, True]
    assert heading_of(1) in str(result.markdown_full)
    assert heading_of(1) in str(result.text_full)
    assert result.job_metadata is not None
    assert result.items is not None
    for page in result.items.pages:
        assert type(page).__name__.startswith("ItemsPageStructured"), page
        kinds = {type(item).__name__ for item in getattr(page, "items", ())}
        assert "HeadingItem" in kinds
        assert not kinds & {"dict", "CodeItem"}


def test_the_parse_method_uploads_waits_and_fetches(client: LlamaCloud, report: Path) -> None:
    """A thread does the work of a worker while ``parse`` polls."""
    worker = threading.Thread(target=run_the_first_job)
    worker.start()
    result = client.parsing.parse(
        upload_file=report, tier="agentic", version="latest", expand=["markdown"], polling_interval=0.2
    )
    worker.join()
    assert result.job.status == "COMPLETED"
    assert result.markdown is not None
    assert len(result.markdown.pages) == 3


def run_the_first_job() -> None:
    from django.db import connection

    try:
        while not ParseJob.objects.exists():
            threading.Event().wait(0.05)
        run(ParseJob.objects.get())
    finally:
        connection.close()


def test_jobs_are_listed_cancelled_and_deleted(client: LlamaCloud, report: Path) -> None:
    file = client.files.create(file=report, purpose="parse")
    jobs = [client.parsing.create(file_id=file.id, tier="fast", version="latest") for _ in range(3)]
    assert [job.id for job in client.parsing.list(page_size=2)] == [job.id for job in reversed(jobs)]
    assert client.parsing.cancel(jobs[0].id).status == "CANCELLED"
    assert [job.id for job in client.parsing.list(status="CANCELLED")] == [jobs[0].id]
    deleted = client.parsing.delete(jobs[0].id)
    assert (deleted.id, deleted.project_id) == (jobs[0].id, jobs[0].project_id)
    assert [job.id for job in client.parsing.list(job_ids=[jobs[0].id, jobs[1].id])] == [jobs[1].id]


def test_a_directory_is_parsed_in_a_batch(client: LlamaCloud, report: Path) -> None:
    directory = client.beta.directories.create(name="Reports")
    uploaded = client.beta.directories.files.upload(directory.id, upload_file=report, metadata='{"year": 2026}')
    file_id = client.files.create(file=report, purpose="parse").id
    added = client.beta.directories.files.add(directory.id, file_id=file_id, display_name="Again")
    assert {file.id for file in client.beta.directories.files.list(directory.id)} == {uploaded.id, added.id}

    batch = client.batches.create(
        source_directory_id=directory.id,
        config={"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_FAST"}},
    )
    assert [found.status for found in client.batches.list(source_directory_id=directory.id)] == ["PENDING"]
    for job in ParseJob.objects.all():
        run(job)
    ended = client.batches.get(batch.id, expand=["results"])

    assert (ended.status, ended.results and len(ended.results)) == ("COMPLETED", 2)
    for result in ended.results or ():
        assert result.job_reference is not None
        parsed = client.parsing.get(result.job_reference.id, expand=["text_full"])
        assert heading_of(1) in str(parsed.text_full)
    with pytest.raises(llama_cloud.BadRequestError):
        client.batches.cancel(batch.id)
    client.beta.directories.delete(directory.id)


def test_the_versions_of_tiers_are_listed(client: LlamaCloud) -> None:
    versions = client.parsing.list_versions()
    assert versions.latest.fast in versions.fast
    assert versions.latest.agentic_plus in versions.agentic_plus


def test_waiting_for_a_failed_job_raises_its_error(client: LlamaCloud) -> None:
    job = client.parsing.create(upload_file=("a.pdf", b"%PDF-1.7\n"), tier="fast", version="latest")
    run(ParseJob.objects.get(pk=job.id))
    with pytest.raises(llama_cloud.PollingError, match="PDF_IS_BROKEN"):
        client.parsing.wait_for_completion(job.id, polling_interval=0.1)


@pytest.mark.parametrize(
    ("call", "error", "code"),
    [
        (lambda c: c.parsing.get(f"pjb-{'0' * 36}", expand=["text"]), llama_cloud.NotFoundError, "not_found"),
        (lambda c: c.files.retrieve("dfl-1"), llama_cloud.NotFoundError, "not_found"),
        (
            lambda c: c.parsing.create(file_id="dfl-1", tier="best", version="latest"),
            llama_cloud.UnprocessableEntityError,
            "invalid_option",
        ),
        (
            lambda c: c.parsing.create(source_url="https://127.0.0.1/a", tier="fast", version="latest"),
            llama_cloud.UnprocessableEntityError,
            "url_not_allowed",
        ),
        (
            lambda c: c.parsing.create(upload_file=("a.exe", b"MZ\x90\0"), tier="fast", version="latest"),
            llama_cloud.APIStatusError,
            "unsupported_file_type",
        ),
        (
            lambda c: c.parsing.create(upload_file=("a.pdf", b""), tier="fast", version="latest"),
            llama_cloud.BadRequestError,
            "file_empty",
        ),
        (
            lambda c: c.with_options(api_key="lm-wrong").parsing.list(),
            llama_cloud.AuthenticationError,
            "unauthenticated",
        ),
    ],
)
def test_errors_have_the_expected_class_and_are_not_retried(
    client: LlamaCloud, requests: list[httpx.Request], call: Any, error: type[llama_cloud.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as caught:
        call(client)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["code"] == code
    assert caught.value.body["detail"]
    assert len(requests) == 1


def test_cancelling_twice_is_not_retried(client: LlamaCloud, report: Path, requests: list[httpx.Request]) -> None:
    job = client.parsing.create(upload_file=report, tier="fast", version="latest")
    with pytest.raises(llama_cloud.BadRequestError):
        client.parsing.delete(job.id)
    client.parsing.cancel(job.id)
    with pytest.raises(llama_cloud.BadRequestError):
        client.parsing.cancel(job.id)
    assert len(requests) == 4


def test_the_project_id_of_another_project_is_not_found(client: LlamaCloud) -> None:
    _, other = accounts.create_api_key(name="other", project="another")
    project = accounts.find_api_key(other)
    assert project is not None
    with pytest.raises(llama_cloud.NotFoundError):
        client.parsing.list(project_id=str(project.project_id))


def test_the_asynchronous_client_parses_documents(base_url: str, key: str, report: Path) -> None:
    async def begin() -> tuple[str, str]:
        async with AsyncLlamaCloud(base_url=base_url, api_key=key) as client:
            file = await client.files.create(file=report, purpose="parse")
            by_id = await client.parsing.create(file_id=file.id, tier="fast", version="latest")
            by_upload = await client.parsing.create(upload_file=report, tier="fast", version="latest")
            return by_id.id, by_upload.id

    async def fetch(job_id: str) -> Any:
        async with AsyncLlamaCloud(base_url=base_url, api_key=key) as client:
            assert len([job async for job in client.parsing.list(page_size=1)]) == 2
            await client.parsing.wait_for_completion(job_id, polling_interval=0.1)
            return await client.parsing.get(job_id, expand=["markdown", "items"])

    ids = asyncio.run(begin())
    for job_id in ids:
        run(ParseJob.objects.get(pk=job_id))
    results = [asyncio.run(fetch(job_id)) for job_id in ids]
    assert results[0].markdown == results[1].markdown
    assert len(results[0].items.pages) == 3


@pytest.mark.usefixtures("gateway")
def test_values_are_extracted_with_their_places(client: LlamaCloud, provider: FakeProvider, tmp_path: Path) -> None:
    deploy(provider)
    (tmp_path / "invoice.pdf").write_bytes(invoice(3).content)
    file = client.files.create(file=tmp_path / "invoice.pdf", purpose="extract")
    assert client.extract.validate_schema(data_schema=SCHEMA).data_schema == SCHEMA

    created = client.extract.create(
        file_input=file.id, configuration={"data_schema": SCHEMA, "cite_sources": True, "parse_tier": "fast"}
    )
    run(ParseJob.objects.get(pk=created.id))
    job = client.extract.wait_for_completion(created.id)

    assert job.extract_result == invoice(3).values
    extracted = ExtractedData[InvoiceValues].from_extract_job(job, InvoiceValues, status="accepted")
    assert extracted.data.grand_total == invoice(3).values["grand_total"]
    total = extracted.field_metadata["grand_total"]
    assert isinstance(total, ExtractedFieldMetadata)
    assert total.citation
    assert (total.citation[0].page, total.citation[0].page_dimensions) == (2, PageDimensions(width=595, height=842))
    assert total.citation[0].bounding_boxes
    assert job.usage is not None
    assert job.usage.extract_credits == 10
    assert [each.id for each in client.extract.list(status="COMPLETED", expand=["configuration"])] == [job.id]
    again = client.extract.create(file_input=job.id, configuration={"data_schema": SCHEMA})
    client.extract.cancel(again.id)
    for each in (job, again):
        client.extract.delete(each.id)
    with pytest.raises(llama_cloud.NotFoundError):
        client.extract.get(job.id)
    with pytest.raises(llama_cloud.UnprocessableEntityError, match="invalid_schema"):
        client.extract.create(file_input=file.id, configuration={"data_schema": {"type": "list"}})


@pytest.mark.usefixtures("gateway")
def test_documents_are_classified_and_split(client: LlamaCloud, provider: FakeProvider, tmp_path: Path) -> None:
    deploy(provider)
    (tmp_path / "invoice.pdf").write_bytes(invoice(3).content)
    file = client.files.create(file=tmp_path / "invoice.pdf", purpose="classify")

    created = client.classify.create(
        file_input=file.id, configuration={"rules": [{"type": "invoice", "description": "an invoice with a total"}]}
    )
    run(ParseJob.objects.get(pk=created.id))
    classified = client.classify.wait_for_completion(created.id)
    assert classified.result is not None
    assert classified.result.type == "invoice"
    assert [each.id for each in client.classify.list()] == [created.id]
    assert client.classify.delete(created.id).id == created.id

    configuration: Any = {"categories": [{"name": "invoice", "description": "vendor, articles"}]}
    split = client.split.create(file_input=file.id, configuration=configuration)
    run(ParseJob.objects.get(pk=split.id))
    found = client.split.get(split.id)
    assert found.result is not None
    assert [(each.category, each.pages) for each in found.result.segments] == [("invoice", [1]), ("uncategorized", [2])]
    older = client.beta.split.create(document_input={"type": "file_id", "value": file.id}, configuration=configuration)
    run(ParseJob.objects.get(pk=older.id))
    assert client.beta.split.wait_for_completion(older.id).result == found.result
    assert {each.id for each in client.split.list()} == {split.id, older.id}
    client.split.delete(split.id)
