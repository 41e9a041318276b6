"""``Idempotency-Key``: a request that is sent again creates nothing a second time."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models.functions import Now

from apps.accounts import idempotency
from apps.accounts.errors import IdempotencyKeyInUse
from apps.accounts.idempotency import KeyClaim
from apps.accounts.models import IdempotencyKey
from apps.api.requests import idempotency as requests_with_keys
from apps.documents.models import Document
from apps.jobs.commands.clean_up import clean_up
from apps.jobs.models import ParseJob
from apps.jobs.scheduling import pauses
from apps.providers.models import Deployment
from tests.documents.long import long_document
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.fakes.receiver import Answer, Received, Receiver
from tests.integration.api.conftest import FILES, PARSE, Api, code_of

JSON = "application/json"
DIRECTORIES = "/api/v1/beta/directories"
KEY = {"idempotency-key": "9d2c2b0e-order-4711"}
Send = Callable[[Api, str], Any]


def _form(path: str) -> Send:
    def send(api: Api, text: str) -> Any:
        fields = {"configuration": '{"tier": "fast"}', "external_file_id": text, "tier": "fast"}
        document = SimpleUploadedFile("report.pdf", long_document(1))
        return api.post(path, {**fields, "file": document}, headers=KEY)

    return send


def _json(path: str, body: Callable[[str], dict[str, Any]]) -> Send:
    return lambda api, text: api.post(path, body(text), content_type=JSON, headers=KEY)


def _with_file(path: str, body: Callable[[str, str], dict[str, Any]]) -> Send:
    """Send JSON that names a file of the project, and may ask for a model."""

    def send(api: Api, text: str) -> Any:
        if not Deployment.objects.exists():
            deploy(FakeProvider.at("http://127.0.0.1:9"), "local")
        files = api.get(FILES).json()["items"] or [api.upload().json()]
        return _json(path, lambda text: body(files[0]["id"], text))(api, text)

    return send


def _to_directory(api: Api, text: str) -> Any:
    found = api.get(DIRECTORIES).json()["items"]
    directory = found[0] if found else api.post(DIRECTORIES, {"name": "Letters"}, content_type=JSON).json()
    fields = {"external_file_id": text, "upload_file": SimpleUploadedFile("report.pdf", long_document(1))}
    return api.post(f"{DIRECTORIES}/{directory['id']}/files/upload", fields, headers=KEY)


def _added_to_directory(api: Api, text: str) -> Any:
    found = api.get(DIRECTORIES).json()["items"]
    directory = found[0] if found else api.post(DIRECTORIES, {"name": "Letters"}, content_type=JSON).json()
    path = f"{DIRECTORIES}/{directory['id']}/files"
    return _with_file(path, lambda file, text: {"file_id": file, "unique_id": text})(api, text)


def _docling_form(api: Api, text: str) -> Any:
    document = SimpleUploadedFile(f"{text}.pdf", long_document(1))
    return api.post("/v1/convert/file/async", {"files": document}, headers=KEY)


def _docling_source(api: Api, text: str) -> Any:
    source = {"kind": "file", "filename": f"{text}.pdf", "base64_string": base64.b64encode(long_document(1)).decode()}
    return api.post("/v1/convert/source/async", {"sources": [source]}, content_type=JSON, headers=KEY)


def _annotation(path: str, configuration: Callable[[str], dict[str, Any]]) -> Send:
    return _with_file(path, lambda file, text: {"file_input": file, "configuration": configuration(text)})


CREATING: dict[str, Send] = {
    "create_parse": _with_file(
        PARSE, lambda file, text: {"tier": "fast", "file_id": file, "user_metadata": {"order": text}}
    ),
    "upload_parse": _form(f"{PARSE}/upload"),
    "create_file": _form(FILES),
    "upload_parsing_file": _form("/api/v1/parsing/upload"),
    "screenshot_parsing_file": _form("/api/parsing/screenshot"),
    "create_configuration": _json(
        "/api/v1/beta/configurations",
        lambda text: {"name": text, "parameters": {"product_type": "parse_v2", "tier": "fast", "version": "latest"}},
    ),
    "create_webhook_config": _json(
        "/api/v1/beta/webhook-configs", lambda text: {"webhook_url": f"https://8.8.8.8/{text}"}
    ),
    "create_directory": _json(DIRECTORIES, lambda text: {"name": text}),
    "upload_directory_file": _to_directory,
    "add_directory_file": _added_to_directory,
    "docling_convert_file_async": _docling_form,
    "docling_convert_source_async": _docling_source,
    "create_batch": _with_file(
        "/api/v2/batches",
        lambda file, text: {
            "config": {"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_FAST"}},
            "file_ids": [file] * (1 if text == "a" else 2),
        },
    ),
    "create_extract": _annotation(
        "/api/v2/extract",
        lambda text: {"data_schema": {"type": "object", "properties": {text: {"type": "string"}}}},
    ),
    "create_classify": _annotation(
        "/api/v2/classify", lambda text: {"rules": [{"type": "letter", "description": f"A letter about {text}."}]}
    ),
    "create_split": _annotation(
        "/api/v1/split/jobs", lambda text: {"categories": [{"name": "letter", "description": f"About {text}."}]}
    ),
}


WITHOUT_KEY = {
    *("query_files", "validate_extract_schema", "estimate_parse", "retry_parse"),
    *("cancel_parse", "cancel_batch", "cancel_split", "cancel_classify", "cancel_extract"),
    # These wait for the result. The same document sent again joins the job of the first request.
    *("docling_convert_file", "docling_convert_source", "unstructured_partition", "mcp"),
    # Their responses have a secret that is shown once; storing the response would store the secret.
    *("create_api_key", "rotate_api_key"),
}


@pytest.mark.parametrize("name", CREATING)
def test_the_same_request_gets_the_first_response_and_another_is_refused(name: str, api: Api, stranger: Api) -> None:
    send = CREATING[name]
    first = send(api, "a")
    again = send(api, "a")

    assert (first.status_code, again.status_code) == (200, 200), first.content
    assert again.content == first.content
    assert again["Content-Type"] == first["Content-Type"]
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert code_of(send(api, "b"), 422) == "idempotency_key_reused"
    assert id_of(send(stranger, "a")) != id_of(first), "keys belong to a project"


def id_of(response: Any) -> str:
    content = response.json()
    return str(content.get("id") or content["task_id"])


def test_the_description_names_the_header_at_each_of_these_addresses(api: Api) -> None:
    described = api.get("/api/schema", {"format": "json"}).json()["paths"]
    found = {
        operation["operationId"]
        for methods in described.values()
        for operation in methods.values()
        if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ()))
    }
    assert {name.removesuffix("_2") for name in found} == set(CREATING)
    posts = {methods["post"]["operationId"].removesuffix("_2") for methods in described.values() if "post" in methods}
    assert posts == CREATING.keys() | WITHOUT_KEY


def test_a_key_is_for_one_address_and_one_file(api: Api) -> None:
    assert CREATING["create_file"](api, "a").status_code == 200
    assert code_of(CREATING["upload_parse"](api, "a"), 422) == "idempotency_key_reused"
    content = SimpleUploadedFile("report.pdf", long_document(2))
    fields = {"configuration": '{"tier": "fast"}', "external_file_id": "a", "tier": "fast"}
    assert code_of(api.post(FILES, {**fields, "file": content}, headers=KEY), 422) == "idempotency_key_reused"
    assert Document.objects.count() == 1


def test_requests_at_the_same_time_create_one_job(api: Api) -> None:
    together = threading.Barrier(8)

    def send(_number: int) -> Any:
        try:
            together.wait(timeout=10)
            return _form(f"{PARSE}/upload")(Api(api.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")), "a")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as executor:
        responses = list(executor.map(send, range(8)))

    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert [response.headers.get("Idempotent-Replayed") for response in responses].count("true") == 7
    assert ParseJob.objects.count() == 1
    assert Document.objects.count() == 1


def test_a_request_that_waited_too_long_for_another_one_is_409(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_with_keys, "MAX_WAIT_SECONDS", 0.1)
    first = CREATING["create_configuration"](api, "a")
    IdempotencyKey.objects.update(status=None)  # as before the first response

    refused = CREATING["create_configuration"](api, "a")

    assert first.status_code == 200
    assert code_of(refused, 409) == "idempotency_key_in_use"
    assert int(refused["Retry-After"]) > 0


def test_a_stopped_process_loses_its_key_to_the_next_request(api: Api) -> None:
    first = CREATING["create_configuration"](api, "a")
    row = IdempotencyKey.objects.get()
    stopped = KeyClaim(row.pk, row.fence)
    IdempotencyKey.objects.update(status=None, lease_expires_at=Now() - timedelta(seconds=1))

    second = CREATING["create_configuration"](api, "a")

    assert second.json()["id"] != first.json()["id"]
    assert CREATING["create_configuration"](api, "a").content == second.content
    with pytest.raises(IdempotencyKeyInUse):
        idempotency.store_response(claim=stopped, response=idempotency.StoredResponse(200, "late"))


def test_a_request_that_overran_its_lease_creates_nothing(api: Api, settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = [ip_network("127.0.0.0/8")]

    def slow(_received: Received) -> Answer:
        """While the service waits for the document, its lease ends and another request claims the key."""
        IdempotencyKey.objects.update(lease_expires_at=Now() - timedelta(seconds=1))
        row = IdempotencyKey.objects.select_related("project").get()
        idempotency.claim_key(project=row.project, key=row.key, fingerprint=row.fingerprint)
        connection.close()
        return Answer(body=long_document(1))

    with Receiver(slow) as server:
        body = {"tier": "fast", "source_url": server.url}
        response = api.post(PARSE, body, content_type=JSON, headers=KEY)

    assert code_of(response, 409) == "idempotency_key_in_use"
    assert not ParseJob.objects.exists()


def test_errors_are_not_kept(api: Api) -> None:
    pauses.pause(name="intake", by="tester")
    assert code_of(CREATING["upload_parse"](api, "a"), 503) == "intake_paused"
    pauses.resume(name="intake")
    accepted = CREATING["upload_parse"](api, "a")
    assert accepted.status_code == 200
    assert "Idempotent-Replayed" not in accepted.headers

    key = {"idempotency-key": "another"}
    refused = api.post(PARSE, {"tier": "wrong"}, content_type=JSON, headers=key)
    corrected = api.post(f"{PARSE}/upload", _upload(), headers=key)
    assert (refused.status_code, corrected.status_code) == (422, 200)


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\there", "schl\u00fcssel"])
def test_invalid_keys_are_refused(key: str, api: Api) -> None:
    assert code_of(api.post(f"{PARSE}/upload", _upload(), headers={"idempotency-key": key}), 400) == (
        "invalid_idempotency_key"
    )
    assert not ParseJob.objects.exists()


def test_transaction_id_is_the_key_of_a_json_body(api: Api) -> None:
    file_id = api.upload().json()["id"]
    first = api.parse_file(file_id, transaction_id="order-1")
    again = api.parse_file(file_id, transaction_id="order-1")

    assert first.json()["warnings"] == []
    assert again.content == first.content
    assert code_of(api.parse_file(file_id, transaction_id="order-1", max_pages=3), 422) == "idempotency_key_reused"
    assert code_of(api.parse_file(file_id, transaction_id="k" * 300), 400) == "invalid_idempotency_key"
    body = {"tier": "fast", "file_id": file_id, "transaction_id": "order-1"}
    assert code_of(api.post(PARSE, body, content_type=JSON, headers=KEY), 400) == "invalid_idempotency_key"


def test_keys_expire_and_housekeeping_removes_them(api: Api) -> None:
    first = CREATING["create_configuration"](api, "a")
    IdempotencyKey.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert CREATING["create_configuration"](api, "b").json()["id"] != first.json()["id"]

    clean_up()
    assert IdempotencyKey.objects.count() == 1
    IdempotencyKey.objects.update(expires_at=Now() - timedelta(seconds=1))
    clean_up()
    assert not IdempotencyKey.objects.exists()


def _upload() -> dict[str, Any]:
    return {"configuration": '{"tier": "fast"}', "file": SimpleUploadedFile("report.pdf", long_document(1))}
