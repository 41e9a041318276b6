"""The OpenAPI description is valid, complete and matches the responses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from apps.api.error_codes import CODES, llamaparse_code
from tests.acceptance.running_service import ROOT
from tests.integration.api.conftest import PARSE, Api, Finish, body_of
from tests.integration.api.test_keys_and_projects import addresses

WITHOUT_OCR = {"ocr_parameters": {"disable_ocr": True}}


@pytest.fixture
def description(transactional_db: None) -> dict[str, Any]:
    response = Client().get("/api/schema?format=json")
    assert response.status_code == 200
    return dict(response.json())


def test_the_description_is_valid_openapi(description: dict[str, Any]) -> None:
    validate_schema(description)


def test_every_address_is_described(description: dict[str, Any]) -> None:
    described = {path.lstrip("/") for path in description["paths"]}
    assert {
        address.replace("<str:", "{").replace("<int:", "{").replace(">", "}") for address in addresses()
    } <= described


def test_error_codes_and_the_authentication_are_described(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    assert set(schemas["Problem"]["properties"]["code"]["enum"]) == set(CODES)
    assert description["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    assert schemas["ParseRequest"]["properties"]["tier"]


def test_responses_have_the_described_fields(api: Api, description: dict[str, Any]) -> None:
    job = api.parse().json()
    assert job.keys() == description["components"]["schemas"]["Job"]["properties"].keys()
    file = api.upload().json()
    assert file.keys() == description["components"]["schemas"]["File"]["properties"].keys()


def test_results_have_the_described_types(api: Api, finish: Finish, description: dict[str, Any]) -> None:
    def check(response: Any, schema: str) -> Any:
        body = body_of(response)
        components = {"components": description["components"]}
        Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **components}).validate(body)
        return body

    content = (ROOT / "examples" / "report.pdf").read_bytes()
    images = {"images_to_save": ["screenshot", "layout"]}
    job_id = api.parse(content, processing_options=WITHOUT_OCR, output_options=images).json()["id"]
    finish(job_id)
    sections = ("text", "markdown", "items", "metadata", "job_metadata", "text_full", "markdown_full")
    result = check(api.job(job_id, *sections, "items_content_metadata", "images_content_metadata"), "JobResult")
    types = {item["type"] for page in result["items"]["pages"] for item in page["items"]}
    assert {"heading", "text", "table"} <= types
    check(api.get(f"{PARSE}/{job_id}/pages"), "JobPageList")
    check(api.get(f"{PARSE}/{job_id}/pages/1"), "JobPageDetails")
    old = f"/api/v1/parsing/job/{job_id}/result"
    check(api.get(f"{old}/json"), "ParsingJsonResult")
    check(api.get(f"{old}/markdown"), "ParsingTextResult")
    for refused in (api.get(f"{PARSE}/pjb-1"), api.parse(tier="best"), api.get(f"{PARSE}?page_size=0")):
        check(refused, "Problem")


def test_every_code_of_our_errors_is_in_the_table() -> None:
    from apps.api import request_errors  # noqa: F401 (to load its classes)
    from apps.jobs.scheduling import rescue  # noqa: F401
    from apps.pages.model.errors import ParseError

    def classes(parent: type[ParseError]) -> set[type[ParseError]]:
        return {parent}.union(*(classes(child) for child in parent.__subclasses__()))

    ours = {error for error in classes(ParseError) if error.__module__.startswith("apps.")}
    exempt = {"apps.cli", "apps.parsing"}  # the command line's own
    codes = {error.code for error in ours if not any(error.__module__.startswith(module) for module in exempt)}
    assert codes <= set(CODES)


def test_every_code_of_the_table_is_raised_somewhere() -> None:
    """A code that no program ever meets is a promise that nobody keeps."""
    files = [path for part in ("apps", "ocr_worker") for path in (ROOT / part).rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in files if path.name != "error_codes.py"]

    assert len(texts) > 300
    assert [code for code in CODES if not any(f'"{code}"' in text for text in texts)] == []


def test_the_message_of_an_error_says_what_to_do_next() -> None:
    """In the second sentence of its class, unless there is nothing to do."""
    from apps.pages.model.errors import ParseError

    def family(parent: type[ParseError]) -> set[type[ParseError]]:
        children = {child for child in parent.__subclasses__() if child.__module__.startswith("apps.")}
        return {parent}.union(*(family(child) for child in children))

    exempt = {
        # Only their subclasses are raised.
        *("DocumentError", "JobError", "ProviderError", "IdempotencyKeyError"),
        # There is nothing to do, or the message lists the fields.
        *("Stopped", "NotCancellable", "QuotaExhausted", "AnswersLater", "BudgetReserved", "ProvidersUnavailable"),
        *("GarbledPage", "InvalidRules"),
    }
    silent = [
        error.__name__ for error in family(ParseError) if len(re.findall(r"[.?](?:\s|$)", error.__doc__ or "")) < 2
    ]
    assert sorted(set(silent) - exempt) == []


def test_the_documentation_of_errors_has_the_same_table() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()]
    exceptions = [row for row in rows if len(row) == 2 and row[0].isupper()]
    of_llamaparse = {code: row[0].strip("`") for row in exceptions for code in re.findall("`(.+?)`", row[1])}
    for code, kind in CODES.items():
        assert [f"`{code}`", str(kind.status), kind.title] in rows
        assert llamaparse_code(code) == of_llamaparse.get(code, code.upper())
        waits = code in ("rate_limited", "too_many_uploads", "queue_full")
        assert kind.retryable == (waits or kind.status in (408, 409) or kind.status >= 500)
