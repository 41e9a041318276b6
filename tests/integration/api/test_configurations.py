"""Saved configurations: kept, changed, listed, and used by parse requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.conftest import Api, body_of, code_of

CONFIGURATIONS = "/api/v1/beta/configurations"
JSON = "application/json"
INVOICES = {
    "product_type": "parse_v2",
    "tier": "fast",
    "version": "latest",
    "page_ranges": {"max_pages": 2},
    "output_options": {"markdown": {"annotate_links": True}},
}


def save(api: Api, name: str = "invoices", **parameters: Any) -> Any:
    return api.post(CONFIGURATIONS, {"name": name, "parameters": {**INVOICES, **parameters}}, content_type=JSON)


def change(api: Api, configuration_id: str, **changes: Any) -> Any:
    return api.put(f"{CONFIGURATIONS}/{configuration_id}", changes, content_type=JSON)


def parameters_of(api: Api, job_id: str) -> Any:
    return body_of(api.job(job_id, "job_metadata"))["job_metadata"]["parameters"]


def test_a_configuration_is_saved_read_changed_and_deleted(api: Api) -> None:
    saved = save(api).json()
    assert (saved["name"], saved["parameters"], saved["product_type"]) == ("invoices", INVOICES, "parse_v2")
    assert api.get(f"{CONFIGURATIONS}/{saved['id']}").json() == saved

    changed = change(api, saved["id"], name="bills").json()
    assert (changed["name"], changed["parameters"]) == ("bills", INVOICES)
    assert changed["version"] > saved["version"]
    assert change(api, saved["id"], parameters=INVOICES | {"version": "2025-12-11"}).json()["name"] == "bills"

    assert api.delete(f"{CONFIGURATIONS}/{saved['id']}").status_code == 204
    assert code_of(api.get(f"{CONFIGURATIONS}/{saved['id']}"), 404) == "not_found"


def test_configurations_are_listed_by_name_type_and_age(api: Api, stranger: Api) -> None:
    old, new, other = (save(api, name).json()["id"] for name in ("invoices", "invoices", "letters"))
    save(stranger)

    def listed(**query: Any) -> list[str]:
        return [each["id"] for each in api.get(CONFIGURATIONS, query).json()["items"]]

    assert listed() == [other, new, old]
    assert listed(name="invoices") == [new, old]
    assert listed(latest_only="true") == [other, new]
    assert listed(product_type=["extract_v2"]) == []
    assert listed(product_type=["extract_v2", "parse_v2"]) == [other, new, old]
    first = api.get(CONFIGURATIONS, {"page_size": 2}).json()
    assert listed(page_token=first["next_page_token"], page_size=2) == [old]


def test_a_request_uses_a_configuration_and_may_change_it(api: Api) -> None:
    configuration = save(api).json()["id"]

    job = api.parse(tier="configured", version="configured", configuration_id=configuration).json()
    assert job["tier"] == "fast"
    assert parameters_of(api, job["id"]) == {
        "configuration_id": configuration,
        "page_ranges": {"max_pages": 2},
        "output_options": {"markdown": {"annotate_links": True}},
    }

    tables = {"markdown": {"tables": {"output_tables_as_markdown": True}}}
    job = api.parse(tier=None, version=None, configuration_id=configuration, output_options=tables).json()
    assert parameters_of(api, job["id"])["output_options"] == {
        "markdown": {"annotate_links": True, "tables": {"output_tables_as_markdown": True}}
    }


def test_the_saved_version_belongs_to_the_saved_tier(api: Api, settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"
    configuration = save(api, tier="agentic", version="2026-10-15").json()["id"]
    assert api.parse(tier="configured", version="configured", configuration_id=configuration).json()["version"] == (
        "2026-10-15"
    )
    assert api.parse(tier="fast", version=None, configuration_id=configuration).json()["version"] == "2026-06-15"


def test_a_configuration_of_another_project_is_not_found(api: Api, stranger: Api) -> None:
    configuration = save(stranger).json()["id"]
    assert code_of(api.get(f"{CONFIGURATIONS}/{configuration}"), 404) == "not_found"
    assert code_of(change(api, configuration, name="mine"), 404) == "not_found"
    assert code_of(api.delete(f"{CONFIGURATIONS}/{configuration}"), 404) == "not_found"
    response = api.parse(tier="configured", version="configured", configuration_id=configuration)
    assert code_of(response, 422) == "invalid_option"
    assert response.json()["detail"][0]["loc"] == ["body", "configuration_id"]


def test_configured_needs_a_configuration(api: Api) -> None:
    response = api.parse(tier="configured", version="configured")
    assert code_of(response, 422) == "invalid_option"
    assert response.json()["detail"][0]["loc"] == ["body", "configuration_id"]


@pytest.mark.parametrize(
    ("parameters", "location"),
    [
        ({"tier": "best"}, ["tier"]),
        ({"version": "2020-01-01"}, ["version"]),
        ({"page_ranges": {"target_pages": "3-1"}}, ["page_ranges", "target_pages"]),
        ({"crop_box": {"top": 1.1}}, ["crop_box", "top"]),
        ({"input_options": {"pdf": {"password": "secret"}}}, ["input_options", "pdf", "password"]),
        ({"product_type": "extract_v2"}, ["product_type"]),
    ],
)
def test_what_a_job_would_refuse_is_not_saved(api: Api, parameters: dict[str, Any], location: list[str]) -> None:
    response = save(api, **parameters)
    assert code_of(response, 422) == "invalid_option"
    assert response.json()["detail"][0]["loc"] == ["body", "parameters", *location]
    assert "secret" not in response.content.decode()
    assert api.get(CONFIGURATIONS).json()["items"] == []
