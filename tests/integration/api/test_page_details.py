"""``pages/{n}``: one page with its attempts, the calls for it, its result and its pictures."""

from __future__ import annotations

import io

import pytest
from django.test import Client
from PIL import Image, ImageChops

from tests.documents.long import long_document
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
from tests.integration.api.conftest import PARSE, Api, Finish, body_of, code_of

__all__ = ["gateway", "make_gateway", "provider", "quota_store", "running_provider", "shared_connections"]


def picture(link: str) -> Image.Image:
    response = Client().get(link.removeprefix("http://testserver"))
    assert (response.status_code, response["Content-Type"]) == (200, "image/jpeg")
    return Image.open(io.BytesIO(response.content)).convert("RGB")


def test_a_page_has_its_result_and_its_picture_with_the_boxes(api: Api, finish: Finish) -> None:
    job_id = api.parse(long_document(3)).json()["id"]
    finish(job_id)

    page = body_of(api.get(f"{PARSE}/{job_id}/pages/2"))
    whole = body_of(api.job(job_id, "text", "markdown", "items", "metadata"))

    assert (page["page_number"], page["state"]) == (2, "succeeded")
    for section in ("text", "markdown", "items", "metadata"):
        assert page[section] == whole[section]["pages"][1]
    assert page["warnings"] == page["calls"] == []
    image, overlay = picture(page["image_url"]), picture(page["overlay_url"])
    assert image.size == overlay.size
    box = page["items"]["items"][0]["bbox"][0]
    scale = image.width / page["items"]["page_width"]
    differing = ImageChops.difference(image, overlay).convert("L").point(lambda value: 255 * (value > 60)).getbbox()
    assert differing is not None
    assert (differing[0], differing[1]) == pytest.approx((box["x"] * scale, box["y"] * scale), abs=4)


def test_a_page_that_is_not_parsed_yet_has_no_result(api: Api) -> None:
    job_id = api.parse().json()["id"]
    for number in ("1", "0", "-1", "x", "99999999999", "%00"):
        assert code_of(api.get(f"{PARSE}/{job_id}/pages/{number}"), 404) == "not_found"


@pytest.mark.usefixtures("gateway")
def test_a_page_lists_the_calls_for_it_without_secrets(api: Api, finish: Finish, provider: FakeProvider) -> None:
    deployed = deploy(provider)
    job_id = api.parse(tier="cost_effective").json()["id"]
    finish(job_id)

    response = api.get(f"{PARSE}/{job_id}/pages/1")
    page = body_of(response)

    assert [attempt["stage"] for attempt in page["tries"]][-1] == "model"
    assert {attempt["outcome"] for attempt in page["tries"]} == {"accepted"}
    (call,) = page["calls"]
    assert (call["model"], call["outcome"]) == (deployed.model, "answered")
    assert call["provider"] == deployed.provider.name
    assert call["input_tokens"] > 0
    assert "key" not in str(page["calls"])
