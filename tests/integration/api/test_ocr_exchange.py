"""OCR workers exchange images and results over links for one storage key and one direction, which expire."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from apps.documents import storage
from apps.jobs import ocr_exchange
from ocr_worker import transfer
from ocr_worker.errors import AnswerRefused, ImageGone
from tests.integration.api.conftest import PARSE, Api, code_of

KEY = "jobs/pjb-00/pjb-0000/ocr/000001.7.1.image"


@pytest.fixture(autouse=True)
def _over_links(settings: Any) -> None:
    settings.OCR_EXCHANGE_URL = "http://testserver"


def path_of(address: str) -> str:
    assert address.startswith("http://testserver/api/ocr-exchange/")
    return urlsplit(address).path


def test_an_image_is_fetched_and_a_result_stored_without_an_api_key(api: Api) -> None:
    storage.write(KEY, b"pixels")
    assert b"".join(Client().get(path_of(ocr_exchange.address_to_read(KEY)))) == b"pixels"

    link = path_of(ocr_exchange.address_to_write(KEY.replace("image", "json")))
    for result in (b'{"first": 1}', b'{"again": 1}'):
        assert Client().put(link, result, content_type="application/octet-stream").status_code == 204
        assert storage.read(KEY.replace("image", "json")) == result


def test_a_link_is_valid_for_one_direction_and_one_key(api: Api) -> None:
    storage.write(KEY, b"pixels")
    to_read, to_write = (path_of(make(KEY)) for make in (ocr_exchange.address_to_read, ocr_exchange.address_to_write))
    assert code_of(Client().put(to_read, b"mine", content_type="application/octet-stream"), 404) == "not_found"
    assert code_of(Client().get(to_write), 404) == "not_found"
    assert code_of(Client().get(to_read[:-3] + "abc"), 404) == "not_found"
    assert storage.read(KEY) == b"pixels"


def test_a_link_expires_with_its_time_and_its_image(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.write(KEY, b"pixels")
    link = path_of(ocr_exchange.address_to_read(KEY))
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr("time.time", lambda: now + 3601)
        assert code_of(Client().get(link), 404) == "not_found"
    storage.delete(KEY)
    assert code_of(Client().get(link), 404) == "not_found"


def test_workers_with_a_shared_folder_get_paths(api: Api, settings: Any) -> None:
    settings.OCR_EXCHANGE_URL = ""
    storage.write(KEY, b"pixels")
    assert transfer.fetch(ocr_exchange.address_to_read(KEY)) == b"pixels"
    transfer.deliver(ocr_exchange.address_to_write(KEY + ".json"), b"text")
    assert storage.read(KEY + ".json") == b"text"


@pytest.mark.parametrize("address", ["/nowhere/at/all", "http://127.0.0.1:9/api/ocr-exchange/x"])
def test_an_unreachable_address_raises_the_errors_of_the_transfer(address: str) -> None:
    with pytest.raises(ImageGone):
        transfer.fetch(address)
    with pytest.raises(AnswerRefused):
        transfer.deliver(address, b"text")


def test_languages_are_checked_when_the_job_is_created(api: Api) -> None:
    def parse(*codes: str) -> Any:
        return api.parse(processing_options={"ocr_parameters": {"languages": list(codes)}})

    assert parse("de", "ch_sim", "pt-BR").status_code == 200
    refused = parse("de", "klingon")
    assert code_of(refused, 422) == "invalid_option"
    assert "ch_sim" in str(refused.json())
    assert refused.json()["detail"][0]["loc"][:4] == ["body", "processing_options", "ocr_parameters", "languages"]
    assert api.get(PARSE).json()["items"][0]["warnings"] == []
