"""Exports of a result: made from its pages when they are asked for, and then kept with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.documents import storage
from apps.jobs.models import ParseJob
from tests.documents.long import long_document
from tests.integration.api.conftest import PARSE, Api, Finish, body_of, code_of
from tests.integration.api.test_results_and_files import content_of, get
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


@pytest.fixture
def job_id(api: Api, finish: Finish, tmp_path: Path) -> str:
    page = Sheet().text(72, 72, "Freight in May", size=20).grid((72, 272, 472), (120, 160, 200))
    page.lines(72, 300, ["The ships of the company carried coal to every harbour of the coast."] * 6)
    for x, y, text in ((80, 130, "Cargo"), (280, 130, "Tons"), (80, 170, "Coal"), (280, 170, "1200")):
        page.text(x, y, text)
    job_id = str(api.parse(Path(write_pdf(tmp_path / "freight.pdf", page)).read_bytes()).json()["id"])
    finish(job_id)
    return job_id


def chunks_of(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    return [json.loads(line) for line in content_of(response).splitlines()]


def test_chunks_lead_to_the_items_of_the_result(api: Api, job_id: str) -> None:
    response = api.get(f"{PARSE}/{job_id}/result/chunks.jsonl")
    assert response["Content-Type"].startswith("application/x-ndjson")
    assert "chunks.jsonl" in response["Content-Disposition"]
    (chunk,) = chunks_of(response)
    assert chunk["headings"] == ["Freight in May"]
    (page,) = body_of(api.job(job_id, "items"))["items"]["pages"]
    for locator in chunk["locators"]:
        item = page["items"][int(locator["pointer"].removeprefix("/items/"))]
        assert locator["bbox"].items() <= item["bbox"][0].items()
    assert "| Coal | 1200 |" in chunk["text"]


def test_an_export_is_kept_with_the_result_and_linked_without_a_key(api: Api, job_id: str) -> None:
    folder = ParseJob.objects.get(pk=job_id).result_folder
    assert not storage.exists(f"{folder}/chunks.jsonl")  # nobody has asked for it
    linked = body_of(api.job(job_id, "chunks_content_metadata"))["result_content_metadata"]["chunks"]
    assert storage.size(f"{folder}/chunks.jsonl") == linked["size_bytes"] > 0
    assert chunks_of(get(linked["presigned_url"])) == chunks_of(api.get(f"{PARSE}/{job_id}/result/chunks.jsonl"))


def test_options_of_chunks_change_the_download_only(api: Api, job_id: str) -> None:
    address = f"{PARSE}/{job_id}/result/chunks.jsonl"
    small = chunks_of(api.get(f"{address}?max_tokens=40&overlap_tokens=10&split_by=tokens&within_pages=true"))
    assert len(small) > 2
    assert len(chunks_of(api.get(address))) == 1
    for query in ("max_tokens=1", "split_by=words", "within_pages=perhaps"):
        assert code_of(api.get(f"{address}?{query}"), 422) == "invalid_option"


def test_stored_files_are_downloads_too(api: Api, stranger: Api, job_id: str) -> None:
    markdown = api.get(f"{PARSE}/{job_id}/result/markdown.md")
    assert content_of(markdown).decode() == body_of(api.job(job_id, "markdown_full"))["markdown_full"]
    again = api.get(f"{PARSE}/{job_id}/result/markdown.md", headers={"if-none-match": markdown["ETag"]})
    assert again.status_code == 304
    for client, name in ((api, "tables.xlsx"), (api, "secrets.txt"), (stranger, "markdown.md")):
        assert code_of(client.get(f"{PARSE}/{job_id}/result/{name}"), 404) == "not_found"


def test_no_export_is_made_of_a_job_that_is_not_finished(api: Api, job_id: str) -> None:
    open_job = api.parse(long_document(1)).json()["id"]
    assert code_of(api.get(f"{PARSE}/{open_job}/result/chunks.jsonl"), 409) == "job_not_finished"
    assert api.post(f"{PARSE}/{job_id}/retry", {"pages": [1]}, content_type="application/json").status_code == 200
    assert code_of(api.get(f"{PARSE}/{job_id}/result/chunks.jsonl"), 409) == "job_not_finished"
    listed = body_of(api.job(job_id, "chunks_content_metadata", "text"))
    assert listed["result_content_metadata"]["chunks"]["exists"] is False
    assert listed["text"]


def test_lost_pages_are_reported(api: Api, job_id: str) -> None:
    job = ParseJob.objects.get(pk=job_id)
    for key in set(job.pages.values_list("content", flat=True)):
        storage.delete(key)
    assert code_of(api.get(f"{PARSE}/{job_id}/result/chunks.jsonl"), 410) == "result_missing"
