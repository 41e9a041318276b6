"""Invalid requests: their error codes, and that nothing of them is kept."""

from __future__ import annotations

import io
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from apps.api.urls import urlpatterns
from apps.documents.models import Document
from tests.documents.long import long_document
from tests.integration.api.conftest import FILES, PARSE, Api, code_of

FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
FIELD = b'--b\r\nContent-Disposition: form-data; name="n%d"\r\n\r\n%s\r\n'
END = b"\r\n--b--\r\n"


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    "body",
    [
        nested(200_000),
        nested(40),
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"tier": "fast", "tier": "agentic"}',
        b'\xef\xbb\xbf{"tier": "fast"}',
        '{"tier": "fast"}'.encode("utf-16"),
        b'{"tier": "fast"',
        b'["tier"]',
        b'"fast"',
        b'{"user_metadata": {"a": "\\u0000"}}',
        b'{"user_metadata": {"a": "\\ud800"}}',
        json.dumps({str(number): 1 for number in range(2000)}).encode(),
        b"{\xff}",
    ],
)
def test_invalid_json_is_refused(api: Api, body: bytes) -> None:
    response = api.post(PARSE, body, content_type="application/json")
    assert code_of(response, 400) == "invalid_json"

    form = FIELD.replace(b"n%d", b"configuration") % body + PART + long_document(1) + END
    response = api.post(f"{PARSE}/upload", form, content_type=FORM)
    assert response.status_code in (400, 413)
    assert not Document.objects.exists()


@pytest.mark.parametrize("field", ["auto_mode_configuration_json", "webhook_configurations"])
def test_invalid_json_in_a_field_of_the_first_api_is_refused(api: Api, field: str) -> None:
    long_number = "9" * 5000
    for text in (
        "NaN",
        '[{"page": NaN}]',
        '[{"page": 1e999}]',
        '[{"a": 1, "a": 2}]',
        "[" * 200_000,
        f"[{long_number}]",
    ):
        form = {field: text[:60_000], "file": SimpleUploadedFile("a.pdf", long_document(1))}
        response = api.post("/api/v1/parsing/upload", form)
        assert code_of(response, 422) == "invalid_option", text[:20]
        assert response.json()["errors"][0]["field"] == field
    assert not Document.objects.exists()


