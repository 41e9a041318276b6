"""A refusal reaches a client that is still sending, whatever is refused and however large the body is.

The asynchronous Python client and Node's fetch send the body after the headers; a response before that, followed by a
closed connection, arrives as a connection error.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import llama_cloud
import pytest
from llama_cloud import AsyncLlamaCloud

from tests.acceptance.backends import EMBEDDED, Backends
from tests.acceptance.running_service import RunningService
from tests.documents.long import long_document

pytestmark = pytest.mark.parametrize("backends", [EMBEDDED], indirect=True, scope="module")
MB = 1024 * 1024
SIZES = (2_000, 4_000, 7_000, 60_000, 400_000, 3 * MB)
NODE = shutil.which("node")
Call = Callable[[AsyncLlamaCloud, bytes], Awaitable[object]]


@pytest.fixture(scope="module")
def service(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = RunningService(
        backends, tmp_path_factory.mktemp("refusals"), {"MAX_UPLOAD_MB": "16", "WRONG_KEYS_PER_MINUTE": "0"}
    )
    service.prepare()
    service.start_web()
    try:
        yield service
    finally:
        service.stop()


def of_size(size: int) -> bytes:
    content = long_document(1)
    return content + b"\n%" + b"x" * (size - len(content) - 2) if size > len(content) else content[:size]


async def upload(client: AsyncLlamaCloud, content: bytes) -> object:
    return await client.parsing.create(upload_file=("a.pdf", content), tier="fast", version="latest")


async def upload_to_another_project(client: AsyncLlamaCloud, content: bytes) -> object:
    project = "00000000-0000-4000-8000-000000000000"
    return await client.parsing.create(
        upload_file=("a.pdf", content), tier="fast", version="latest", project_id=project
    )


async def put_the_document(client: AsyncLlamaCloud, content: bytes) -> object:
    return await client.put(
        "/api/v2/parse", cast_to=object, body=None, options={}, files=[("file", ("a.pdf", content))]
    )


async def post_somewhere(client: AsyncLlamaCloud, content: bytes) -> object:
    return await client.post("/api/v9/nothing", cast_to=object, files=[("file", ("a.pdf", content))])


async def upload_as_json(client: AsyncLlamaCloud, content: bytes) -> object:
    return await client.post("/api/v2/parse/upload", cast_to=object, body={"file": "x" * len(content)})


@pytest.mark.parametrize(
    ("status", "call", "options", "sizes"),
    [
        (401, upload, {"api_key": "lm-wrong"}, SIZES),
        (401, upload, {"api_key": "lm-wrong"}, (15 * MB, 20 * MB)),
        (400, upload, {"default_headers": {"Host": "elsewhere.example"}}, SIZES),
        (404, upload_to_another_project, {}, SIZES),
        (404, post_somewhere, {}, SIZES),
        (405, put_the_document, {}, SIZES),
        (413, upload, {}, (18 * MB, 20 * MB)),
        (415, upload_as_json, {}, SIZES),
    ],
)
def test_the_asynchronous_client_sees_every_refusal(
    service: RunningService, status: int, call: Call, options: dict[str, Any], sizes: tuple[int, ...]
) -> None:
    async def send_all() -> Counter[object]:
        async with AsyncLlamaCloud(
            base_url=service.url, max_retries=0, timeout=30, **{"api_key": service.key, **options}
        ) as client:
            bodies = [of_size(size) for size in sizes] * (12 // len(sizes))
            results = await asyncio.gather(*(call(client, body) for body in bodies), return_exceptions=True)
        return Counter(getattr(result, "status_code", None) or repr(result) for result in results)

    assert asyncio.run(send_all()) == {status: 12}


def test_a_document_of_another_type_is_refused_to_the_asynchronous_client(service: RunningService) -> None:
    async def send() -> llama_cloud.APIStatusError:
        async with AsyncLlamaCloud(base_url=service.url, api_key=service.key, max_retries=0) as client:
            with pytest.raises(llama_cloud.APIStatusError) as refused:
                await upload(client, b"MZ\x90\0" + b"x" * 3 * MB)
            return refused.value

    assert asyncio.run(send()).status_code == 415


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_nodes_fetch_sees_every_refusal(service: RunningService) -> None:
    script = Path(__file__).with_name("send_refused.mjs")
    sizes = json.dumps([*SIZES, 20 * MB] * 2)
    done = subprocess.run(
        [str(NODE), str(script), service.url, sizes], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == {"401": 28, "404": 14}


def test_a_client_that_waits_for_permission_is_refused_at_once(service: RunningService) -> None:
    """It has sent nothing, so there is nothing to read."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = f"POST /api/v2/parse HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 401")


def test_stalled_clients_leave_threads_for_others(service: RunningService) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    head = f"POST /api/v2/parse HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000\r\n\r\nbeginning"
    stalled = [socket.create_connection((host, int(port)), timeout=5) for _ in range(40)]
    try:
        for connection in stalled:
            connection.sendall(head.encode())
        with service.client() as client:
            assert client.get("/api/v2/parse").status_code == 200
    finally:
        for connection in stalled:
            connection.close()


