"""The OpenAPI description is valid, complete and matches the responses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.validation import validate_schema

from apps.api.error_codes import CODES, llamaparse_code
from tests.integration.api.conftest import Api
from tests.integration.api.test_keys_and_projects import addresses


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


def test_every_code_of_our_errors_is_in_the_table() -> None:
    from apps.api import request_errors  # noqa: F401 (to load its classes)
    from apps.jobs.scheduling import rescue  # noqa: F401
    from apps.pages.model.errors import ParseError

    def classes(parent: type[ParseError]) -> set[type[ParseError]]:
        return {parent}.union(*(classes(child) for child in parent.__subclasses__()))

    ours = {error for error in classes(ParseError) if error.__module__.startswith("apps.")}
    exempt = {"apps.parsing"}  # the command line's own
    codes = {error.code for error in ours if not any(error.__module__.startswith(module) for module in exempt)}
    assert codes <= set(CODES)


def test_the_documentation_of_errors_has_the_same_table() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()]
    exceptions = [row for row in rows if len(row) == 2 and row[0].isupper()]
    of_llamaparse = {code: row[0].strip("`") for row in exceptions for code in re.findall("`(.+?)`", row[1])}
    for code, kind in CODES.items():
        assert [f"`{code}`", str(kind.status), kind.title] in rows
        assert llamaparse_code(code) == of_llamaparse.get(code, code.upper())
        waits = code in ("rate_limited", "too_many_uploads")
        assert kind.retryable == (waits or kind.status == 409 or kind.status >= 500)
