"""Unstructured's API. Its clients read documents in tests/acceptance/test_clients.py."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.jobs.models import ParseJob
from tests.integration.api.compatible.conftest import REPORT
from tests.integration.api.conftest import Api, Finish, body_of, code_of
from tests.unit.pages.office.test_open_document_presentations import deck, frame, slide, text_box

GENERAL = "/general/v0/general"


def send(api: Client, content: bytes = REPORT, *, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return api.post(GENERAL, {**fields, "files": SimpleUploadedFile("report.pdf", content)}, headers=headers)


def test_a_document_becomes_elements(api: Api, worker: None) -> None:
    response = send(api, strategy="fast", coordinates="true", languages=["eng"], include_page_breaks="true")
    elements = body_of(response)

    assert "X-Leafmill-Warnings" not in response
    header, title = elements[0], next(element for element in elements if element["type"] == "Title")
    assert (header["type"], header["text"]) == ("Header", "River survey - annual report")
    assert title["text"] == "The river in its second year"
    assert title["metadata"]["page_number"] == 1
    assert title["metadata"]["filename"] == "report.pdf"
    assert title["metadata"]["filetype"] == "application/pdf"
    assert title["metadata"]["languages"] == ["eng"]
    [[left, top], _, [right, bottom], _] = title["metadata"]["coordinates"]["points"]
    assert 0 < left < right < title["metadata"]["coordinates"]["layout_width"]
    assert 0 < top < bottom < title["metadata"]["coordinates"]["layout_height"]
    below, text = elements[elements.index(title) + 1 :][:2]
    assert (below["text"], below["metadata"]["parent_id"]) == ("How the survey was made", title["element_id"])
    assert (text["type"], text["metadata"]["parent_id"]) == ("NarrativeText", below["element_id"])
    [table] = [element for element in elements if element["type"] == "Table"]
    assert table["metadata"]["text_as_html"].startswith("<table><tr><th>")
    assert table["metadata"]["page_number"] == 2
    assert [element["metadata"]["page_number"] for element in elements if element["type"] == "PageBreak"] == [1]
    assert len({element["element_id"] for element in elements}) == len(elements)


def test_the_elements_may_be_csv_without_tables_and_with_other_page_numbers(api: Api, worker: None) -> None:
    fields: dict[str, Any] = {
        "output_format": "text/csv",
        "starting_page_number": "11",
        "skip_infer_table_types": '["pdf"]',
    }
    response = send(api, **fields, unique_element_ids="true")

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert {row["page_number"] for row in rows} == {"11", "12"}
    [table] = [row for row in rows if row["type"] == "Table"]
    assert table["text_as_html"] == ""
    assert all(len(row["element_id"]) == 36 for row in rows)


def test_the_defaults_of_the_client_are_accepted_and_unknown_names_warned_about(api: Api, worker: None) -> None:
    fields: dict[str, Any] = {
        "encoding": "utf-8",
        "xml_keep_tags": "false",
        "include_slide_notes": "true",
        "split_pdf_page": "true",
    }
    fields |= {"chunking_strategy": "by_page", "max_characters": "10000", "strategy": "hi_res"}
    fields |= {f"colour{number}": "blue" for number in range(50)}
    response = send(api, **fields, extract_image_block_types="[]")

    assert [chunk["metadata"]["page_number"] for chunk in body_of(response)] == [1, 2, 2, 2]
    first, *others, last = json.loads(response["X-Leafmill-Warnings"])
    assert first["code"] == "unknown_option"
    assert "colour0" in first["option"]
    assert len(response["X-Leafmill-Warnings"]) < 4000
    assert last["code"] == "more_warnings"
    assert f"{49 - len(others)} more" in last["detail"]


def test_speaker_notes_follow_the_elements_of_their_slide(api: Api, worker: None, tmp_path: Path) -> None:
    notes = f"<presentation:notes>{frame(text_box('Say hello'), kind='notes')}</presentation:notes>"
    slides = deck(tmp_path / "deck.odp", slide(frame(text_box("Results")), notes)).read_bytes()

    assert [element["text"] for element in body_of(send(api, slides))] == ["Results", "Say hello"]
    assert [element["text"] for element in body_of(send(api, slides, include_slide_notes="false"))] == ["Results"]


def test_an_encoding_is_found_in_the_document(api: Api, worker: None) -> None:
    [warning] = json.loads(send(api, b"Text", encoding="latin-1")["X-Leafmill-Warnings"])

    assert (warning["code"], warning["option"]) == ("option_without_effect", "encoding")


REFUSED = {
    "strategy": "ocr_only",
    "chunking_strategy": "by_similarity",
    "extract_image_block_types": '["Image"]',
    "hi_res_model_name": "yolox",
    "vlm_model": "gpt-4o",
    "languages": "klingon",
    "output_format": "text/html",
    "overlap": "500",
    "starting_page_number": "0",
}


def test_what_cannot_be_done_is_refused(api: Api) -> None:
    for name, value in REFUSED.items():
        response = send(api, **dict[str, Any]({name: value}))
        assert code_of(response, 422) == "invalid_option"
        assert name in json.dumps(response.json()["detail"])
    assert not ParseJob.objects.exists()


def test_a_damaged_document_and_a_wrong_key_are_refused(key: str, keyless: Client, worker: None) -> None:
    headers = {"unstructured-api-key": key}

    assert code_of(send(keyless, b"%PDF-1.7\n", headers=headers), 422) == "document_corrupt"
    assert code_of(send(keyless, b"MZ\x90\0", headers=headers), 415) == "unsupported_file_type"
    assert code_of(send(keyless, headers={"unstructured-api-key": "lm-wrong"}), 401) == "unauthenticated"
    assert keyless.get("/general/docs").status_code == 200


def test_a_request_that_took_too_long_joins_its_job_when_it_is_sent_again(
    api: Api, finish: Finish, settings: Any
) -> None:
    settings.SYNC_WAIT_SECONDS = 1
    response = send(api)
    assert code_of(response, 504) == "wait_ended"
    assert response["Retry-After"]
    [job] = ParseJob.objects.all()
    assert job.pk in response.json()["detail"]

    finish(job.pk)

    assert body_of(send(api))[0]["text"] == "River survey - annual report"
    assert ParseJob.objects.count() == 1


def test_too_many_waiting_requests_are_refused_before_they_create_a_job(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from apps.api.v2 import long_poll

    monkeypatch.setattr(long_poll, "_slots", threading.BoundedSemaphore(1))
    with long_poll.waiting_slot():
        response = send(api)

    assert code_of(response, 503) == "too_many_waiting"
    assert response["Retry-After"]
    assert not ParseJob.objects.exists()