def test_slow_uploads_are_accepted_and_others_are_served_meanwhile(service: RunningService) -> None:
    content = long_document(1)
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="slow.pdf"\r\n\r\n'
    may_end = threading.Event()

    def trickle() -> Iterator[bytes]:
        yield head + content[:200]
        assert may_end.wait(20)
        yield content[200:] + b"\r\n--b--\r\n"

    def send(_number: int) -> int:
        with service.client() as client:
            form = {"Content-Type": "multipart/form-data; boundary=b"}
            return client.post("/api/v1/beta/files", content=trickle(), headers=form).status_code

    with ThreadPoolExecutor(20) as senders, service.client() as client:
        slow = [senders.submit(send, number) for number in range(20)]
        assert [client.get("/api/v2/parse").status_code for _ in range(5)] == [200] * 5
        assert not any(each.done() for each in slow)
        may_end.set()
        assert [each.result(20) for each in slow] == [200] * 20


def test_an_upload_that_ends_early_leaves_nothing(service: RunningService) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    head = (
        f"POST /api/v1/beta/files HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {service.key}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="early.pdf"\r\n\r\n%PDF'
    )
    for _ in range(40):  # more than the process has threads
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(head.encode())
    with service.client() as client:
        assert client.get("/api/v1/beta/files", params={"file_name": "early.pdf"}).json()["items"] == []


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
JSON_TYPE = {"Content-Type": "application/json"}
FIELD = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
CONFIGURATION = FIELD % (b"configuration", b'{"tier": "fast", "version": "latest"}')
END = b"--b--\r\n"


def form_with_file(content: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    return head + content + b"\r\n"


def zeros(megabytes: int) -> Iterator[bytes]:
    """A body without an announced length."""
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    for _ in range(megabytes):
        yield bytes(MB)


UPLOAD_PATH, JSON_PATH = "/api/v2/parse/upload", "/api/v2/parse"


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "code"),
    [
        (JSON_PATH, {}, b"", 400, "invalid_request"),
        (JSON_PATH, {"Content-Type": "text/csv"}, b"a,b", 415, "unsupported_media_type"),
        (UPLOAD_PATH, FORM, FIELD % (b"tier", b"fast") + END, 400, "file_missing"),
        (UPLOAD_PATH, FORM, form_with_file(b"%PDF") * 2 + END, 400, "too_many_files"),
        (UPLOAD_PATH, FORM, CONFIGURATION + form_with_file(b"") + END, 400, "file_empty"),
        (UPLOAD_PATH, FORM, form_with_file(bytes(17 * MB + 1)) + END, 413, "file_too_large"),
        (UPLOAD_PATH, FORM, lambda: zeros(30), 413, "file_too_large"),
        (UPLOAD_PATH, FORM, form_with_file(b"%PDF"), 400, "incomplete_upload"),
        (UPLOAD_PATH, FORM, FIELD % (b"a", b"1") * 10_000 + END, 400, "too_many_fields"),
        (UPLOAD_PATH, FORM, FIELD % (b"a", b"1" * 10 * MB) + END, 413, "field_too_large"),
        (UPLOAD_PATH, {"Content-Type": "multipart/form-data"}, END, 400, "invalid_request"),
        (JSON_PATH, {**JSON_TYPE, "Content-Encoding": "gzip"}, b"\x1f\x8b" + bytes(MB), 415, "unsupported_encoding"),
        (JSON_PATH, JSON_TYPE, b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", 400, "invalid_json"),
        (JSON_PATH, JSON_TYPE, b'{"max_pages": %b}' % (b"9" * 5000), 400, "invalid_json"),
        (JSON_PATH, JSON_TYPE, b'{"max_pages": NaN}', 400, "invalid_json"),
        (JSON_PATH, JSON_TYPE, b'{"tier": "fast", "tier": "fast"}', 400, "invalid_json"),
        (JSON_PATH, JSON_TYPE, '{"tier": "fast"}'.encode("utf-16"), 400, "invalid_json"),
        (JSON_PATH, {**JSON_TYPE, "Idempotency-Key": "k" * 10_000}, b"{}", 400, "invalid_idempotency_key"),
        (UPLOAD_PATH, {**FORM, "Authorization": "Bearer lm-wrong"}, form_with_file(bytes(MB)), 401, "unauthenticated"),
        (UPLOAD_PATH, {**FORM, "Host": "elsewhere.example"}, form_with_file(bytes(MB)), 400, "invalid_request"),
    ],
)
def test_malformed_requests_are_refused_with_their_code(
    service: RunningService, path: str, headers: dict[str, str], body: Any, status: int, code: str
) -> None:
    with service.client() as client:
        response = client.post(path, content=body() if callable(body) else body, headers=headers)
        jobs = client.get(JSON_PATH, headers={"X-HTTP-Method-Override": "DELETE"}).json()["items"]
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert jobs == []


def test_50_requests_with_one_key_at_once_create_one_job(service: RunningService) -> None:
    form = {"configuration": '{"tier": "fast", "version": "latest"}'}

    def send(_number: int) -> str:
        with service.client() as client:
            for _ in range(20):  # while the first is under way, others may be asked to come back
                files = {"file": ("a.pdf", long_document(1))}
                response = client.post(UPLOAD_PATH, data=form, files=files, headers={"Idempotency-Key": "order-4711"})
                if response.status_code != 409:
                    break
            assert response.status_code == 200, response.text
            return str(response.json()["id"])

    with ThreadPoolExecutor(50) as senders:
        assert len(set(senders.map(send, range(50)))) == 1
