"""The options of parse requests: invalid, unknown and ineffective ones, modes, versions, the password."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from llama_cloud.types.parsing_list_versions_response import ParsingListVersionsResponse

from apps.jobs.models import ParseJob
from tests.documents.long import long_document
from tests.integration.api.conftest import PARSE, Api, body_of, code_of

JSON = "application/json"


def warnings_of(job: dict[str, Any]) -> set[tuple[str, str]]:
    return {(warning["code"], warning.get("option", "")) for warning in job["warnings"]}


@pytest.mark.parametrize(
    ("options", "location", "code"),
    [
        ({"tier": "premium"}, ["tier"], "invalid_option"),
        ({"tier": None}, ["tier"], "invalid_option"),
        ({"version": "2020-01-01"}, ["version"], "invalid_option"),
        ({"version": 3}, ["version"], "invalid_option"),
        ({"configuration_id": "cfg-mine"}, ["configuration_id"], "invalid_option"),
        ({"page_ranges": {"max_pages": "5"}}, ["page_ranges", "max_pages"], "invalid_option"),
        ({"page_ranges": {"max_pages": 0}}, ["page_ranges", "max_pages"], "invalid_option"),
        ({"page_ranges": "1-3"}, ["page_ranges"], "invalid_option"),
        *(
            ({"page_ranges": {"target_pages": pages}}, ["page_ranges", "target_pages"], "invalid_option")
            for pages in ("1-9999999999", "5-1", "-", "1,,2", "0", "a")
        ),
        ({"crop_box": {"top": 1.5}}, ["crop_box", "top"], "invalid_option"),
        ({"crop_box": {"top": 0.1, "bottom": 0.9}}, ["crop_box", "bottom"], "invalid_option"),
        ({"crop_box": {"left": 1}}, ["crop_box", "right"], "invalid_option"),
        ({"disable_cache": "yes"}, ["disable_cache"], "invalid_option"),
        (
            {"output_options": {"markdown": {"tables": {"markdown_table_multiline_separator": "a|b"}}}},
            ["output_options", "markdown", "tables", "markdown_table_multiline_separator"],
            "invalid_option",
        ),
        (
            {"output_options": {"markdown": {"tables": {"output_tables_as_markdown": 1}}}},
            ["output_options", "markdown", "tables", "output_tables_as_markdown"],
            "invalid_option",
        ),
        ({"output_options": {"granular_bboxes": ["page"]}}, ["output_options", "granular_bboxes", 0], "invalid_option"),
        ({"user_metadata": {"order": 7}}, ["user_metadata", "order"], "invalid_option"),
        (
            {"processing_control": {"timeouts": {"base_in_seconds": 7201}}},
            ["processing_control", "timeouts", "base_in_seconds"],
            "invalid_option",
        ),
    ],
)
def test_an_invalid_option_is_named_by_its_path(
    api: Api, options: dict[str, Any], location: list[str | int], code: str
) -> None:
    response = api.parse(**options)
    assert code_of(response, 422) == code
    problem = response.json()["detail"][0]
    assert problem["loc"] == ["body", *location]
    assert problem["type"]
    assert problem["msg"]
    assert response.json()["errors"][0]["field"] == ".".join(map(str, location))
    assert not ParseJob.objects.exists()


def test_every_invalid_option_is_named(api: Api) -> None:
    response = api.parse(tier=1, page_ranges={"max_pages": -1}, crop_box={"left": "0"})
    assert {problem["field"] for problem in response.json()["errors"]} == {
        "tier",
        "page_ranges.max_pages",
        "crop_box.left",
    }


def test_fields_of_the_form_beside_the_options_are_accepted_with_a_warning(api: Api) -> None:
    form = {
        "file": SimpleUploadedFile("a.pdf", long_document(1)),
        "configuration": json.dumps({"tier": "fast", "version": "latest"}),
        "target_pages": "1",
    }

    job = api.post(f"{PARSE}/upload", form).json()

    warnings = [(each["code"], each["option"]) for each in job["warnings"]]
    assert warnings == [("unknown_option", "target_pages")]


def test_options_that_are_no_json_are_refused_with_the_place(api: Api) -> None:
    response = api.post(
        f"{PARSE}/upload", {"file": SimpleUploadedFile("a.pdf", long_document(1)), "configuration": "{'tier': 'fast'}"}
    )

    assert code_of(response, 400) == "invalid_json"
    assert "The form field configuration is not valid JSON in UTF-8 at character 2" in response.json()["detail"]


def test_unknown_options_are_accepted_with_a_warning(api: Api) -> None:
    job = api.parse(
        sparkle=True, output_options={"markdown": {"sparkle": {"deep": 1}}, "hologram": None}, page_ranges={"step": 2}
    ).json()
    assert warnings_of(job) == {
        ("unknown_option", "sparkle"),
        ("unknown_option", "output_options.markdown.sparkle"),
        ("unknown_option", "output_options.hologram"),
        ("unknown_option", "page_ranges.step"),
    }


def test_options_without_effect_cause_warnings(api: Api) -> None:
    job = api.parse(
        http_proxy="http://proxy.example.org",
        fast_options={},
        input_options={"image": {"camera_photo_correction": True}, "spreadsheet": {"include_hidden_sheets": True}},
        disable_cache=True,
        client_name="tests",
        output_options={
            "watermark_handling": "move_to_end",
            "images_to_save": [],
            "extract_printed_page_number": False,
            "markdown": {"tables": {"output_tables_as_markdown": True}},
        },
    ).json()
    assert warnings_of(job) == {
        ("option_without_effect", "http_proxy"),
        ("option_without_effect", "input_options.image.camera_photo_correction"),
    }
    assert "This option has no effect yet." not in str(job["warnings"])


def test_what_would_not_happen_is_refused_unless_the_operator_wants_a_warning(api: Api, settings: Any) -> None:
    rule = {"parsing_conf": {"crop_box": {"top": 0.2, "left": 0}}, "table_in_page": True}
    options: dict[str, Any] = {"processing_options": {"auto_mode_configuration": [rule]}}
    location = ["processing_options", "auto_mode_configuration", 0, "parsing_conf", "crop_box", "top"]
    response = api.parse(**options)
    assert code_of(response, 422) == "invalid_option"
    problem = response.json()["detail"][0]
    assert (problem["type"], problem["loc"]) == ("not_supported", ["body", *location])
    assert not ParseJob.objects.exists()

    settings.UNSUPPORTED_OPTIONS = "warn"
    assert ("option_without_effect", ".".join(map(str, location))) in warnings_of(api.parse(**options).json())


def test_a_whole_number_may_be_written_with_a_point(api: Api) -> None:
    job = api.parse(page_ranges={"max_pages": 5.0})
    assert job.status_code == 200
    assert code_of(api.parse(page_ranges={"max_pages": 5.5}), 422) == "invalid_option"


def test_the_table_format_is_stored_with_the_job(api: Api) -> None:
    tables = {"output_tables_as_markdown": True}
    job_id = api.parse(output_options={"markdown": {"tables": tables}}).json()["id"]
    assert body_of(api.job(job_id, "job_metadata"))["job_metadata"]["parameters"] == {
        "output_options": {"markdown": {"tables": tables}}
    }


@pytest.mark.parametrize("tier", ["cost_effective", "balanced", "multimodal", "agentic", "agentic_plus"])
def test_a_mode_without_a_provider_is_replaced_by_fast_mode_or_refused(api: Api, settings: Any, tier: str) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"
    job = api.parse(tier=tier).json()
    assert (job["tier"], job["mode"]) == (tier, "fast")
    assert ("mode_not_available", "tier") in warnings_of(job)

    settings.MODE_WITHOUT_PROVIDER = ""
    response = api.parse(tier=tier)
    assert code_of(response, 422) == "mode_not_available"
    assert "load_providers" in response.json()["detail"][0]["msg"]
    assert "fast" in response.json()["detail"][0]["msg"]
    assert api.parse(tier="fast").json()["warnings"] == []


def test_an_unknown_provider_is_refused_by_its_name(api: Api) -> None:
    response = api.parse(tier="cost_effective", providers=["unknown"])

    assert code_of(response, 422) == "invalid_option"
    assert response.json()["detail"][0]["loc"] == ["body", "providers"]
    assert "No provider is called unknown." in response.json()["detail"][0]["msg"]


def test_a_password_is_never_returned_or_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    secret = "correct horse"
    job_id = api.parse(input_options={"pdf": {"password": secret}}).json()["id"]
    job = ParseJob.objects.get(pk=job_id)
    assert secret not in json.dumps(job.options)
    assert job.password_sealed
    assert secret not in job.password_sealed
    assert secret.encode() not in api.job(job_id, "job_metadata").content

    for wrong in ({"password": [secret]}, {"password": secret * 100}, {"Password": secret}, secret, [secret]):
        response = api.parse(input_options={"pdf": wrong})
        assert secret.encode() not in response.content
    missing = api.parse(tier=None, input_options={"pdf": {"password": secret}})
    assert secret.encode() not in missing.content
    assert secret not in caplog.text


def test_a_request_must_have_exactly_one_document(api: Api) -> None:
    def create(**body: str) -> Any:
        return api.post(PARSE, {"tier": "fast", "version": "latest", **body}, content_type=JSON)

    assert code_of(create(), 400) == "file_missing"
    assert code_of(create(file_id="dfl-1", source_url="https://example.org/a.pdf"), 422) == "invalid_option"
    assert code_of(create(file_id="dfl-1"), 404) == "not_found"


def test_listed_versions_are_accepted(api: Api) -> None:
    versions = api.get(f"{PARSE}/versions").json()
    assert versions.keys() == {"fast", "cost_effective", "agentic", "agentic_plus", "latest"}
    for tier, version in versions["latest"].items():
        assert version in versions[tier]
        assert api.parse(tier=tier, version=version).json()["version"] == version
        assert not [
            each for each in api.parse(tier=tier, version=version).json()["warnings"] if "version" in each["code"]
        ]
    assert api.parse(tier=None, version="configured", configuration_id="cfg-PARSE_AGENTIC").json()["tier"] == "agentic"


def test_every_version_of_the_client_is_listed_and_accepted(api: Api, settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"
    listed = api.get(f"{PARSE}/versions").json()
    for tier in ("fast", "cost_effective", "agentic", "agentic_plus"):
        named = get_args(get_args(ParsingListVersionsResponse.model_fields[tier].annotation)[0])
        assert listed[tier] == list(named)
    assert sum(len(listed[tier]) for tier in listed if tier != "latest") == 112
    assert listed["latest"]["agentic"] == listed["agentic"][0]


def test_a_pinned_version_is_parsed_with_ours_and_says_so(api: Api) -> None:
    job = api.parse(version="2025-12-11").json()
    assert job["version"] == "2025-12-11"
    assert [(each["code"], each["parsed_with"]) for each in job["warnings"]] == [("version_replaced", "2026-06-15")]
    metadata = body_of(api.job(job["id"], "job_metadata"))["job_metadata"]
    assert (metadata["version"], metadata["parsed_with_version"]) == ("2025-12-11", "2026-06-15")


def test_the_versions_of_the_first_client_are_accepted_for_every_tier(api: Api, settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"
    assert api.parse(tier="cost_effective", version="2026-01-08").status_code == 200
    assert code_of(api.parse(tier="cost_effective", version="2026-01-09"), 422) == "invalid_option"


def test_types_of_problems_are_addresses_of_this_service(api: Api, settings: Any) -> None:
    settings.PUBLIC_URL = "https://parse.example.org"
    assert api.parse(tier="best").json()["type"] == "https://parse.example.org/errors#invalid_option"
