"""docling-serve's API. Its client reads documents in tests/acceptance/test_clients.py."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.jobs.models import ParseJob
from tests.integration.api.compatible.conftest import REPORT
from tests.integration.api.conftest import Api, Finish, body_of, code_of

FILE, SOURCE = "/v1/convert/file", "/v1/convert/source"


def send(api: Api, path: str = FILE, content: bytes = REPORT, **fields: Any) -> Any:
    return api.post(path, {**fields, "files": SimpleUploadedFile("report.pdf", content)})


def text_of(document: dict[str, Any], reference: dict[str, str]) -> str:
    _, name, number = reference["$ref"].split("/")
    return str(document[name][int(number)].get("text", ""))


def test_a_file_is_converted_into_every_format(api: Api, worker: None) -> None:
    response = body_of(send(api, to_formats=["md", "json", "html", "text"]))

    assert (response["status"], response["errors"], response["warnings"]) == ("success", [], [])
    assert response["processing_time"] >= 0
    content = response["document"]
    assert content["filename"] == "report.pdf"
    assert content["md_content"].startswith("# The river in its second year")
    assert "The river in its second year" in content["text_content"].splitlines()[0]
    assert "<h1>The river in its second year</h1>" in content["html_content"]
    assert "<table><tr><th>" in content["html_content"]
    document = content["json_content"]
    assert document["name"] == "report"
    assert list(document["pages"]) == ["1", "2"]
    titles = [text for text in document["texts"] if text["label"] == "title"]
    assert [title["text"] for title in titles] == ["The river in its second year"]
    assert titles[0]["prov"][0]["page_no"] == 1
    assert "4" in [cell["text"] for table in document["tables"] for cell in table["data"]["table_cells"]]
    order = [text_of(document, child) for child in document["body"]["children"]]
    assert order[:2] == ["River survey - annual report", "The river in its second year"]
    assert document["texts"][0]["content_layer"] == "furniture"


def test_only_the_wanted_formats_and_pages_are_returned(api: Api, worker: None) -> None:
    response = body_of(send(api, to_formats="text", page_range=["2", "2"]))

    assert "Birds counted" in response["document"]["text_content"]
    assert "The river in its second year" not in response["document"]["text_content"]
    assert response["document"]["md_content"] is None
    assert response["document"]["json_content"] is None


def test_pages_are_joined_with_the_placeholder(api: Api, worker: None) -> None:
    markdown = body_of(send(api, md_page_break_placeholder="<!-- page -->"))["document"]["md_content"]

    first, second = markdown.split("\n\n<!-- page -->\n\n")
    assert first.startswith("# The river in its second year")
    assert "Birds counted" in second


def test_a_task_is_created_polled_and_fetched(api: Api, finish: Finish) -> None:
    task = send(api, f"{FILE}/async", to_formats=["md"]).json()
    assert (task["task_status"], task["task_type"]) == ("pending", "convert")
    assert code_of(api.get(f"/v1/result/{task['task_id']}"), 404) == "not_found"

    finish(task["task_id"])

    polled = api.get(f"/v1/status/poll/{task['task_id']}", {"wait": "5"}).json()
    assert (polled["task_status"], polled["task_meta"]["num_succeeded"]) == ("success", 1)
    result = body_of(api.get(f"/v1/result/{task['task_id']}"))
    assert result["document"]["md_content"].startswith("# The river in its second year")


def test_a_source_may_be_base64(api: Api, worker: None) -> None:
    source = {"kind": "file", "base64_string": base64.b64encode(REPORT).decode(), "filename": "report.pdf"}
    body = {"sources": [source], "options": {"to_formats": "text"}}

    response = body_of(api.post(SOURCE, body, content_type="application/json"))

    assert "The river in its second year" in response["document"]["text_content"]
    older = {"file_sources": [source], "options": {"to_formats": ["text"]}}
    task = api.post(f"{SOURCE}/async", older, content_type="application/json").json()
    assert ParseJob.objects.get(pk=task["task_id"]).document_name == "report.pdf"


def test_a_url_of_a_private_network_is_refused(api: Api) -> None:
    body = {"sources": [{"kind": "http", "url": "http://127.0.0.1/report.pdf"}]}

    assert code_of(api.post(SOURCE, body, content_type="application/json"), 422) == "url_not_allowed"


def test_a_damaged_document_is_a_failure(api: Api, worker: None) -> None:
    response = body_of(send(api, content=b"%PDF-1.7\n"))
    assert response["status"] == "failure"
    assert response["document"]["md_content"] is None
    assert response["errors"][0]["error_message"].startswith("document_corrupt: ")

    task = send(api, f"{FILE}/async", content=b"%PDF-1.7\n").json()["task_id"]
    status = api.get(f"/v1/status/poll/{task}?wait=10").json()
    assert (status["task_status"], status["failure"]["category"]) == ("failure", "backend_failure")
    result = body_of(api.get(f"/v1/result/{task}"))
    assert result == {"kind": "TaskFailureResult", "failure": status["failure"]}


def test_options_have_an_effect_or_a_warning(api: Api) -> None:
    fields: dict[str, Any] = {
        "do_ocr": "false",
        "ocr_lang": ["de", "fr"],
        "document_timeout": "99.5",
        "abort_on_error": "true",
    }
    fields |= {"pipeline": "standard", "force_ocr": "true", "table_mode": "accurate", "ocr_custom_config": "{}"}

    task = send(api, f"{FILE}/async", **fields).json()

    options = ParseJob.objects.get(pk=task["task_id"]).options
    assert options["client_name"] == "docling-serve"
    assert options["processing_options"]["ocr_parameters"] == {"disable_ocr": True, "languages": ["de", "fr"]}
    assert options["processing_control"]["timeouts"] == {"base_in_seconds": 100}
    assert options["processing_control"]["job_failure_conditions"] == {"allowed_page_failure_ratio": 0.0}
    warned = {(warning["code"], warning["option"]) for warning in task["warnings"]}
    assert warned == {("option_without_effect", "force_ocr"), ("option_without_effect", "table_mode")}


REFUSED: list[dict[str, Any]] = [
    {"to_formats": "doctags"},
    {"pipeline": "asr"},
    {"from_formats": "docx"},
    {"page_range": ["3", "1"]},
    {"page_range": "1"},
    {"ocr_lang": "klingon"},
    {"callbacks": "https://example.com"},
    {"document_timeout": "soon"},
]


FORMATS: list[tuple[bytes, str, int]] = [
    (b"PK\x03\x04" + bytes(26) + b"word/document.xml", "docx", 200),
    (b"PK\x03\x04" + bytes(26) + b"word/document.xml", "xlsx", 422),
    (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "pptx", 200),
    (b"<!doctype html><p>Text</p>", "html", 200),
    (b"a,b\n1,2\n", "csv", 200),
    (b"a,b\n1,2\n", "pdf", 422),
    (b"{\\rtf1 Text}", "docx", 422),
]


@pytest.mark.parametrize(("content", "allowed", "status"), FORMATS)
def test_the_formats_that_are_allowed_are_those_of_the_content(
    api: Api, content: bytes, allowed: str, status: int
) -> None:
    assert send(api, f"{FILE}/async", content, from_formats=allowed).status_code == status


def test_what_cannot_be_done_is_refused(api: Api) -> None:
    for fields in REFUSED:
        response = send(api, **fields)
        assert code_of(response, 422) == "invalid_option"
        [named] = fields
        assert named in json.dumps(response.json()["detail"])
    assert not ParseJob.objects.exists()


def test_targets_other_than_the_body_are_refused_in_a_sentence_that_clients_know(api: Api) -> None:
    for kind in ("presigned_url", "zip"):
        assert code_of(send(api, target_type=kind), 400) == "invalid_request"
    assert "artifact storage to be configured" in send(api, target_type="presigned_url").json()["detail"]


def test_the_key_may_be_in_the_header_of_docling_serve(key: str, keyless: Client) -> None:
    assert keyless.get("/health").json() == {"status": "ok"}
    for headers in ({"x-api-key": key}, {"x-api-key": f"Bearer {key}"}, {"authorization": f"Bearer {key}"}):
        assert keyless.get("/version", headers=headers).status_code == 200
    assert code_of(keyless.get("/version", headers={"x-api-key": "lm-wrong"}), 401) == "unauthenticated"


def test_tasks_of_another_project_look_like_unknown_ones(api: Api, stranger: Api) -> None:
    task = send(api, f"{FILE}/async").json()["task_id"]

    assert code_of(stranger.get(f"/v1/status/poll/{task}"), 404) == "not_found"
    assert code_of(stranger.get(f"/v1/result/{task}"), 404) == "not_found"
