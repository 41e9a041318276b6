"""Rules of auto mode in requests: invalid ones are refused with the path of the field, valid ones are kept as sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.jobs.models import ParseJob
from apps.providers.catalog import catalog
from apps.providers.models import Deployment
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.api.conftest import Api, code_of

AGENTIC = {"tier": "agentic", "version": "latest"}
RULES = ["processing_options", "auto_mode_configuration"]


def parse(api: Api, *rules: Any) -> Any:
    return api.parse(processing_options={"auto_mode_configuration": list(rules)})


@pytest.mark.parametrize(
    ("rule", "location"),
    [
        ({"table_in_page": True}, ["parsing_conf"]),
        ({"parsing_conf": AGENTIC}, []),
        ({"parsing_conf": AGENTIC, "table_in_page": "yes"}, ["table_in_page"]),
        ({"parsing_conf": AGENTIC, "page_contains_at_least_n_words": "many"}, ["page_contains_at_least_n_words"]),
        ({"parsing_conf": AGENTIC, "regexp_in_page": "(a"}, ["regexp_in_page"]),
        ({"parsing_conf": AGENTIC, "filename_match_glob_list": ["*.pdf", 1]}, ["filename_match_glob_list", 1]),
        ({"parsing_conf": AGENTIC, "table_in_page": True, "trigger_mode": "xor"}, ["trigger_mode"]),
        ({"parsing_conf": {"tier": "gold"}, "table_in_page": True}, ["parsing_conf", "tier"]),
        ({"parsing_conf": {"version": "latest"}, "table_in_page": True}, ["parsing_conf", "version"]),
        (
            {"parsing_conf": {"tier": "fast", "version": "1999-01-01"}, "table_in_page": True},
            ["parsing_conf", "version"],
        ),
        ({"parsing_conf": {"crop_box": {"top": 3}}, "table_in_page": True}, ["parsing_conf", "crop_box", "top"]),
    ],
)
def test_an_invalid_field_is_named_by_its_path(api: Api, rule: dict[str, Any], location: list[str | int]) -> None:
    response = parse(api, {"parsing_conf": AGENTIC, "image_in_page": True}, rule)
    assert code_of(response, 422) == "invalid_option"
    [problem] = response.json()["detail"]
    assert problem["loc"] == ["body", *RULES, 1, *location]
    assert problem["msg"]
    assert response.json()["errors"][0]["field"] == ".".join(map(str, [*RULES, 1, *location]))
    assert not ParseJob.objects.exists()


@pytest.fixture(autouse=True)
def _provider(transactional_db: None) -> Iterator[None]:
    """A deployment for every mode. It receives no requests."""
    deploy(FakeProvider.at("http://127.0.0.1:9"))
    yield
    catalog.forget()


def test_a_rule_for_a_mode_without_a_provider_causes_a_warning(api: Api) -> None:
    Deployment.objects.update(serves_agent=False)
    catalog.forget()

    response = api.parse(
        processing_options={"auto_mode_configuration": [{"parsing_conf": AGENTIC, "table_in_page": True}]}
    )

    assert [warning["code"] for warning in response.json()["warnings"]] == ["mode_not_available"]


def test_rules_with_numbers_as_texts_are_accepted_and_kept(api: Api) -> None:
    rules = [
        {"parsing_conf": AGENTIC, "page_contains_at_least_n_tables": "2", "page_longer_than_n_chars": 1000},
        {
            "parsing_conf": {"custom_prompt": "Keep the units."},
            "full_page_image_in_page": True,
            "full_page_image_in_page_threshold": "0.8",
            "trigger_mode": "or",
        },
    ]
    response = api.parse(
        processing_options={"auto_mode_configuration": rules, "cost_optimizer": {"enable": True}},
    )
    assert response.status_code == 200
    assert response.json()["warnings"] == []
    kept = ParseJob.objects.get(pk=response.json()["id"]).options["processing_options"]
    assert kept == {"auto_mode_configuration": rules, "cost_optimizer": {"enable": True}}


def test_unknown_triggers_and_settings_without_effect_cause_warnings(api: Api) -> None:
    conf = AGENTIC | {"high_res_ocr": True, "vendor_multimodal_api_key": "hush"}
    job = parse(api, {"parsing_conf": conf, "table_in_page": True, "signature_in_page": "hush"}).json()
    found = {(warning["code"], warning["option"]) for warning in job["warnings"]}
    here = "processing_options.auto_mode_configuration.0"
    assert found == {
        ("unknown_option", f"{here}.signature_in_page"),
        ("unknown_option", f"{here}.parsing_conf.vendor_multimodal_api_key"),
        ("option_without_effect", f"{here}.parsing_conf.high_res_ocr"),
    }
    assert "never matches" in next(w["detail"] for w in job["warnings"] if w["option"].endswith("signature_in_page"))
    [kept] = ParseJob.objects.get(pk=job["id"]).options["processing_options"]["auto_mode_configuration"]
    assert kept["signature_in_page"] is True
    assert "hush" not in str(kept)


def test_the_examples_in_the_documentation_are_accepted(api: Api) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "modes.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        options = json.loads(example)
        job = api.parse(**options | {"tier": "fast"}).json()
        assert job["warnings"] == []
