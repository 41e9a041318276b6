"""/api/v2/classify and /api/v1/split/jobs; the model is the fake provider, which reads the request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from examples.make_examples import document, text
from tests.documents.invoices import invoice
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
from tests.integration.api.conftest import Api, Finish, code_of

__all__ = ["gateway", "make_gateway", "provider", "quota_store", "running_provider", "shared_connections"]
pytestmark = pytest.mark.usefixtures("gateway")
CLASSIFY, SPLIT = "/api/v2/classify", "/api/v1/split/jobs"
RULES = [
    {"type": "invoice", "description": "An invoice with number, articles, grand total"},
    {"type": "letter", "description": "A letter that begins with dear and ends with regards"},
]
CATEGORIES = [{"name": rule["type"], "description": rule["description"]} for rule in RULES]
# Two pages of an invoice, a letter, a page of neither.
FILE = document(
    [
        [text(60, 780, "INVOICE with number INV-1")],
        [text(60, 780, "Grand total: 12.00, articles above")],
        [text(60, 780, "Dear reader,"), text(60, 740, "regards, Weir")],
        [text(60, 780, "Xyz")],
    ]
)


def create(api: Api, address: str, file_input: str, **configuration: Any) -> Any:
    body = {"file_input": file_input, "configuration": configuration}
    return api.post(address, body, content_type="application/json")


def done(api: Api, finish: Finish, address: str, file_input: str, **configuration: Any) -> dict[str, Any]:
    response = create(api, address, file_input, **configuration)
    assert response.status_code == 200, response.content
    finish(response.json()["id"])
    found: dict[str, Any] = api.get(f"{address}/{response.json()['id']}").json()
    return found


def file_id(api: Api, content: bytes = FILE) -> str:
    return str(api.upload(content, purpose="classify").json()["id"])


def test_a_document_is_classified_by_rules(api: Api, finish: Finish, provider: FakeProvider) -> None:
    deploy(provider)

    job = done(api, finish, CLASSIFY, file_id(api, invoice(1).content), rules=RULES)

    assert (job["status"], job["result"]["type"]) == ("COMPLETED", "invoice")
    assert 0 < job["result"]["confidence"] <= 1
    assert "criteria" in job["result"]["reasoning"]
    assert job["configuration"]["rules"] == RULES
    assert [each["id"] for each in api.get(CLASSIFY, {"status": "COMPLETED"}).json()["items"]] == [job["id"]]


def test_a_finished_parse_job_is_classified_with_some_of_its_pages(
    api: Api, finish: Finish, provider: FakeProvider
) -> None:
    deploy(provider)
    parse_id = api.parse(FILE).json()["id"]
    finish(parse_id)

    letter = done(api, finish, CLASSIFY, parse_id, rules=RULES, parsing_configuration={"target_pages": "3"})
    neither = done(api, finish, CLASSIFY, parse_id, rules=RULES, parsing_configuration={"target_pages": "4"})

    assert (letter["result"]["type"], letter["parse_job_id"]) == ("letter", parse_id)
    assert neither["result"]["type"] is None


def test_an_answer_with_an_unknown_type_is_refused(api: Api, finish: Finish, provider: FakeProvider) -> None:
    deploy(provider)
    provider.answer(json.dumps({"type": "poem", "confidence": 1, "reasoning": "It rhymes."}))

    job = done(api, finish, CLASSIFY, file_id(api), rules=RULES)

    assert (job["status"], job["error"]["code"]) == ("FAILED", "output_invalid")


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        ({}, [("invoice", [1, 2]), ("letter", [3]), ("uncategorized", [4])]),
        ({"allow_uncategorized": "omit"}, [("invoice", [1, 2]), ("letter", [3])]),
        ({"min_pages_per_split": 2}, [("invoice", [1, 2, 3, 4])]),
    ],
)
def test_a_file_is_split_into_documents(
    api: Api, finish: Finish, provider: FakeProvider, strategy: dict[str, Any], wanted: list[tuple[str, list[int]]]
) -> None:
    deploy(provider)

    job = done(api, finish, SPLIT, file_id(api), categories=CATEGORIES, splitting_strategy=strategy)

    assert job["status"] == "completed"
    assert [(each["category"], each["pages"]) for each in job["result"]["segments"]] == wanted
    assert api.get(f"/api/v1/beta/split/jobs/{job['id']}").json()["document_input"]["type"] == "file_id"


def test_segments_that_leave_out_a_page_are_asked_for_again(api: Api, finish: Finish, provider: FakeProvider) -> None:
    deploy(provider)
    segment = {"category": "invoice", "first_page": 1, "last_page": 3, "confidence": "low"}
    provider.answer(json.dumps({"segments": [segment]}), times=1)

    job = done(api, finish, SPLIT, file_id(api), categories=CATEGORIES)

    assert len(job["result"]["segments"]) == 3
    assert "page 4 is in no segment" in provider.requests()[1]["text"]


@pytest.mark.parametrize(
    ("address", "configuration", "field"),
    [
        (CLASSIFY, {"rules": []}, "configuration.rules"),
        (CLASSIFY, {"rules": [RULES[0], RULES[0]]}, "configuration.rules"),
        (
            CLASSIFY,
            {"rules": RULES, "parsing_configuration": {"target_pages": "3-1"}},
            "configuration.parsing_configuration.target_pages",
        ),
        (SPLIT, {"categories": [{"name": "uncategorized"}]}, "configuration.categories"),
        (SPLIT, {"categories": CATEGORIES, "target_pages": "x"}, "configuration.target_pages"),
        (SPLIT, {"categories": CATEGORIES, "parse_config_id": "cfg-0"}, "configuration.parse_config_id"),
        (
            SPLIT,
            {"categories": CATEGORIES, "splitting_strategy": {"min_pages_per_split": 0}},
            "configuration.splitting_strategy.min_pages_per_split",
        ),
    ],
)
def test_rules_and_categories_are_checked(
    api: Api, provider: FakeProvider, address: str, configuration: dict[str, Any], field: str
) -> None:
    deploy(provider)

    response = create(api, address, file_id(api), **configuration)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("address", "configuration"), [(CLASSIFY, {"rules": RULES}), (SPLIT, {"categories": CATEGORIES})]
)
def test_jobs_of_another_project_are_not_found(
    api: Api, stranger: Api, provider: FakeProvider, address: str, configuration: dict[str, Any]
) -> None:
    deploy(provider)
    job_id = create(api, address, file_id(api), **configuration).json()["id"]

    responses = [
        stranger.get(f"{address}/{job_id}"),
        stranger.delete(f"{address}/{job_id}"),
        stranger.post(f"{address}/{job_id}/cancel"),
    ]

    assert {code_of(response, 404) for response in responses} == {"not_found"}
    assert stranger.get(address).json()["items"] == []
    assert api.get(f"{address}/{job_id}").status_code == 200
