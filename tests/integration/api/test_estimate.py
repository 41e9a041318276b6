"""Estimates: pages, cost and time of a request before it is sent."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts import services as accounts
from apps.accounts.models import ProjectQuota
from apps.documents.models import Document
from apps.jobs.commands import unpack
from apps.jobs.models import ParseJob
from apps.pages.sandbox import pool
from apps.providers.catalog import catalog
from tests.documents import hostile
from tests.documents.long import heading_of, long_document
from tests.fakes.deployments import deploy
from tests.fakes.fixtures import provider, running_provider
from tests.fakes.provider import FakeProvider
from tests.integration.api.conftest import PARSE, Api, code_of

__all__ = ["provider", "running_provider"]
REPORT = Path(__file__).resolve().parents[3] / "examples" / "report.pdf"


@pytest.fixture(autouse=True)
def _deployments_of_each_test() -> Iterator[None]:
    catalog.forget()
    yield
    catalog.forget()


def estimate(api: Api, content: bytes, *, name: str = "report.pdf", **options: Any) -> Any:
    form = {"configuration": json.dumps(options), "file": SimpleUploadedFile(name, content)}
    return api.post(f"{PARSE}/estimate", form)


def found(response: Any) -> Any:
    assert response.status_code == 200, response.content
    return response.json()


def test_a_document_in_the_request_is_estimated_in_every_mode_and_not_kept(api: Api, provider: FakeProvider) -> None:
    deploy(provider)

    result = found(estimate(api, REPORT.read_bytes(), tier="cost_effective"))

    assert (result["pages"], result["pages_needing_ocr"], result["exact"], result["asked"]) == (2, 0, True, "balanced")
    modes = result["modes"]
    assert [modes[mode]["requests"] for mode in ("fast", "balanced", "multimodal", "agentic")] == [0, 2, 2, 4]
    assert all(mode["available"] for mode in modes.values())
    assert modes["fast"]["cost_usd"] == {"low": 0, "high": 0}
    for name in ("balanced", "multimodal", "agentic"):
        assert 0 < modes[name]["cost_usd"]["low"] < modes[name]["cost_usd"]["high"]
        assert 0 < modes[name]["seconds"]["low"] < modes[name]["seconds"]["high"]
    assert modes["balanced"]["cost_usd"]["high"] < modes["agentic"]["cost_usd"]["high"]
    assert not Document.objects.exists()
    assert not ParseJob.objects.exists()
    assert provider.requests() == []


def test_an_uploaded_file_is_estimated_by_its_id_without_a_tier(api: Api) -> None:
    file_id = api.upload(REPORT.read_bytes()).json()["id"]

    result = found(api.post(f"{PARSE}/estimate", {"file_id": file_id}, content_type="application/json"))

    assert (result["pages"], result["asked"]) == (2, None)
    assert not ParseJob.objects.exists()


def test_pages_that_are_searched_for_bar_codes_need_ocr(api: Api) -> None:
    def with_ocr(**options: bool) -> Any:
        return found(estimate(api, REPORT.read_bytes(), processing_options={"ocr_parameters": options}))

    assert with_ocr()["pages_needing_ocr"] == 0
    assert with_ocr(barcodes=True)["pages_needing_ocr"] == 2

    without_ocr = with_ocr(barcodes=True, disable_ocr=True)
    assert without_ocr["pages_needing_ocr"] == 0
    [warning] = without_ocr["warnings"]
    assert (warning["code"], warning["option"]) == (
        "option_without_effect",
        "processing_options.ocr_parameters.barcodes",
    )


def test_an_estimate_and_the_unpacking_of_a_file_do_not_wait_for_each_other(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MAX_UNPACKING_SECONDS", 20.0)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("a.pdf", REPORT.read_bytes())
    document = Document.objects.get(pk=api.upload(archive.getvalue(), name="papers.zip").json()["id"])

    with pool.reader_pool(1).reader():  # an estimate runs
        unpacked = unpack.unpack(project=document.project, document=document)

    assert [file.name for file in unpacked.files] == ["a.pdf"]


def test_a_mode_without_a_provider_has_the_reason(api: Api, settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = ""

    modes = found(estimate(api, REPORT.read_bytes()))["modes"]

    assert modes["fast"]["available"]
    assert not modes["balanced"]["available"]
    assert "load_providers" in modes["balanced"]["why_not"]
    assert modes["balanced"]["cost_usd"] is None
    assert modes["balanced"]["requests"] == 2


def test_the_reason_names_the_limits_of_project_and_request(api: Api, provider: FakeProvider, settings: Any) -> None:
    deploy(provider)
    refused = found(estimate(api, REPORT.read_bytes(), allow_external=False))["modes"]["agentic"]
    assert "allow_external" in refused["why_not"]

    ProjectQuota.objects.create(project=accounts.default_project(), modes=["fast"], pages_per_day=1)
    modes = found(estimate(api, REPORT.read_bytes()))["modes"]
    assert "does not allow the mode balanced" in modes["balanced"]["why_not"]
    assert "1 pages a day" in modes["fast"]["why_not"]


def test_an_unknown_price_makes_the_cost_unknown(api: Api, provider: FakeProvider) -> None:
    deploy(provider, prices=None)
    deploy(provider, "anthropic")

    modes = found(estimate(api, REPORT.read_bytes(), tier="balanced"))["modes"]

    assert (modes["balanced"]["available"], modes["balanced"]["cost_usd"]) == (True, None)
    assert modes["balanced"]["without_price"] == ["openai"]
    assert (modes["fast"]["cost_usd"], modes["fast"]["without_price"]) == ({"low": 0, "high": 0}, [])


def test_fast_mode_as_a_substitute_is_named_as_the_reason(api: Api, settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"

    modes = found(estimate(api, REPORT.read_bytes(), tier="agentic"))["modes"]

    reasons = {mode: each["why_not"] for mode, each in modes.items()}
    assert reasons["fast"] is None
    for mode in ("balanced", "multimodal", "agentic"):
        assert reasons[mode] == f"No provider serves the mode {mode}; fast mode takes its place."


def test_rules_route_pages_in_the_requested_mode(api: Api, provider: FakeProvider) -> None:
    deploy(provider)
    rules = [{"text_in_page": heading_of(2), "parsing_conf": {"tier": "agentic", "version": "latest"}}]
    processing = {"auto_mode_configuration": rules}

    modes = found(estimate(api, long_document(3), tier="balanced", processing_options=processing))["modes"]

    assert modes["balanced"]["pages"] == {"balanced": 2, "agentic": 1}
    assert modes["balanced"]["requests"] == 4
    assert modes["agentic"]["pages"] == {"agentic": 3}


def test_easy_pages_of_an_agentic_request_are_cheaper(api: Api, provider: FakeProvider) -> None:
    deploy(provider)
    processing = {"cost_optimizer": {"enable": True}}

    agentic = found(estimate(api, long_document(2), tier="agentic", processing_options=processing))["modes"]["agentic"]

    assert (agentic["pages"], agentic["requests"]) == ({"balanced": 2}, 2)


def test_a_long_document_is_estimated_from_a_sample(api: Api, provider: FakeProvider) -> None:
    deploy(provider)

    result = found(estimate(api, long_document(200)))

    assert (result["pages"], result["exact"]) == (200, False)
    assert result["modes"]["balanced"]["requests"] == 200
    assert result["modes"]["agentic"]["requests"] == 400


def test_only_the_requested_pages_are_counted(api: Api) -> None:
    assert found(estimate(api, long_document(9), page_ranges={"target_pages": "2-4,9"}))["pages"] == 4
    assert code_of(estimate(api, long_document(9), page_ranges={"target_pages": "10"}), 422) == "invalid_option"


def test_a_quota_increases_the_estimated_time(api: Api, provider: FakeProvider) -> None:
    deploy(provider, quota={"requests_per_window": 10})

    seconds = found(estimate(api, long_document(60)))["modes"]["balanced"]["seconds"]

    assert seconds["low"] >= 300  # ten at once, then ten a minute
    assert seconds["high"] >= 360


@pytest.mark.parametrize(
    ("content", "options", "status", "code"),
    [
        (b"%PDF-1.7\n", {}, 422, "document_corrupt"),
        (b"MZ\x90\0", {}, 415, "unsupported_file_type"),
        (hostile.encrypted("sesame"), {}, 422, "document_encrypted"),
        (REPORT.read_bytes(), {"tier": "quick"}, 422, "invalid_option"),
        (REPORT.read_bytes(), {"tier": "fast", "version": "2001-01-01"}, 422, "invalid_option"),
    ],
)
def test_a_request_that_parse_refuses_is_refused(
    api: Api, content: bytes, options: dict[str, Any], status: int, code: str
) -> None:
    assert code_of(estimate(api, content, **options), status) == code


def test_a_request_without_a_document_is_refused(api: Api) -> None:
    response = api.post(f"{PARSE}/estimate", {"tier": "fast"}, content_type="application/json")
    assert code_of(response, 400) == "file_missing"


def test_a_file_of_another_project_is_not_found(api: Api, stranger: Api) -> None:
    file_id = api.upload(REPORT.read_bytes()).json()["id"]
    response = stranger.post(f"{PARSE}/estimate", {"file_id": file_id}, content_type="application/json")
    assert code_of(response, 404) == "not_found"


def test_an_unknown_option_causes_a_warning(api: Api) -> None:
    assert found(estimate(api, REPORT.read_bytes(), teir="fast"))["warnings"][0]["option"] == "teir"
