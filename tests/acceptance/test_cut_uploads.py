"""The web process is killed while a document is uploaded: nothing of it remains, or all of it."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.acceptance.backends import EMBEDDED, Backends
from tests.acceptance.running_service import RunningService
from tests.chaos.results import FaultResult, record
from tests.documents.long import long_document

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.long,
    pytest.mark.parametrize("backends", [EMBEDDED], indirect=True, scope="module"),
]
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.fixture
def service(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("cut")
    (folder / "scratch").mkdir()
    service = RunningService(backends, folder, {"TMPDIR": str(folder / "scratch")})
    service.prepare()
    try:
        yield service
    finally:
        service.stop()


def test_an_upload_whose_process_is_killed_is_there_once_after_it_was_repeated(service: RunningService) -> None:
    web = service.start_web()
    contents = {}
    for share in SHARES:
        name = f"{share:.2f}.pdf"
        contents[name] = long_document(1) + b"\n%" + name.encode() * 200_000
        request = httpx.Request(
            "POST",
            f"{service.url}/api/v2/parse/upload",
            data={"configuration": '{"tier": "fast", "version": "latest"}'},
            files={"file": (name, contents[name])},
            headers={"Authorization": f"Bearer {service.key}", "Idempotency-Key": name},
        )
        body = request.read()
        headers = {key: value for key, value in request.headers.items() if key != "host"}
        head = "".join(f"{key}: {value}\r\n" for key, value in [("Host", "127.0.0.1"), *headers.items()])
        host, port = service.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode())
            connection.sendall(body[: int(share * len(body))])
            time.sleep(0.05)
            web.kill()
        found = service.rows(f"SELECT sha256 FROM documents_document WHERE name = '{name}'")
        assert found in ([], [(hashlib.sha256(contents[name]).hexdigest(),)])
        web = service.start_web()
        with service.client() as client:
            for _ in range(30):  # the key is held until the lease of the killed process has ended
                again = client.post(request.url.path, content=body, headers=headers)
                if again.status_code != 409:
                    break
                time.sleep(1)
        assert again.status_code == 200, again.text

    assert service.number("SELECT count(*) FROM jobs_parsejob") == len(SHARES)
    stored = [path for path in (service.folder / "storage").rglob("*") if path.is_file()]
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in stored]
    assert sorted(sums) == sorted(hashlib.sha256(content).hexdigest() for content in contents.values())
    assert list((service.folder / "scratch").iterdir()) == []
    command = ".venv/bin/python -m pytest -m 'chaos or long' tests/acceptance/test_cut_uploads.py"
    record(FaultResult("F5", "0 to 100 % of the body", service.backends.name, command, jobs=len(SHARES)))