@pytest.mark.parametrize(
    ("path", "body", "content_type", "status", "code"),
    [
        (PARSE, b"", "application/json", 400, "invalid_request"),
        (PARSE, b"tier=fast", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (PARSE, b"{}" + b" " * 1024 * 1024, "application/json", 413, "field_too_large"),
        (FILES, b"{}", "application/json", 415, "unsupported_media_type"),
        (f"{PARSE}/upload", b"", "", 415, "unsupported_media_type"),
        (FILES, b"", FORM, 400, "incomplete_upload"),
        (FILES, PART + b"%PDF" + END, "multipart/form-data", 400, "invalid_request"),
        (FILES, PART + b"%PDF" + END, "multipart/form-data; boundary=" + "b" * 10_000, 400, None),
        (FILES, FIELD % (1, b"x") + b"--b--\r\n", FORM, 400, "file_missing"),
        (FILES, PART.replace(b"a.pdf", b"") + b"%PDF" + END, FORM, 400, "file_missing"),
        (FILES, PART + b"%PDF\r\n" + PART + b"%PDF" + END, FORM, 400, "too_many_files"),
        (FILES, PART + END, FORM, 400, "file_empty"),
        (f"{PARSE}/upload", FIELD.replace(b"n%d", b"configuration") % b'{"tier":"fast"}' + PART + END, FORM, 400,
         "file_empty"),
        (FILES, b"".join(FIELD % (n, b"x") for n in range(60)) + PART + b"%PDF" + END, FORM, 400, "too_many_fields"),
        (FILES, FIELD % (1, b"x" * 70_000) + PART + b"%PDF" + END, FORM, 413, "field_too_large"),
        (FILES, FIELD % (1, b"x" * 3_000_000) + PART + b"%PDF" + END, FORM, 413, "field_too_large"),
        (FILES, PART + b"%PDF and then the line breaks", FORM, 400, "incomplete_upload"),
        (FILES, FIELD % (1, b"x") + PART + b"%PDF\r\n--b", FORM, 400, "incomplete_upload"),
        (FILES, b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nnone\r\n' + PART + b"%PDF" + END, FORM,
         422, "invalid_option"),
    ],
)  # fmt: skip
def test_an_invalid_body_is_refused(
    api: Api, path: str, body: bytes, content_type: str, status: int, code: str | None
) -> None:
    response = api.generic("POST", path, body, CONTENT_TYPE=content_type)
    found = code_of(response, status)
    assert found == code or code is None
    assert not Document.objects.exists()


@pytest.mark.parametrize("path", [PARSE, FILES, f"{PARSE}/upload"])
def test_compressed_bodies_are_refused(api: Api, path: str) -> None:
    response = api.post(path, b"\x1f\x8b", content_type="application/json", headers={"content-encoding": "gzip"})
    assert code_of(response, 415) == "unsupported_encoding"


def send_stream(api: Api, body: Any, *, length: str = "") -> Any:
    """Send a form whose bytes come from ``body``. Without a length it is like a chunked body from a server."""
    environ: dict[str, Any] = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_LENGTH": length}
    return api.generic("POST", FILES, b"", CONTENT_TYPE=FORM, **environ)


class EndlessBody:
    """An endless body that counts the bytes read from it."""

    def __init__(self, beginning: bytes) -> None:
        self.beginning = beginning
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        chunk, self.beginning = self.beginning or b"\0" * max(size, 1), b""
        self.read_bytes += len(chunk)
        return chunk

    readline = read


def test_an_endless_upload_is_stopped_at_the_limit_and_nothing_is_kept(
    api: Api, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAX_UPLOAD_BYTES = 3_000_000
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    body = EndlessBody(PART)
    response = send_stream(api, body)
    assert code_of(response, 413) == "file_too_large"
    assert body.read_bytes < 4_200_000
    assert list(scratch.iterdir()) == []
    assert not Document.objects.exists()


def test_a_body_without_a_length_is_read_to_its_end(api: Api) -> None:
    parts = [PART + long_document(1)[:700], long_document(1)[700:] + END]

    class Whole:
        def read(self, size: int = -1) -> bytes:
            return parts.pop(0) if parts else b""

        readline = read

    response = send_stream(api, Whole())
    assert response.status_code == 200
    assert response.json()["size_bytes"] == len(long_document(1))


def test_an_announced_length_over_the_limit_is_refused_before_reading(api: Api, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000_000
    body = EndlessBody(PART)
    response = send_stream(api, body, length="3000000")
    assert code_of(response, 413) == "file_too_large"
    assert body.read_bytes == 0


def test_a_body_shorter_than_announced_is_an_incomplete_upload(api: Api) -> None:
    whole = PART + long_document(1) + END
    for body, announced in ((whole, len(whole) + 50), (whole[:-200], len(whole)), (whole, len(whole) - 200)):
        response = send_stream(api, io.BytesIO(body), length=str(announced))
        assert code_of(response, 400) == "incomplete_upload"
    assert not Document.objects.exists()


def test_a_file_one_byte_over_the_limit_is_refused(api: Api, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000_000
    assert api.upload(b"%PDF" + b"0" * (1_000_000 - 4)).status_code == 200
    assert code_of(api.upload(b"%PDF" + b"0" * (1_000_000 - 3)), 413) == "file_too_large"


@pytest.mark.parametrize(
    "content",
    [b"MZ\x90\0" + b"\0" * 99, b"\x7fELF" + b"\0" * 99, b"%!PS-Adobe-3.0", b"Rar!\x1a\x07", b"\0" * 99],
)  # fmt: skip
def test_an_unsupported_file_type_is_refused_by_parse_and_kept_by_files(api: Api, content: bytes) -> None:
    assert code_of(api.parse(content, name="a.pdf"), 415) == "unsupported_file_type"
    assert not Document.objects.exists()
    file_id = api.upload(content).json()["id"]
    assert code_of(api.parse_file(file_id), 415) == "unsupported_file_type"


@pytest.mark.parametrize("name", ["a.txt", "a.png", "a"])
def test_a_pdf_is_parsed_whatever_its_name(api: Api, name: str) -> None:
    assert api.parse(b"\0" * 900 + long_document(1), name=name).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v2/nothing", 404, "not_found"),
        ("GET", "/api/v2/parse/", 404, "not_found"),
        ("GET", "/api/v2/parse/pjb-1", 404, "not_found"),
        ("GET", "/api/v2/parse/%00", 404, "not_found"),
        ("GET", "/api/v1/beta/files/dfl-%F0%9F%98%80", 404, "not_found"),
        ("PUT", "/api/v2/parse", 405, "method_not_allowed"),
        ("POST", "/api/v2/parse/versions", 405, "method_not_allowed"),
        ("OPTIONS", "/api/v2/parse", 405, "method_not_allowed"),
    ],
)
def test_unknown_addresses_and_methods_are_refused(api: Api, method: str, path: str, status: int, code: str) -> None:
    assert code_of(api.generic(method, path), status) == code


def test_a_wrong_host_gets_an_error_in_the_same_format(api: Api) -> None:
    assert code_of(api.get(PARSE, headers={"host": "evil.example"}), 400) == "invalid_request"


def test_a_method_override_header_is_ignored(api: Api) -> None:
    job_id = api.parse().json()["id"]
    assert api.get(f"{PARSE}/{job_id}", headers={"x-http-method-override": "DELETE"}).status_code == 200


def test_a_plain_request_id_of_the_client_is_returned(api: Api) -> None:
    assert api.get(PARSE, headers={"x-request-id": "client-chose-7"})["X-Request-Id"] == "client-chose-7"
    for strange in ("short", "x" * 65, "with space", "semi;colon-1"):
        assert api.get(PARSE, headers={"x-request-id": strange})["X-Request-Id"] != strange


def test_a_double_slash_at_the_start_of_the_path_is_accepted(api: Api) -> None:
    assert api.generic("GET", "/", PATH_INFO="//api/v2/parse/versions").status_code == 200


def test_an_unexpected_error_is_logged_and_its_details_are_not_sent(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from apps.jobs import queries

    def broken(**_: Any) -> None:
        raise ZeroDivisionError("secret of /srv/inside")

    monkeypatch.setattr(queries, "find_job", broken)
    response = api.get(f"{PARSE}/pjb-{'0' * 36}", headers={"x-request-id": "find-me-again"})
    assert code_of(response, 500) == "internal_error"
    assert b"secret" not in response.content
    assert b"ZeroDivision" not in response.content
    assert "find-me-again" in caplog.text
    assert "secret of /srv/inside" in caplog.text


def test_no_view_shows_the_details_of_an_unexpected_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret of /srv/inside")

    views = {pattern.callback.view_class: pattern for pattern in urlpatterns if hasattr(pattern.callback, "view_class")}
    broken_views = 0
    for view, pattern in views.items():
        path = re.sub("<[^>]*>", "1", str(pattern.pattern))
        if issubclass(view, SpectacularAPIView | SpectacularSwaggerView):
            continue  # served by the library; they have no input of ours
        for method in ("get", "post", "put", "delete"):
            if method not in view.http_method_names or not hasattr(view, method):
                continue
            monkeypatch.setattr(view, method, broken)
            response = getattr(api, method)(f"/{path}", headers={"x-request-id": "find-me-again"})
            assert code_of(response, 500) == "internal_error", path
            assert response["X-Request-Id"] == "find-me-again"
            assert not re.search(b"secret|ZeroDivision|Traceback|/srv", response.content), path
            broken_views += 1
    assert broken_views > 80


def test_an_unavailable_database_is_reported_with_its_code(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens on port 1, and the folder of the SQLite file does not exist."""
    unavailable = (
        {"HOST": "127.0.0.1", "PORT": "1"} if connection.vendor == "postgresql" else {"NAME": "/not/there/file"}
    )
    connection.close()
    with monkeypatch.context() as patch:
        for name, value in unavailable.items():
            patch.setitem(connection.settings_dict, name, value)
        begun = time.monotonic()
        responses = [api.get(PARSE), api.get("/readyz"), api.get(FILES), api.parse()]
        assert time.monotonic() - begun < 2
    connection.close()

    for response in responses:
        assert code_of(response, 503) == "database_unavailable"
        assert int(response["Retry-After"]) > 0
        assert b"127.0.0.1" not in response.content
        assert b"/not/there" not in response.content
    assert api.get("/readyz").status_code == 200


def test_liveness_needs_no_database_query(api: Api, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert api.get("/livez").json() == {"status": "ok"}
        assert api.get("/api/health").json()["status"] == "ok"
    assert api.get("/readyz").json() == {"status": "ok", "database": "ok"}


def test_full_storage_is_reported_with_its_code(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert code_of(api.upload(), 507) == "storage_full"
    assert not Document.objects.exists()


def test_pages_for_people_need_no_key_and_load_nothing_from_other_hosts(transactional_db: None) -> None:
    front, codes = Client().get("/"), Client().get("/errors")
    assert 'href="api/docs"' in front.content.decode()
    assert 'id="file_too_large"' in codes.content.decode()
    docs = Client().get("/api/docs").content.decode()
    assert "swagger-ui-bundle.js" in docs
    assert "https://" not in docs


def test_an_empty_file_in_a_form_is_refused(api: Api) -> None:
    form = {"configuration": '{"tier":"fast"}', "file": SimpleUploadedFile("a.pdf", b"")}
    response = api.post(f"{PARSE}/upload", form)
    assert code_of(response, 400) == "file_empty"


@pytest.mark.parametrize(
    ("address", "sent", "known"),
    [
        (f"{PARSE}/pjb-1/pages", "page=2", "page_token"),
        (f"{PARSE}/pjb-1/result/chunks.jsonl", "formatt=csv", "max_tokens"),
        ("/api/queue-statusz", "queue_prefx=ocr", "queue_prefix"),
    ],
)
def test_a_mistyped_query_parameter_is_refused_with_the_known_ones(
    api: Api, address: str, sent: str, known: str
) -> None:
    response = api.get(f"{address}?{sent}")

    assert code_of(response, 422) == "invalid_option"
    (problem,) = response.json()["detail"]
    assert problem["loc"] == ["query", sent.partition("=")[0]]
    assert known in problem["msg"]


@pytest.mark.parametrize("address", ["/api/v1/parsing/history?limit=5", f"{FILES}?pollingInterval=1000"])
def test_addresses_of_llamaparse_ignore_unknown_query_parameters(api: Api, address: str) -> None:
    assert api.get(address).status_code == 200


def test_query_parameters_of_official_clients_are_accepted(api: Api) -> None:
    own = api.upload().json()["project_id"]

    for address in (
        FILES,
        "/api/v1/parsing/history",
        "/api/v1/beta/directories",
        "/api/v2/extract",
        "/api/v2/projects",
    ):
        sent = {"organization_id": "o", "project_id": own, "include_deleted": "false", "expand": ["a", "b"]}
        assert api.get(address, sent).status_code == 200, address
    assert api.get("/api/v2/extract", {"document_input_value": "dfl-1", "configuration_id": "c"}).status_code == 200
    assert [each["name"] for each in api.get("/api/v2/projects", {"name": "default"}).json()["items"]] == ["default"]
    assert api.get("/api/v2/projects", {"name": "other"}).json()["items"] == []
