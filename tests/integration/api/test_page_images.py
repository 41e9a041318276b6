"""The pages of a file, and the pictures on them, as LlamaCloud's clients fetch them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from llama_cloud.types.pipelines import ImageListPageFiguresResponse, ImageListPageScreenshotsResponse
from PIL import Image
from pydantic import TypeAdapter

from tests.documents.scans import text_beside_a_picture
from tests.integration.api.conftest import Api, Finish, code_of

OF_FILE = "/api/v1/files"
WITHOUT_OCR: dict[str, Any] = {"processing_options": {"ocr_parameters": {"disable_ocr": True}}}


@pytest.fixture
def file_id(api: Api, finish: Finish) -> str:
    file_id = str(api.upload(text_beside_a_picture("Figure below")).json()["id"])
    finish(api.parse_file(file_id, **WITHOUT_OCR).json()["id"])
    return file_id


def size_of(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


def test_the_pages_of_a_parsed_file_are_listed_and_drawn(api: Api, file_id: str) -> None:
    listed = api.get(f"{OF_FILE}/{file_id}/page_screenshots").json()
    (page,) = TypeAdapter(ImageListPageScreenshotsResponse).validate_python(listed)
    assert (page.file_id, page.page_index) == (file_id, 0)

    drawn = api.get(f"{OF_FILE}/{file_id}/page_screenshots/0")
    assert (drawn.status_code, drawn["Content-Type"]) == (200, "image/jpeg")
    width, height = size_of(drawn.content)
    assert width < height
    assert code_of(api.get(f"{OF_FILE}/{file_id}/page_screenshots/1"), 404) == "not_found"


def test_the_pictures_on_the_pages_are_listed_and_drawn(api: Api, file_id: str) -> None:
    listed = api.get(f"{OF_FILE}/{file_id}/page-figures").json()
    (figure,) = TypeAdapter(ImageListPageFiguresResponse).validate_python(listed)
    assert (figure.file_id, figure.page_index, figure.figure_name) == (file_id, 0, "page_1_picture_1.jpg")
    assert listed[0]["metadata"]["bbox"] == pytest.approx({"x": 60, "y": 113, "w": 480, "h": 299}, abs=2)

    drawn = api.get(f"{OF_FILE}/{file_id}/page-figures/0/{figure.figure_name}")
    width, height = size_of(drawn.content)
    assert width > height
    for wrong in ("1/page_1_picture_1.jpg", "0/page_1_picture_2.jpg", "0/page_1.jpg"):
        assert code_of(api.get(f"{OF_FILE}/{file_id}/page-figures/{wrong}"), 404) == "not_found"


def test_a_file_without_a_result_or_of_another_project_has_no_pictures(api: Api, stranger: Api, file_id: str) -> None:
    unparsed = api.upload().json()["id"]
    for path in ("page_screenshots", "page_screenshots/0", "page-figures", "page-figures/0/page_1_picture_1.jpg"):
        assert "Parse it first" in api.get(f"{OF_FILE}/{unparsed}/{path}").json()["detail"]
        assert code_of(stranger.get(f"{OF_FILE}/{file_id}/{path}"), 404) == "not_found"
