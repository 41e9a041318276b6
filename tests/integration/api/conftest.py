"""The API on a real database, reader and storage. There is no broker, as if it were down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts import services as accounts
from apps.jobs.models import ParseJob
from tests.documents.long import long_document
from tests.integration.jobs.conftest import run

MIDDLEWARE = "apps.api.middleware.RequestMiddleware"
FILES, PARSE = "/api/v1/beta/files", "/api/v2/parse"
Finish = Callable[[str], ParseJob]


@pytest.fixture(autouse=True)
def _own_service(settings: Any, tmp_path: Path) -> None:
    options = {"location": str(tmp_path / "storage")}
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "apps.documents.storage.FolderStorage", "OPTIONS": options}
    }
    settings.ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
    if MIDDLEWARE not in settings.MIDDLEWARE:
        settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]


class Api(Client):
    """Django's test client with an API key, and methods for frequent requests."""

    def __init__(self, key: str) -> None:
        super().__init__(raise_request_exception=False, headers={"authorization": f"Bearer {key}"})

    def upload(self, content: bytes | None = None, *, name: str = "report.pdf", **fields: str) -> Any:
        body = long_document(1) if content is None else content
        return self.post(FILES, {"purpose": "parse", **fields, "file": SimpleUploadedFile(name, body)})

    def parse(self, content: bytes | None = None, *, name: str = "report.pdf", **options: Any) -> Any:
        body = long_document(1) if content is None else content
        configuration = json.dumps({"tier": "fast", "version": "latest", **options})
        return self.post(f"{PARSE}/upload", {"configuration": configuration, "file": SimpleUploadedFile(name, body)})

    def parse_file(self, file_id: str, **options: Any) -> Any:
        body = {"tier": "fast", "version": "latest", "file_id": file_id, **options}
        return self.post(PARSE, body, content_type="application/json")

    def job(self, job_id: str, *expand: str) -> Any:
        return self.get(f"{PARSE}/{job_id}", {"expand": list(expand)})


@pytest.fixture
def api(transactional_db: None) -> Api:
    return Api(accounts.create_api_key(name="test")[1])


@pytest.fixture
def stranger(transactional_db: None) -> Api:
    """A client with a key of another project."""
    return Api(accounts.create_api_key(name="stranger", project="another")[1])


@pytest.fixture
def finish() -> Finish:
    """Run a job to its end, as workers do."""
    return lambda job_id: run(ParseJob.objects.get(pk=job_id))


def code_of(response: Any, status: int) -> str:
    """Check the fields that all error responses have and return the code."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["type"] == f"{settings.PUBLIC_URL}/errors#{body['code']}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response["X-Request-Id"]
    assert (response.headers.get("x-should-retry") == "false") is not body["retryable"]
    return str(body["code"])


def body_of(response: Any) -> Any:
    """Return the JSON of a response that may be streamed."""
    return json.loads(b"".join(response) if response.streaming else response.content)
