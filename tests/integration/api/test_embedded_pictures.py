"""Pictures inside office documents: listed, fetched and exported under the names that pictures of PDFs have."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from PIL import Image

from tests.integration.api.conftest import PARSE, Api, Finish, body_of, code_of
from tests.integration.api.test_results_and_files import WITHOUT_OCR, content_of, get, size_of

SIZE = (400, 120)
OPEN_DOCUMENT = "urn:oasis:names:tc:opendocument:xmlns"


def document() -> bytes:
    """Return an OpenDocument text with a picture."""
    image, out = io.BytesIO(), io.BytesIO()
    Image.new("RGB", SIZE, "navy").save(image, "PNG")
    names = " ".join(f'xmlns:{name}="{OPEN_DOCUMENT}:{name}:1.0"' for name in ("office", "text", "drawing"))
    frame = '<drawing:frame><drawing:image xlink:href="Pictures/a.png"/></drawing:frame>'
    body = f"<office:body><office:text><text:p>Before{frame}</text:p></office:text></office:body>"
    link = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
    content = f"<office:document-content {names} {link}>{body}</office:document-content>"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", content)
        archive.writestr("Pictures/a.png", image.getvalue())
    return out.getvalue()


@pytest.fixture
def job_id(api: Api, finish: Finish, settings: Any) -> str:
    settings.PUBLIC_URL = "http://testserver"
    kinds = {"images_to_save": ["screenshot", "embedded"]}
    job_id = str(api.parse(document(), output_options=kinds, **WITHOUT_OCR).json()["id"])
    assert finish(job_id).state == "succeeded"
    return job_id


def test_a_picture_of_an_office_document_can_be_fetched(api: Api, job_id: str) -> None:
    result = body_of(api.job(job_id, "items", "metadata", "images_content_metadata"))
    item = next(item for item in result["items"]["pages"][0]["items"] if item["type"] == "image")
    assert item["embedded"] == {"name": "Pictures/a.png", "width": 400, "height": 120}
    picture = api.get(item["url"].removeprefix("http://testserver"))
    assert (picture.status_code, picture["Content-Type"], size_of(picture.content)) == (200, "image/jpeg", SIZE)
    assert result["metadata"]["pages"][0]["warnings"] == ["pictures_not_read"]

    [listed] = result["images_content_metadata"]["images"]  # a page has no screenshot
    assert (listed["filename"], listed["category"], listed["bbox"]) == ("page_1_picture_1.jpg", "embedded", None)
    assert get(listed["presigned_url"]).content == picture.content
    assert code_of(api.get(f"{PARSE}/{job_id}/images/page_1_picture_2.jpg"), 404) == "not_found"


def test_the_first_api_has_the_same_picture(api: Api, job_id: str) -> None:
    job = f"/api/v1/parsing/job/{job_id}/result"
    [page] = json.loads(content_of(api.get(f"{job}/json")))["pages"]
    [image] = page["images"]
    assert (image["name"], image["type"]) == ("img_p0_1.jpg", "object")
    assert (image["original_width"], image["original_height"]) == SIZE
    assert size_of(content_of(api.get(f"{job}/image/{image['name']}"))) == SIZE


def test_exports_contain_the_pictures(api: Api, job_id: str) -> None:
    html = content_of(api.get(f"{PARSE}/{job_id}/result/document.html")).decode()
    assert html.count("data:image/jpeg;base64,") == 1
    word = content_of(api.get(f"{PARSE}/{job_id}/result/document.docx"))
    with zipfile.ZipFile(io.BytesIO(word)) as parts:
        [name] = [name for name in parts.namelist() if name.startswith("word/media/")]
        assert size_of(parts.read(name)) == SIZE
