"""The external document loader of Open WebUI, whose request has the document as its body."""

from __future__ import annotations

from typing import Any

from apps.jobs.models import ParseJob
from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.hostile import stream
from tests.integration.api.compatible.conftest import REPORT
from tests.integration.api.conftest import Api, body_of, code_of


def put(api: Api, path: str = "/process", content: bytes = REPORT, **headers: str) -> Any:
    headers.setdefault("x-filename", "r%C3%A9port.pdf")
    return api.put(path, content, content_type="application/pdf", headers=headers)


def test_the_body_becomes_markdown(api: Api, worker: None) -> None:
    document = body_of(put(api))

    assert document["page_content"].startswith("# The river in its second year")
    assert document["metadata"]["source"] == "réport.pdf"
    assert document["metadata"]["total_pages"] == 2
    assert all(isinstance(value, str | int) for value in document["metadata"].values())


def test_by_page_each_page_is_a_document(api: Api, worker: None) -> None:
    first, second = body_of(put(api, "/by-page/process"))

    assert first["page_content"].startswith("# The river in its second year")
    assert (first["metadata"]["page"], second["metadata"]["page"]) == (0, 1)
    assert "Birds counted" in second["page_content"]


def test_a_document_without_text_is_refused_as_open_webui_expects(api: Api, worker: None) -> None:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>>"
    objects = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, stream(b""))

    response = put(api, content=assembled_pdf(*objects))

    assert code_of(response, 422) == "document_without_text"
    assert "No extractable text" in response.json()["detail"]


def test_bad_bodies_are_refused(api: Api, settings: Any) -> None:
    assert code_of(put(api, content=b""), 400) == "file_missing"
    assert code_of(put(api, content=b"MZ\x90\0"), 415) == "unsupported_file_type"
    settings.MAX_UPLOAD_BYTES = 100
    assert code_of(put(api), 413) == "file_too_large"
    assert not ParseJob.objects.exists()
