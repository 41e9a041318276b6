"""Clients that send or read slowly, or not at all, stop nobody else and are cut off after a while."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.backends import EMBEDDED, Backends
from tests.acceptance.running_service import RunningService, wait_for
from tests.documents.long import long_document
from tests.services import free_port

pytestmark = pytest.mark.parametrize("backends", [EMBEDDED], indirect=True, scope="module")
IDLE_SECONDS = 2.0
CONNECTIONS = 50  # more than the process has threads
LOGIN = (
    "POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n"
)
UPLOAD = (
    "POST /api/v1/beta/files HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n"
    '--b\r\nContent-Disposition: form-data; name="file"; filename="slow.pdf"\r\n\r\n%PDF'
)


@pytest.fixture(scope="module")
def service(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("slow")
    settings = {
        "UPLOAD_IDLE_SECONDS": str(IDLE_SECONDS),
        "RESPONSE_IDLE_SECONDS": str(IDLE_SECONDS),
        "KEY_UPLOADS_AT_ONCE": "0",
        "TMPDIR": str(folder),
        "PROBE_PORT": str(free_port()),
    }
    service = RunningService(backends, folder, settings)
    service.prepare()
    service.start_web()
    try:
        yield service
    finally:
        service.stop()


def connect(service: RunningService, request: str) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(request.encode())
    return connection


def answer_to(connection: socket.socket) -> bytes:
    """Return all that the service sends until it closes the connection."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


@pytest.mark.parametrize(
    "request_text",
    [LOGIN.format(500), LOGIN.format(500_000), UPLOAD, "GET /livez HTTP/1.1\r\nHost: 127."],
    ids=["small login", "large login", "upload", "headers"],
)
def test_clients_that_stay_silent_hold_nobody_up(service: RunningService, request_text: str) -> None:
    with ExitStack() as stack, service.client() as client:
        text = request_text.format(key=service.key) if "{key}" in request_text else request_text
        silent = [stack.enter_context(connect(service, text)) for _ in range(CONNECTIONS)]
        began = time.monotonic()
        statuses = [client.get(path).status_code for path in ("/livez", "/readyz", "/admin/login/", "/api/v2/parse")]

        probes = f"http://127.0.0.1:{service.settings['PROBE_PORT']}"
        statuses += [client.get(f"{probes}{path}").status_code for path in ("/livez", "/readyz")]

        assert statuses == [200] * 6
        assert time.monotonic() - began < IDLE_SECONDS
        if "Content-Length" in text:
            answer = answer_to(silent[-1])
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"upload_timeout"' in answer


def test_an_upload_below_the_lowest_rate_is_ended(service: RunningService) -> None:
    with connect(service, UPLOAD.format(key=service.key)) as connection:
        connection.settimeout(0.2)
        received = b""
        for _ in range(60):
            connection.sendall(b"x")
            try:
                received = connection.recv(65536)
                break
            except TimeoutError:
                continue
    assert received.startswith(b"HTTP/1.1 408 ")


def test_readers_that_take_nothing_hold_nobody_up_and_are_disconnected(service: RunningService) -> None:
    with service.client() as client, ExitStack() as stack:
        content = long_document(1) + b"\n%" + b"x" * 20_000_000
        stored = client.post("/api/v1/beta/files", files={"file": ("big.pdf", content)})
        assert stored.status_code == 200, stored.text
        link = client.get(f"/api/v1/beta/files/{stored.json()['id']}/content").json()["url"]
        path = link.removeprefix(service.url)
        for _ in range(CONNECTIONS):
            stack.enter_context(connect(service, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
        assert connections_of(service) > CONNECTIONS
        assert [client.get(each).status_code for each in ("/livez", "/readyz", "/api/v2/parse")] == [200] * 3
        assert len(client.get(path).content) == len(content)

        # The kernel does not tell the clients, whose windows are closed.
        wait_for(lambda: connections_of(service) <= 2, "the connections end", seconds=30, pause=0.2)


def connections_of(service: RunningService) -> int:
    """Return how many connections the web process has, of the states of Linux's ``/proc/net/tcp``."""
    port, established = f":{int(service.url.rpartition(':')[2]):04X}", "01"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == established for row in rows)


def test_headers_of_64_kb_are_refused(service: RunningService) -> None:
    head = f"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {'a' * 65_536}\r\n\r\n"
    with connect(service, head) as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")
