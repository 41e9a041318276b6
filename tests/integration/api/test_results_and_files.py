"""How results, files and pictures are sent: entity tags, parts, compression, links, pictures, credits."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from apps.documents import storage
from apps.jobs.models import ParseJob
from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.hostile import stream
from tests.documents.long import long_document
from tests.documents.scans import text_beside_a_picture
from tests.integration.api.conftest import FILES, PARSE, Api, Finish, body_of, code_of
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

WITHOUT_OCR: dict[str, Any] = {"processing_options": {"ocr_parameters": {"disable_ocr": True}}}


def content_of(response: Any) -> bytes:
    return b"".join(response) if response.streaming else response.content


def get(address: str, **headers: str) -> Any:
    return Client(raise_request_exception=False).get(address.removeprefix("http://testserver"), headers=headers)


@pytest.fixture
def job_id(api: Api, finish: Finish) -> str:
    job_id = str(api.parse(long_document(3)).json()["id"])
    finish(job_id)
    return job_id


@pytest.fixture
def link(api: Api, job_id: str) -> str:
    sections = body_of(api.job(job_id, "markdown_full_content_metadata"))
    return str(sections["result_content_metadata"]["markdown_full"]["presigned_url"])


def test_a_result_is_not_kept_by_caches_and_is_sent_again_only_if_it_changed(api: Api, job_id: str) -> None:
    address = f"{PARSE}/{job_id}?expand=markdown"
    first = api.get(address)
    assert first["Cache-Control"] == "private, no-store"
    again = api.get(address, headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert api.get(f"{address}&expand=text", headers={"if-none-match": first["ETag"]}).status_code == 200


def test_an_open_job_has_no_entity_tag(api: Api) -> None:
    response = api.get(f"{PARSE}/{api.parse().json()['id']}", headers={"if-none-match": "*"})
    assert response.status_code == 200
    assert "ETag" not in response


def test_a_large_result_is_compressed_if_the_client_takes_it(api: Api, finish: Finish) -> None:
    job_id = api.parse(long_document(20, columns=2)).json()["id"]
    finish(job_id)
    plain = api.job(job_id, "items", "markdown", "text")
    packed = api.get(f"{PARSE}/{job_id}?expand=items,markdown,text", headers={"accept-encoding": "br, gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    content = content_of(packed)
    assert json.loads(gzip.decompress(content)) == body_of(plain)
    assert len(content) < len(json.dumps(json.loads(gzip.decompress(content)))) / 3
    refused = api.get(f"{PARSE}/{job_id}?expand=items,markdown,text", headers={"accept-encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("bytes=0-9", 0, 9), ("bytes=5-", 5, None), ("bytes=-7", -7, None)]
)
def test_a_part_of_a_file_can_be_fetched(link: str, asked: str, first: int, last: int | None) -> None:
    whole = content_of(get(link))
    part = get(link, range=asked, **{"accept-encoding": "gzip"})
    assert part.status_code == 206
    expected = whole[first:] if last is None else whole[first : last + 1]
    assert content_of(part) == expected
    start = first % len(whole)
    assert part["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"


def test_a_part_that_a_file_does_not_have_is_refused(link: str) -> None:
    assert code_of(get(link, range="bytes=99999999-"), 416) == "range_not_satisfiable"


def test_a_part_of_a_changed_file_is_the_whole_file(link: str) -> None:
    whole = get(link)
    tag = whole["ETag"]
    assert get(link, range="bytes=0-3", **{"if-range": tag}).status_code == 206
    assert get(link, range="bytes=0-3", **{"if-range": '"another"'}).status_code == 200
    assert get(link, **{"if-none-match": tag}).status_code == 304


def test_an_uploaded_file_can_be_fetched_in_parts(api: Api) -> None:
    content = long_document(2)
    file_id = api.upload(content).json()["id"]
    link = api.get(f"{FILES}/{file_id}/content").json()["url"]
    assert content_of(get(link, range="bytes=10-19")) == content[10:20]
    assert get(link)["Accept-Ranges"] == "bytes"


def test_files_that_are_not_written_are_listed_as_missing(api: Api, job_id: str) -> None:
    sections = body_of(api.job(job_id, "xlsx_content_metadata", "output_pdf_content_metadata", "debug_logs"))
    assert sections["result_content_metadata"] == {
        name: {"size_bytes": 0, "exists": False, "presigned_url": None} for name in ("xlsx", "output_pdf")
    }


def test_additional_outputs_are_linked_without_being_named_again(api: Api, finish: Finish) -> None:
    outputs = {"additional_outputs": ["stripped_md", "concatenated_stripped_txt", "word_bbox", "something new"]}
    created = api.parse(long_document(1), output_options=outputs).json()
    [warning] = created["warnings"]
    assert (warning["code"], warning["option"]) == ("option_without_effect", "output_options.additional_outputs")
    assert "'something new'" in warning["detail"]
    job_id = created["id"]
    finish(job_id)
    result = body_of(api.job(job_id, "text_full"))
    files = {name: get(each["presigned_url"]) for name, each in result["result_content_metadata"].items()}
    assert set(files) == {"stripped_markdown", "concatenated_stripped_markdown", "raw_words"}
    assert content_of(files["concatenated_stripped_markdown"]).decode() == result["text_full"]
    words = [json.loads(line) for line in content_of(files["raw_words"]).splitlines()]
    assert " ".join(word["text"] for word in words[:4]) in " ".join(result["text_full"].split())
    assert all(word["page_number"] == 1 and word["w"] > 0 < word["h"] for word in words)


@pytest.mark.parametrize(("guess", "sheet"), [(False, "Page 1, table 1"), (True, "Freight in May 2026")])
def test_a_workbook_and_the_pdf_are_linked_if_they_are_asked_for(
    api: Api, finish: Finish, tmp_path: Path, guess: bool, sheet: str
) -> None:
    page = Sheet().text(72, 72, "Freight in May: 2026", size=20).grid((72, 272, 472), (120, 160, 200))
    page.lines(72, 300, ["The ships of the company carried coal to every harbour of the coast."] * 6)
    for x, y, text in ((80, 130, "Cargo"), (280, 130, "Tons"), (80, 170, "Coal"), (280, 170, "1200")):
        page.text(x, y, text)
    content = Path(write_pdf(tmp_path / "freight.pdf", page)).read_bytes()
    options = {"save_output_pdf": True, "tables_as_spreadsheet": {"enable": True, "guess_sheet_name": guess}}
    job_id = api.parse(content, output_options=options).json()["id"]
    finish(job_id)

    expand = ("xlsx_content_metadata", "output_pdf_content_metadata")
    files = body_of(api.job(job_id, *expand))["result_content_metadata"]

    assert files["output_pdf"]["size_bytes"] == len(content)
    assert content_of(get(files["output_pdf"]["presigned_url"])) == content
    workbook = get(files["xlsx"]["presigned_url"])
    assert workbook["Content-Type"].endswith("spreadsheetml.sheet")
    with zipfile.ZipFile(io.BytesIO(content_of(workbook))) as parts:
        assert f'name="{sheet}"' in parts.read("xl/workbook.xml").decode()
        assert "<v>1200</v>" in parts.read("xl/worksheets/sheet1.xml").decode()
    of_first_api = api.get(f"/api/v1/parsing/job/{job_id}/result/xlsx")
    with zipfile.ZipFile(io.BytesIO(content_of(of_first_api))) as parts:
        assert f'name="{sheet}"' in parts.read("xl/workbook.xml").decode()


def test_a_picture_of_an_item_can_be_fetched(api: Api, stranger: Api, finish: Finish, settings: Any) -> None:
    settings.PUBLIC_URL = "http://testserver"
    job_id = api.parse(
        text_beside_a_picture("Figure below"),
        output_options={"images_to_save": ["screenshot", "layout"]},
        **WITHOUT_OCR,
    ).json()["id"]
    finish(job_id)
    result = body_of(api.job(job_id, "items", "images_content_metadata"))
    item = next(item for item in result["items"]["pages"][0]["items"] if item["type"] == "image")
    picture = api.get(item["url"].removeprefix("http://testserver"))
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/jpeg")
    assert size_of(picture.content) == pytest.approx((480 / 72 * 300, 299 / 72 * 300), rel=0.35)
    assert code_of(stranger.get(item["url"].removeprefix("http://testserver")), 404) == "not_found"

    listed = result["images_content_metadata"]
    assert [(image["filename"], image["category"]) for image in listed["images"]] == [
        ("page_1.jpg", "screenshot"),
        ("page_1_picture_1.jpg", "layout"),
    ]
    assert listed["images"][1]["bbox"] == pytest.approx({"x": 60, "y": 113, "w": 480, "h": 299}, abs=2)
    assert get(listed["images"][1]["presigned_url"]).content == picture.content
    page = get(listed["images"][0]["presigned_url"])
    assert size_of(page.content)[0] < size_of(page.content)[1]
    only = body_of(api.get(f"{PARSE}/{job_id}?expand=images_content_metadata&image_filenames=page_1.jpg"))
    assert [image["filename"] for image in only["images_content_metadata"]["images"]] == ["page_1.jpg"]
    assert code_of(api.get(f"{PARSE}/{job_id}/images/page_1_picture_2.jpg"), 404) == "not_found"


def size_of(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


def test_text_is_in_a_grid_and_markdown_has_pictures_if_they_are_asked_for(
    api: Api, finish: Finish, tmp_path: Path
) -> None:
    sheet = Sheet().lines(72, 72, ["The left column", "goes on here"] * 4)
    sheet.lines(320, 72, ["The right column", "is beside it"] * 4)
    columns = Path(write_pdf(tmp_path / "columns.pdf", sheet)).read_bytes()
    job_id = api.parse(columns, output_options={"spatial_text": {"do_not_unroll_columns": True}}).json()["id"]
    finish(job_id)
    lines = body_of(api.job(job_id, "text_full"))["text_full"].splitlines()
    assert ["right" in line for line in lines] == [True, False] * 4
    assert lines[0].split() == ["The", "left", "column", "The", "right", "column"]

    options = {"output_options": {"markdown": {"inline_images": True}}, **WITHOUT_OCR}
    job_id = api.parse(text_beside_a_picture("Figure below"), **options).json()["id"]
    finish(job_id)
    result = body_of(api.job(job_id, "markdown_full", "markdown"))
    for markdown in (result["markdown_full"], result["markdown"]["pages"][0]["markdown"]):
        (encoded,) = re.findall(r"!\[\]\(data:image/jpeg;base64,([^)]+)\)", markdown)
        assert Image.open(io.BytesIO(base64.b64decode(encoded))).format == "JPEG"


def test_the_pages_of_a_job_have_a_price_in_credits(api: Api, finish: Finish, settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"
    job_id = api.parse(long_document(3), tier="agentic").json()["id"]
    assert api.get(f"{PARSE}/{job_id}").json()["job"]["usage"] == {"credits": None}
    finish(job_id)
    assert api.get(f"{PARSE}/{job_id}").json()["job"]["usage"]["credits"] == 3.0  # parsed in fast mode


def garbled_document() -> bytes:
    """Return a page whose codes mean nothing."""
    lines = []
    for number in range(20):
        codes = b"".join(rb"\%03o" % (1 + (7 * number + 3 * at) % 31) for at in range(40))
        lines.append(b"BT /F 11 Tf 72 %d Td (%s) Tj ET" % (700 - 14 * number, codes))
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        stream(b" ".join(lines)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


def test_a_failure_condition_fails_the_job(api: Api, finish: Finish) -> None:
    strict = {"job_failure_conditions": {"fail_on_buggy_font": True, "fail_on_markdown_reconstruction_error": True}}
    job_id = api.parse(garbled_document(), processing_control=strict, **WITHOUT_OCR).json()["id"]
    job = finish(job_id)
    assert (job.state, job.error_code) == ("failed", "failure_condition_met")
    assert "Pages: 1" in job.error_detail

    good = api.parse(long_document(2), processing_control=strict, **WITHOUT_OCR).json()
    assert good["warnings"] == []
    assert finish(good["id"]).state == "succeeded"


def test_a_result_missing_from_storage_is_reported_and_assembled_again(
    api: Api, finish: Finish, job_id: str, link: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = body_of(api.job(job_id, "markdown_full", "items"))
    storage.delete_below(ParseJob.objects.get(pk=job_id).result_folder)

    refused = api.job(job_id, "markdown_full")
    assert code_of(refused, 410) == "result_missing"
    assert "/retry" in refused.json()["detail"]
    assert code_of(get(link), 410) == "result_missing"
    assert code_of(api.get(f"/api/v1/parsing/job/{job_id}/result/markdown"), 410) == "result_missing"
    assert api.job(job_id).status_code == 200  # the state is known without the files
    assert "is missing from storage" in caplog.text

    assert api.post(f"{PARSE}/{job_id}/retry", content_type="application/json").status_code == 200
    finish(job_id)
    after = body_of(api.job(job_id, "markdown_full", "items"))
    assert (after["markdown_full"], after["items"]) == (before["markdown_full"], before["items"])
    assert code_of(api.post(f"{PARSE}/{job_id}/retry", content_type="application/json"), 400) == "conflict"


def test_a_document_missing_from_storage_is_gone_for_good(api: Api) -> None:
    file_id = api.upload().json()["id"]
    storage.delete(storage.original(file_id))

    assert code_of(api.parse_file(file_id), 410) == "document_missing"
    signed = api.get(f"/api/v1/beta/files/{file_id}/content").json()["url"]
    assert code_of(get(signed), 410) == "document_missing"


@pytest.mark.parametrize("name", ["/pages?page=2", "/result/chunks.jsonl?max_token=100"])
def test_an_unknown_query_parameter_is_refused_with_the_known_ones(api: Api, job_id: str, name: str) -> None:
    response = api.get(f"{PARSE}/{job_id}{name}")

    assert code_of(response, 422) == "invalid_option"
    [error] = response.json()["errors"]
    assert error["field"] == name.partition("?")[2].partition("=")[0]
    assert "project_id" in error["detail"]


def test_the_parameters_that_clients_send_with_every_request_are_accepted(api: Api, job_id: str) -> None:
    project = ParseJob.objects.get(pk=job_id).project
    sent = f"organization_id={project.pk}&project_id={project.pk}"
    for address in (
        f"{PARSE}/{job_id}?",
        f"{PARSE}/{job_id}/pages?",
        f"{PARSE}/{job_id}/result/markdown.md?",
        f"{PARSE}?",
    ):
        assert api.get(f"{address}{sent}").status_code == 200
    assert api.get(f"{PARSE}/{job_id}?pollingInterval=1000").status_code == 200
