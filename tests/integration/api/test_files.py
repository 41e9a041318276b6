"""Files: uploaded, listed in pages, fetched through a link that expires, deleted."""

from __future__ import annotations

import base64
import re
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils.dateparse import parse_datetime

from tests.documents.long import long_document
from tests.integration.api.conftest import FILES, Api, Finish, code_of


def forged_token(moment: str) -> str:
    """Return a page token in the format of the service, with our own time."""
    return base64.urlsafe_b64encode(f"created_at\0d\0{moment}\0dfl-x".encode()).decode().rstrip("=")


def test_a_downloaded_file_equals_the_upload(api: Api) -> None:
    content = long_document(2)
    created = api.upload(content, name="Année 2026.pdf", purpose="user_data", external_file_id="their-7")
    file = created.json()

    assert created.status_code == 200
    assert re.fullmatch(r"dfl-[0-9a-f-]{36}", file["id"])
    assert (file["name"], file["file_type"], file["purpose"]) == ("Année 2026.pdf", "pdf", "user_data")
    assert (file["external_file_id"], file["size_bytes"]) == ("their-7", len(content))
    assert file["last_modified_at"].endswith("Z")
    assert api.get(f"{FILES}/{file['id']}").json() == file

    link = api.get(f"{FILES}/{file['id']}/content").json()
    assert link["url"].startswith("http://testserver/")
    fetched = Client().get(urlsplit(link["url"]).path)
    assert b"".join(fetched) == content
    assert fetched["Content-Disposition"].startswith("attachment")
    assert fetched["Content-Type"] == "application/octet-stream"
    assert fetched["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in fetched["Content-Security-Policy"]


def test_a_link_needs_its_signature_and_expires_with_its_time_or_its_file(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = api.upload().json()["id"]
    link = urlsplit(api.get(f"{FILES}/{file_id}/content?expires_at_seconds=60").json()["url"]).path
    assert Client().get(link).status_code == 200
    assert code_of(Client().get(link[:-1] + ("A" if link[-1] != "A" else "B")), 404) == "not_found"

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert code_of(Client().get(link), 404) == "not_found"
    monkeypatch.undo()

    assert api.delete(f"{FILES}/{file_id}").status_code == 204
    assert code_of(Client().get(link), 404) == "not_found"
    assert code_of(api.get(f"{FILES}/{file_id}"), 404) == "not_found"


def test_links_begin_with_the_public_url(api: Api, settings: Any) -> None:
    settings.PUBLIC_URL = "https://docs.example.org/parse"
    file_id = api.upload().json()["id"]
    response = api.get(f"{FILES}/{file_id}?expand=download_url").json()
    assert response["download_url"]["url"].startswith("https://docs.example.org/parse/api/v1/beta/files/signed/")


def test_pages_of_a_list_stay_correct_while_files_are_added_and_deleted(api: Api) -> None:
    ids = [api.upload(name=f"{letter}.pdf").json()["id"] for letter in "cabed"]
    first = api.get(f"{FILES}?page_size=2").json()
    api.upload(name="late.pdf")
    api.delete(f"{FILES}/{first['items'][0]['id']}")
    second = api.get(f"{FILES}", {"page_size": 2, "page_token": first["next_page_token"]}).json()
    third = api.get(f"{FILES}", {"page_size": 2, "page_token": second["next_page_token"]}).json()

    seen = [file["id"] for page in (first, second, third) for file in page["items"]]
    assert seen == ids[::-1]
    assert third["next_page_token"] is None
    assert first["total_size"] == 5


@pytest.mark.parametrize(
    ("order", "expected"),
    [("name", "a b c"), ("name desc", "c b a"), ("created_at", "b a c"), ("created_at asc", "c a b"), ("id", None)],
)
def test_files_are_sorted_by_the_requested_field(api: Api, order: str, expected: str | None) -> None:
    files = [api.upload(name=name).json() for name in "cab"]
    names = " ".join(file["name"] for file in sorted(files, key=lambda file: str(file["id"])))
    found: list[str] = []
    token: str | None = ""
    for _ in files:
        page = api.get(FILES, {"order_by": order, "page_size": "1", "page_token": token or ""}).json()
        found += [file["name"] for file in page["items"]]
        token = page["next_page_token"]
    assert " ".join(found) == (expected or names)
    assert token is None


def test_files_are_filtered_by_id_name_and_external_id(api: Api) -> None:
    one, two = api.upload(name="one.pdf", external_file_id="x1").json(), api.upload(name="two.pdf").json()

    def names(response: Any) -> set[str]:
        return {file["name"] for file in response.json()["items"]}

    assert names(api.get(FILES, {"file_ids": [one["id"], two["id"]]})) == {"one.pdf", "two.pdf"}
    assert names(api.get(FILES, {"file_ids": one["id"]})) == {"one.pdf"}
    assert names(api.get(FILES, {"file_name": "two.pdf"})) == {"two.pdf"}
    assert names(api.get(FILES, {"external_file_id": "x1"})) == {"one.pdf"}
    body = {"filter": {"external_file_id": "x1"}, "order_by": "name desc", "page_size": 5000}
    assert names(api.post(f"{FILES}/query", body, content_type="application/json")) == {"one.pdf"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page_size=0", "page_size"),
        ("page_size=many", "page_size"),
        ("order_by=size", "order_by"),
        ("page_token=nonsense", "page_token"),
        (f"page_token={forged_token('0001-01-01T00:00:00+00:00')}", "page_token"),
        (f"page_token={forged_token('2026-11-21T00:00:00')}", "page_token"),
        ("file_name=a%00b", "file_name"),
    ],
)
def test_an_invalid_query_parameter_is_named(api: Api, query: str, field: str) -> None:
    response = api.get(f"{FILES}?{query}")
    assert code_of(response, 422) == "invalid_option"
    assert response.json()["detail"][0]["loc"] == ["query", field]
    assert response.json()["errors"][0]["field"] == field


def test_a_page_token_of_another_order_is_refused(api: Api) -> None:
    for name in "ab":
        api.upload(name=name)
    token = api.get(f"{FILES}?page_size=1&order_by=name").json()["next_page_token"]
    assert code_of(api.get(f"{FILES}?page_size=1&page_token={token}"), 422) == "invalid_option"


def test_a_file_of_an_open_job_cannot_be_deleted(api: Api) -> None:
    file_id = api.upload().json()["id"]
    job = api.parse_file(file_id).json()
    assert code_of(api.delete(f"{FILES}/{file_id}"), 400) == "conflict"
    api.post(f"/api/v2/parse/{job['id']}/cancel")
    assert api.delete(f"{FILES}/{file_id}").status_code == 204


def test_a_file_uploaded_with_a_job_expires_and_is_deleted_with_the_job(api: Api, finish: Finish) -> None:
    by_itself = api.upload().json()["id"]
    finish(api.parse_file(by_itself).json()["id"])
    job = api.parse().json()
    with_job = job["file_id"]
    assert api.get(f"{FILES}/{with_job}").json()["expires_at"] is None, "its job is open"
    ended = finish(job["id"])

    file = api.get(f"{FILES}/{with_job}").json()
    listed = {file["id"]: file["expires_at"] for file in api.get(FILES).json()["items"]}

    assert ended.expires_at is not None
    assert parse_datetime(file["expires_at"]) == ended.expires_at
    assert listed == {by_itself: None, with_job: file["expires_at"]}
    api.delete(f"/api/v2/parse/{job['id']}")
    assert code_of(api.get(f"{FILES}/{with_job}"), 404) == "not_found"
    assert api.get(f"{FILES}/{by_itself}").status_code == 200


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        # Rows 18 to 27 of the table of hostile inputs.
        ('filename="../../etc/passwd"', "passwd"),
        ('filename="..\\..\\x.pdf"', "x.pdf"),
        ('filename="C:\\x.pdf"', "x.pdf"),
        ('filename="x\x00.pdf"', "x.pdf"),
        ('filename="a\r\nX-Evil: 1.pdf"', '"a'),  # the header ends with its line
        ("filename*=UTF-8''a%0D%0AX-Evil%3A%201.pdf", "aX-Evil: 1.pdf"),
        ('filename="' + "a" * 300 + '.pdf"', "a" * 251 + ".pdf"),
        ('filename="' + "\U0001f600" * 255 + '"', "\U0001f600" * 63),
        ('filename="\u202egnp.fdp"', "gnp.fdp"),
        ('filename="．．／x.pdf"', "x.pdf"),
        ('filename="％2e％2e／x.pdf"', "x.pdf"),
        ('filename="<svg onload=alert(1)>.pdf"', "<svg onload=alert(1)>.pdf"),
        ('filename="=cmd|calc.pdf"', "=cmd|calc.pdf"),
        ('filename="@x"', "@x"),
        ('filename="-rf"', "-rf"),
        ('filename=".htaccess"', ".htaccess"),
        ('filename="con.pdf"', "con.pdf"),
        ("filename=\"a.pdf\"; filename*=UTF-8''b%2Fc.pdf", "c.pdf"),
        ("filename*=UTF-8''c.pdf; filename=\"a.pdf\"", "c.pdf"),
        ("filename*=UTF-8''%FF%FE.pdf", "\ufffd\ufffd.pdf"),
        ('filename="..."', "document"),
        ('filename="   "', "document"),
    ],
)
def test_a_strange_file_name_is_cleaned_and_not_refused(api: Api, parameters: str, shown: str) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nparse\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; ' + parameters.encode() + b"\r\n\r\n%PDF-1.7\r\n--b--\r\n"
    )
    response = api.post(FILES, body, content_type="multipart/form-data; boundary=b")
    assert response.status_code == 200, response.content
    assert response.json()["name"] == shown
    link = urlsplit(api.get(f"{FILES}/{response.json()['id']}/content").json()["url"]).path
    headers = Client().get(link).headers
    assert headers["Content-Disposition"].startswith("attachment;")
    assert "X-Evil" not in headers
