"""/api/v2/extract on a real database, reader and storage; the model is the fake provider, which reads the request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts import services as accounts
from apps.jobs.models import PageAttempt, ParseJob
from apps.providers.models import Usage
from tests.acceptance.running_service import wait_for
from tests.documents.hidden import HIDDEN, SHOWN, pdf_with_hidden_text
from tests.documents.invoices import SCHEMA, Invoice, invoice
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
from tests.integration.api.conftest import Api, Finish
from tests.integration.jobs.conftest import run

__all__ = ["gateway", "make_gateway", "provider", "quota_store", "running_provider", "shared_connections"]
pytestmark = pytest.mark.usefixtures("gateway")
ROOT = Path(__file__).resolve().parents[3]
EXTRACT = "/api/v2/extract"


def create(api: Api, file_input: str, **configuration: Any) -> Any:
    body = {"file_input": file_input, "configuration": {"data_schema": SCHEMA, **configuration}}
    return api.post(EXTRACT, body, content_type="application/json")


def upload(api: Api, of: Invoice) -> str:
    return str(api.upload(of.content, name="invoice.pdf", purpose="extract").json()["id"])


def extracted(api: Api, finish: Finish, file_input: str, **configuration: Any) -> dict[str, Any]:
    response = create(api, file_input, **configuration)
    assert response.status_code == 200, response.content
    finish(response.json()["id"])
    found: dict[str, Any] = api.get(f"{EXTRACT}/{response.json()['id']}", {"expand": "extract_metadata"}).json()
    return found


def entries(metadata: Any, answer: Any) -> list[tuple[Any, Any]]:
    """Return each value with its metadata."""
    if isinstance(answer, dict):
        return [pair for name, value in answer.items() for pair in entries(metadata[name], value)]
    if isinstance(answer, list):
        return [pair for index, value in enumerate(answer) for pair in entries(metadata[index], value)]
    return [(answer, metadata)]


def test_ten_invoices_are_extracted_each_value_with_its_page_and_box(
    api: Api, finish: Finish, provider: FakeProvider
) -> None:
    deploy(provider)
    for number in range(10):
        one = invoice(number)

        job = extracted(api, finish, upload(api, one))

        assert job["status"] == "COMPLETED", job["error_message"]
        assert job["extract_result"] == one.values
        assert job["warnings"] == []
        metadata = job["extract_metadata"]["field_metadata"]["document_metadata"]
        for value, entry in entries(metadata, one.values):
            if value is None:
                assert entry == {"citation": None}
                continue
            [citation] = entry["citation"]
            [box] = citation["bounding_boxes"]
            assert 0 < box["x"] < 595
            assert 0 < box["y"] < 842
            assert 0 < box["w"] < 150
            assert 5 < box["h"] < 20
            assert citation["page_dimensions"] == {"width": 595, "height": 842}
        assert metadata["grand_total"]["citation"][0]["page"] == one.total_page
        places = [row["amount"]["citation"][0]["bounding_boxes"][0]["y"] for row in metadata["items"]]
        assert places == sorted(places)
        assert len(set(places)) == 3


def test_a_finished_parse_job_is_extracted_without_parsing_again(
    api: Api, finish: Finish, provider: FakeProvider
) -> None:
    deploy(provider)
    one = invoice(3)
    without_hidden = {"ignore": {"ignore_hidden_text": True}}
    parse_id = api.parse(one.content, processing_options=without_hidden).json()["id"]
    assert create(api, parse_id).status_code == 409
    finish(parse_id)

    job = extracted(api, finish, parse_id)
    assert not PageAttempt.objects.filter(job_id=job["id"], stage="extract").exists()
    api.delete(f"/api/v2/parse/{parse_id}")
    again = api.get(f"{EXTRACT}/{job['id']}", {"expand": "extract_metadata"}).json()

    assert again["extract_result"] == one.values
    assert again["extract_metadata"]["parse_job_id"] == again["file_input"] == parse_id
    assert again["extract_metadata"]["field_metadata"]["document_metadata"]["grand_total"]["citation"][0]["page"] == 2
    assert again["usage"]["parse_credits"] == 0
    assert [item["id"] for item in api.get(EXTRACT, {"file_input": parse_id}).json()["items"]] == [job["id"]]
    assert api.get("/api/v2/parse").json()["items"] == []


def test_hidden_text_that_a_parse_job_kept_does_not_reach_the_model(
    api: Api, finish: Finish, provider: FakeProvider
) -> None:
    deploy(provider)
    parse_id = api.parse(pdf_with_hidden_text(), page_ranges={"target_pages": "1"}).json()["id"]
    finish(parse_id)
    assert HIDDEN in api.job(parse_id, "text_full").json()["text_full"]

    extracted(api, finish, parse_id, data_schema={"type": "object"})

    [request] = provider.requests()
    assert SHOWN in request["text"]
    assert HIDDEN not in request["text"]


def test_each_page_is_extracted_by_itself(api: Api, finish: Finish, provider: FakeProvider) -> None:
    deploy(provider)
    wanted = {"type": "object", "properties": {"grand_total": {"type": ["number", "null"]}}}

    job = extracted(api, finish, upload(api, invoice(3)), extraction_target="per_page", data_schema=wanted)

    assert job["page_numbers"] == [1, 2]
    assert [page["grand_total"] for page in job["extract_result"]] == [None, invoice(3).values["grand_total"]]
    first, second = job["extract_metadata"]["field_metadata"]["page_metadata"]
    assert first["grand_total"]["citation"] is None
    assert second["grand_total"]["citation"][0]["page"] == 2


def test_an_answer_that_does_not_fit_is_asked_for_once_more_with_the_reason(
    api: Api, finish: Finish, provider: FakeProvider
) -> None:
    deploy(provider)
    provider.answer('{"invoice_number": 7}', times=1)

    job = extracted(api, finish, upload(api, invoice(1)))

    assert job["extract_result"] == invoice(1).values
    second = provider.requests()[1]["text"]
    assert "$.invoice_number: 7 is not of type 'string'" in second
    assert job["usage"]["models"]["requests"] == 2
    assert Usage.objects.filter(error_code="output_invalid").count() == 1


@pytest.mark.parametrize("answer", ["Here you are!", '{"invoice_number": 7}', "[1, 2"])
def test_a_second_unusable_answer_fails_the_job(api: Api, finish: Finish, provider: FakeProvider, answer: str) -> None:
    deploy(provider)
    provider.answer(answer)

    job = extracted(api, finish, upload(api, invoice(1)))

    assert (job["status"], job["error"]["code"]) == ("FAILED", "output_invalid")
    assert job["extract_result"] is None
    assert len(provider.requests()) == 2


def test_a_value_that_is_not_printed_has_no_citation(api: Api, finish: Finish, provider: FakeProvider) -> None:
    deploy(provider)
    provider.answer(json.dumps({**invoice(1).values, "vendor": "Another Mill Ltd"}))

    job = extracted(api, finish, upload(api, invoice(1)))

    assert job["extract_result"]["vendor"] == "Another Mill Ltd"
    assert job["extract_metadata"]["field_metadata"]["document_metadata"]["vendor"] == {"citation": None}
    [warning] = job["warnings"]
    assert (warning["code"], warning["values"]) == ("values_not_found", 1)


def nested(levels: int) -> dict[str, Any]:
    """Return a schema whose branches multiply with each level."""
    names = {f"level{level}": {"allOf": [{"$ref": f"#/$defs/level{level + 1}"}] * 2} for level in range(levels)}
    return {"$ref": "#/$defs/level0", "$defs": {**names, f"level{levels}": {"type": "object"}}}


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"type": "string"}, "invalid_schema"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "invalid_schema"),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}}, "invalid_schema"),
        ({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}, "invalid_schema"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, "invalid_schema"),
        ({"type": "object", "allOf": [{"$ref": "#"}]}, "invalid_schema"),
        ({"type": "object", "properties": {"a": {"pattern": "(?=x)"}}}, "invalid_schema"),
        ({"type": "object", "patternProperties": {"(a+)+$": {}}}, "invalid_schema"),
        ({"type": "object", "description": "x" * 65_536}, "schema_too_large"),
        ({"type": "object", **nested(25)}, "schema_too_large"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(
    api: Api, provider: FakeProvider, schema: dict[str, Any], code: str
) -> None:
    deploy(provider)
    file_id = upload(api, invoice(1))

    refused = create(api, file_id, data_schema=schema)
    checked = api.post(f"{EXTRACT}/schema/validation", {"data_schema": schema}, content_type="application/json")

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert (checked.status_code, checked.json()["code"]) == (422, code)
    assert not ParseJob.objects.exists()


def test_options_that_are_not_offered_are_refused_and_others_warn(
    api: Api, finish: Finish, provider: FakeProvider
) -> None:
    deploy(provider)
    file_id = upload(api, invoice(1))

    assert create(api, file_id, extraction_target="per_table_row").json()["errors"][0]["code"] == "not_supported"
    assert create(api, file_id, spreadsheet_mode=True).status_code == 422
    job = create(api, file_id, tier="turbo", confidence_scores=True, colour="red").json()

    assert {(each["code"], each["option"]) for each in job["warnings"]} == {
        ("option_without_effect", "configuration.tier"),
        ("option_without_effect", "configuration.confidence_scores"),
        ("unknown_option", "configuration.colour"),
    }


def test_without_a_model_nothing_is_accepted(api: Api, gateway: Any) -> None:
    response = create(api, upload(api, invoice(1)))

    assert (response.status_code, response.json()["code"]) == (422, "mode_not_available")


def test_a_job_can_be_cancelled_and_deleted(api: Api, stranger: Api, finish: Finish, provider: FakeProvider) -> None:
    deploy(provider)
    job_id = create(api, upload(api, invoice(1))).json()["id"]

    assert stranger.get(f"{EXTRACT}/{job_id}").status_code == 404
    assert api.delete(f"{EXTRACT}/{job_id}").status_code == 400
    assert api.post(f"{EXTRACT}/{job_id}/cancel").json()["status"] == "CANCELLED"
    assert api.delete(f"{EXTRACT}/{job_id}").json()["id"] == job_id
    assert api.get(f"{EXTRACT}/{job_id}").status_code == 404


def test_structured_output_of_the_first_api_is_extracted_page_by_page(
    api: Api, finish: Finish, provider: FakeProvider
) -> None:
    deploy(provider)
    one, address = invoice(3), "/api/v1/parsing"
    schema = {"type": "object", "properties": {"invoice_number": {"type": ["string", "null"]}}}
    fields = {"structured_output": "true", "structured_output_json_schema": json.dumps(schema), "tier": "fast"}

    job_id = api.post(f"{address}/upload", {"file": SimpleUploadedFile("i.pdf", one.content), **fields}).json()["id"]
    finish(job_id)

    wanted = [{"invoice_number": one.values["invoice_number"]}, {"invoice_number": None}]
    assert api.get(f"{address}/job/{job_id}").json()["status"] == "SUCCESS"
    assert api.get(f"{address}/job/{job_id}/result/structured").json()["structured"] == wanted
    assert api.get(f"{address}/job/{job_id}/result/raw/structured").json() == wanted
    pages = api.get(f"{address}/job/{job_id}/result/json").json()["pages"]
    assert [page["structuredData"] for page in pages] == wanted
    assert [page["noStructuredContent"] for page in pages] == [False, False]
    fields["structured_output_json_schema"] = '{"type": "array"}'
    refused = api.post(f"{address}/upload", {"file": SimpleUploadedFile("i.pdf", one.content), **fields})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_schema")


def test_a_parse_job_keeps_its_pages_if_their_structured_output_fails(
    api: Api, finish: Finish, provider: FakeProvider
) -> None:
    deploy(provider)
    provider.answer("no JSON")
    fields = {"structured_output_json_schema": '{"type": "object"}', "tier": "fast"}
    file = SimpleUploadedFile("i.pdf", invoice(1).content)

    job_id = api.post("/api/v1/parsing/upload", {"file": file, **fields}).json()["id"]
    finish(job_id)

    job = api.job(job_id, "markdown_full").json()
    assert (job["job"]["state"], [each["code"] for each in job["job"]["warnings"]]) == (
        "succeeded",
        ["pages_not_annotated"],
    )
    assert "INV-7001" in job["markdown_full"]


def test_the_command_prints_the_values_and_their_places(
    live_server: Any, provider: FakeProvider, tmp_path: Path
) -> None:
    deploy(provider)
    key = accounts.create_api_key(name="command line")[1]
    (tmp_path / "invoice.pdf").write_bytes(invoice(1).content)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    command = [sys.executable, str(ROOT / "manage.py"), "extract", "invoice.pdf", "--schema", "schema.json"]
    command += ["--citations", "-q", "--server", live_server.url, "--api-key", key]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        wait_for(ParseJob.objects.exists, "the command creates a job", seconds=60)
        run(ParseJob.objects.get())
        out, errors = running.communicate(timeout=60)

    assert (running.returncode, errors) == (0, "")
    printed = json.loads(out)
    assert printed["result"] == invoice(1).values
    assert printed["citations"]["grand_total"]["citation"][0]["page"] == 1
    (tmp_path / "schema.json").write_text('{"type": "list"}')
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("invalid_schema: ")
