"""Exports of a result: made from its pages when they are asked for, and then kept with it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

from apps.api.v2 import result_files
from apps.documents import storage
from apps.jobs.models import ParseJob
from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.long import long_document
from tests.documents.scans import text_beside_a_picture
from tests.integration.api.conftest import FILES, PARSE, Api, Finish, body_of, code_of
from tests.integration.api.test_results_and_files import WITHOUT_OCR, content_of, get
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


@pytest.fixture
def job_id(api: Api, finish: Finish, tmp_path: Path) -> str:
    page = Sheet().text(72, 72, "Freight in May", size=20).grid((72, 272, 472), (120, 160, 200))
    page.lines(72, 300, ["The ships of the company carried coal to every harbour of the coast."] * 6)
    for x, y, text in ((80, 130, "Cargo"), (280, 130, "Tons"), (80, 170, "Coal"), (280, 170, "1200")):
        page.text(x, y, text)
    job_id = str(api.parse(Path(write_pdf(tmp_path / "freight.pdf", page)).read_bytes()).json()["id"])
    finish(job_id)
    return job_id


def chunks_of(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    return [json.loads(line) for line in content_of(response).splitlines()]


def test_chunks_lead_to_the_items_of_the_result(api: Api, job_id: str) -> None:
    response = api.get(f"{PARSE}/{job_id}/result/chunks.jsonl")
    assert response["Content-Type"].startswith("application/x-ndjson")
    assert "chunks.jsonl" in response["Content-Disposition"]
    (chunk,) = chunks_of(response)
    assert chunk["headings"] == ["Freight in May"]
    (page,) = body_of(api.job(job_id, "items"))["items"]["pages"]
    for locator in chunk["locators"]:
        item = page["items"][int(locator["pointer"].removeprefix("/items/"))]
        assert locator["bbox"].items() <= item["bbox"][0].items()
    assert "| Coal | 1200 |" in chunk["text"]


def test_an_export_is_kept_with_the_result_and_linked_without_a_key(api: Api, job_id: str) -> None:
    folder = ParseJob.objects.get(pk=job_id).result_folder
    assert not storage.exists(f"{folder}/chunks.jsonl")  # nobody has asked for it
    linked = body_of(api.job(job_id, "chunks_content_metadata"))["result_content_metadata"]["chunks"]
    assert storage.size(f"{folder}/chunks.jsonl") == linked["size_bytes"] > 0
    assert chunks_of(get(linked["presigned_url"])) == chunks_of(api.get(f"{PARSE}/{job_id}/result/chunks.jsonl"))


def test_every_export_has_its_address_type_and_link(api: Api, job_id: str) -> None:
    types = {
        "chunks.jsonl": "application/x-ndjson; charset=utf-8",
        "document.html": "text/html; charset=utf-8",
        "document.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "searchable.pdf": "application/pdf",
        "archive.pdf": "application/pdf",
        "document.hocr": "text/html; charset=utf-8",
        "alto.xml": "application/xml; charset=utf-8",
        "tables.zip": "application/zip",
        "everything.zip": "application/zip",
    }
    names = ("chunks", "html", "docx", "searchable_pdf", "archive_pdf", "hocr", "alto", "csv", "zip")
    listed = body_of(api.job(job_id, *(f"{name}_content_metadata" for name in names)))["result_content_metadata"]
    for name, (file_name, media_type) in zip(names, types.items(), strict=True):
        response = api.get(f"{PARSE}/{job_id}/result/{file_name}")
        assert response["Content-Type"] == media_type
        assert response["Content-Disposition"] == f'attachment; filename="{file_name}"'
        content = content_of(response)
        assert listed[name]["size_bytes"] == len(content)
        if name in ("html", "hocr", "alto"):
            assert "harbour" in content.decode()


def test_the_searchable_pdf_shows_the_pages_and_has_their_text(api: Api, job_id: str) -> None:
    content = content_of(api.get(f"{PARSE}/{job_id}/result/searchable.pdf"))
    (sheet,) = pypdfium2.PdfDocument(content)
    assert "coal to every harbour" in sheet.get_textpage().get_text_range()
    assert not [each for each in sheet.get_objects() if each.type == FPDF_PAGEOBJ_IMAGE]  # it is the page itself
    drawn = sheet.render(scale=1).to_pil().convert("L")
    assert drawn.crop((72, 70, 300, 95)).getextrema()[0] < 100  # the heading
    assert drawn.crop((72, 500, 300, 560)).getextrema()[0] > 200  # paper


def test_a_document_that_cannot_be_copied_becomes_pictures_with_a_warning(api: Api, finish: Finish) -> None:
    """qpdf cannot read a page tree that loops, but PDFium can."""
    looping = assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 2 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>",
    )
    job_id = api.parse(looping).json()["id"]
    finish(job_id)
    for _ in range(2):
        (sheet,) = pypdfium2.PdfDocument(content_of(api.get(f"{PARSE}/{job_id}/result/searchable.pdf")))
        assert len(list(sheet.get_objects())) == 1  # the picture
    codes = [warning["code"] for warning in body_of(api.job(job_id))["job"]["warnings"]]
    assert codes.count("searchable_pdf_of_pictures") == 1


def test_the_archive_has_every_file_of_the_result(api: Api, job_id: str) -> None:
    content = content_of(api.get(f"{PARSE}/{job_id}/result/everything.zip"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {"markdown.md", "items.json", "chunks.jsonl", "document.html", "document.docx"} <= set(
            archive.namelist()
        )
        for name in ("markdown.md", "document.html"):
            assert archive.read(name) == content_of(api.get(f"{PARSE}/{job_id}/result/{name}"))
        assert archive.read("tables/page_1_table_1.csv").decode("utf-8-sig") == "Cargo,Tons\nCoal,1200\n"


def test_a_document_without_tables_has_no_archive_of_them(api: Api, finish: Finish, tmp_path: Path) -> None:
    letter = Path(write_pdf(tmp_path / "letter.pdf", Sheet().text(72, 72, "Dear Sir"))).read_bytes()
    job_id = api.parse(letter).json()["id"]
    finish(job_id)
    refused = api.get(f"{PARSE}/{job_id}/result/tables.zip")
    assert code_of(refused, 404) == "not_found"
    assert "no tables" in refused.json()["detail"]
    listed = body_of(api.job(job_id, "csv_content_metadata"))["result_content_metadata"]
    assert listed["csv"]["exists"] is False


def test_a_result_is_a_docling_document_too(api: Api, job_id: str) -> None:
    document = json.loads(content_of(api.get(f"{PARSE}/{job_id}/result/docling.json")))
    assert (document["schema_name"], document["origin"]["filename"]) == ("DoclingDocument", "report.pdf")
    assert [each["text"] for each in document["texts"] if each["label"] in ("title", "section_header")] == [
        "Freight in May"
    ]
    linked = body_of(api.job(job_id, "docling_content_metadata"))["result_content_metadata"]["docling"]
    assert json.loads(content_of(get(linked["presigned_url"]))) == document


def test_a_document_that_was_deleted_has_no_searchable_pdf(api: Api, finish: Finish) -> None:
    file_id = api.upload(long_document(1)).json()["id"]
    job_id = api.parse_file(file_id).json()["id"]
    finish(job_id)
    assert api.delete(f"{FILES}/{file_id}").status_code == 204
    assert code_of(api.get(f"{PARSE}/{job_id}/result/searchable.pdf"), 404) == "not_found"
    listed = body_of(api.job(job_id, "searchable_pdf_content_metadata", "html_content_metadata"))
    exists = {name: each["exists"] for name, each in listed["result_content_metadata"].items()}
    assert exists == {"searchable_pdf": False, "html": True}


def test_a_document_of_text_has_no_searchable_pdf(api: Api, finish: Finish) -> None:
    job_id = api.parse(b"Coal for every harbour.\n", name="freight.txt").json()["id"]
    finish(job_id)
    assert code_of(api.get(f"{PARSE}/{job_id}/result/searchable.pdf"), 422) == "no_page_picture"
    (chunk,) = chunks_of(api.get(f"{PARSE}/{job_id}/result/chunks.jsonl"))
    assert chunk["text"] == "Coal for every harbour."
    assert "bbox" not in chunk["locators"][0]


def test_options_of_chunks_change_the_download_only(api: Api, job_id: str) -> None:
    address = f"{PARSE}/{job_id}/result/chunks.jsonl"
    small = chunks_of(api.get(f"{address}?max_tokens=40&overlap_tokens=10&split_by=tokens&within_pages=true"))
    assert len(small) > 2
    assert len(chunks_of(api.get(address))) == 1
    for query in ("max_tokens=1", "max_tokens=9000", "overlap_tokens=257", "split_by=words", "within_pages=perhaps"):
        assert code_of(api.get(f"{address}?{query}"), 422) == "invalid_option"


def test_stored_files_are_downloads_too(api: Api, stranger: Api, job_id: str) -> None:
    markdown = api.get(f"{PARSE}/{job_id}/result/markdown.md")
    assert content_of(markdown).decode() == body_of(api.job(job_id, "markdown_full"))["markdown_full"]
    again = api.get(f"{PARSE}/{job_id}/result/markdown.md", headers={"if-none-match": markdown["ETag"]})
    assert again.status_code == 304
    for client, name in ((api, "tables.xlsx"), (api, "secrets.txt"), (stranger, "markdown.md")):
        assert code_of(client.get(f"{PARSE}/{job_id}/result/{name}"), 404) == "not_found"


def test_no_export_is_made_of_a_job_that_is_not_finished(api: Api, job_id: str) -> None:
    open_job = api.parse(long_document(1)).json()["id"]
    assert code_of(api.get(f"{PARSE}/{open_job}/result/chunks.jsonl"), 409) == "job_not_finished"
    assert api.post(f"{PARSE}/{job_id}/retry", {"pages": [1]}, content_type="application/json").status_code == 200
    assert code_of(api.get(f"{PARSE}/{job_id}/result/chunks.jsonl"), 409) == "job_not_finished"
    listed = body_of(api.job(job_id, "chunks_content_metadata", "text"))
    assert listed["result_content_metadata"]["chunks"]["exists"] is False
    assert listed["text"]


def test_only_some_exports_are_made_at_once(api: Api, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_files, "MAX_WAIT_SECONDS", 0.01)
    address = f"{PARSE}/{job_id}/result"
    assert api.get(f"{address}/alto.xml").status_code == 200
    for _ in range(result_files.MAX_EXPORTS_AT_ONCE):
        result_files.making.acquire()
    try:
        assert code_of(api.get(f"{address}/document.hocr"), 503) == "overloaded"
        assert api.get(f"{address}/alto.xml").status_code == 200  # it is kept
        assert api.get(f"{address}/markdown.md").status_code == 200
    finally:
        for _ in range(result_files.MAX_EXPORTS_AT_ONCE):
            result_files.making.release()
    assert api.get(f"{address}/document.hocr").status_code == 200


def test_lost_pages_are_reported(api: Api, job_id: str) -> None:
    job = ParseJob.objects.get(pk=job_id)
    for key in set(job.pages.values_list("content", flat=True)):
        storage.delete(key)
    assert code_of(api.get(f"{PARSE}/{job_id}/result/chunks.jsonl"), 410) == "result_missing"


def test_each_json_file_of_a_result_follows_its_published_schema(api: Api, finish: Finish, tmp_path: Path) -> None:
    """The schemas name every field that results have: here none is allowed beside those."""
    sheet = Sheet().text(72, 72, "Freight in May", size=20).grid((72, 272, 472), (120, 160, 200))
    sheet.lines(72, 300, ["The ships of the company carried coal to every harbour of the coast."] * 6)
    for x, y, text in ((80, 130, "Cargo"), (280, 130, "Tons"), (80, 170, "Coal"), (280, 170, "1200"), (72, 420, "- a")):
        sheet.text(x, y, text)
    documents = {
        "freight.pdf": Path(write_pdf(tmp_path / "freight.pdf", sheet)).read_bytes(),
        "picture.pdf": text_beside_a_picture("Figure below"),
        "note.txt": b"Coal for every harbour.\n\n- one\n- two\n",
    }
    listed = Client().get("/api/schemas").json()["items"]
    checked = {each["file"]: 0 for each in listed}
    for name, content in documents.items():
        options = {"output_options": {"granular_bboxes": ["word", "line", "cell"]}, **WITHOUT_OCR}
        job_id = str(api.parse(content, name=name, **options).json()["id"])
        finish(job_id)
        for each in listed:
            schema = Client().get(each["url"].removeprefix("http://testserver")).json()
            assert schema["$id"] == each["url"]
            validator = Draft202012Validator(_closed(schema))
            file = content_of(api.get(f"{PARSE}/{job_id}/result/{each['file']}"))
            for part in file.splitlines() if each["each_line"] else [file]:
                assert [error.message for error in validator.iter_errors(json.loads(part))] == []
                checked[each["file"]] += 1
    assert min(checked.values()) >= 3
    assert code_of(Client().get("/api/schemas/secrets.json"), 404) == "not_found"


def _closed(schema: Any) -> Any:
    """Return the schema with no other fields allowed than those it names."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in closed else closed
