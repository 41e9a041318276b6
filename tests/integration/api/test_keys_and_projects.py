"""API keys, and that a key gives access to its own project only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from apps.accounts import services as accounts
from apps.api.v1.urls import OLD_PARSING
from tests.integration.api.conftest import FILES, PARSE, Api, code_of

SIGNED = {"api/v2/parse/signed/<str:token>", "api/v1/beta/files/signed/<str:token>", "api/ocr-exchange/<str:token>"}
OPEN = SIGNED | {"", "errors", "livez", "readyz", "api/health", "api/queue-statusz", "api/schema", "openapi.json"}
OPEN |= {"api/schemas", "api/schemas/<str:name>"}
OPEN |= {"api/docs", "api/v1/parsing/supported_file_extensions", "general/docs", "health"}


def addresses() -> set[str]:
    """Return the addresses that need a key. The first API has a second prefix, with the same views."""
    includes = [each for each in get_resolver().url_patterns if isinstance(each, URLResolver) and not str(each.pattern)]
    routes = {str(route.pattern) for include in includes for route in include.url_patterns}
    return {address for address in routes - OPEN if not address.startswith(f"{OLD_PARSING}/")}


def test_absent_wrong_expired_and_revoked_keys_get_the_same_response(api: Api) -> None:
    row, revoked = accounts.create_api_key(name="revoked")
    accounts.revoke_api_key(api_key=row)
    _, expired = accounts.create_api_key(name="expired", expires_at=timezone.now() - timedelta(seconds=1))
    headers = [{}, *({"authorization": f"Bearer {key}"} for key in ("lm-wrong", revoked, expired, "", "x" * 5000))]
    headers.append({"authorization": "Basic lm-wrong"})

    responses = [Client().get(PARSE, headers={"x-request-id": "same-for-all", **each}) for each in headers]

    assert {code_of(response, 401) for response in responses} == {"unauthenticated"}
    assert len({response.content for response in responses}) == 1
    assert responses[0]["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("address", sorted(addresses()))
def test_every_address_requires_a_key(address: str, transactional_db: None) -> None:
    path = "/" + address.replace("<str:file_id>", "dfl-1").replace("<str:job_id>", "pjb-1").replace(
        "<int:page_index>", "0"
    )
    responses = [getattr(Client(), method)(path) for method in ("get", "post", "delete")]
    assert {response.status_code for response in responses} == {401}


def test_lists_and_filters_show_nothing_of_another_project(api: Api, stranger: Api) -> None:
    """test_other_projects.py asks for single objects."""
    file_id, job_id = api.upload().json()["id"], api.parse().json()["id"]

    for path in (FILES, f"{FILES}?file_ids={file_id}", PARSE, f"{PARSE}?job_ids={job_id}"):
        response = stranger.get(path).json()
        assert (response["items"], response["total_size"]) == ([], 0)
    query = stranger.post(f"{FILES}/query", {"filter": {"file_ids": [file_id]}}, content_type="application/json")
    assert query.json()["items"] == []


def test_project_id_must_be_the_project_of_the_key(api: Api, stranger: Api) -> None:
    own = api.upload().json()["project_id"]
    other = stranger.upload().json()["project_id"]

    assert api.get(f"{FILES}?project_id={own}&organization_id=anything").json()["total_size"] == 1
    assert api.get(f"{FILES}?project_id=").status_code == 200
    assert code_of(api.get(f"{FILES}?project_id={other}"), 404) == "not_found"
    assert code_of(api.post(f"{PARSE}?project_id={other}"), 404) == "not_found"
