"""Servers that answer slowly, endlessly or not at all: a call keeps its limits, and what came back is known.

Each server here would go on for many seconds and then answer well, so a limit that is not kept shows as an answer.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from apps.providers.calls.connection import Call, CallLimits, calling, http_client
from apps.providers.calls.failures import failure_of, retry_after
from apps.providers.errors import Failure

Behaviour = Callable[[socket.socket], None]
Serve = Callable[[Behaviour], str]

TRICKLED = 2_000
PAUSE = 0.01
AMPLE = CallLimits(connect_seconds=20, first_byte_seconds=20, idle_seconds=20, total_seconds=20)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that do one thing on each connection; the address of one is returned."""
    listeners: list[socket.socket] = []

    def start(behave: Behaviour) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_accept, args=(listener, behave), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, behave: Behaviour) -> None:
    with suppress(OSError):
        while True:
            connection, _address = listener.accept()
            threading.Thread(target=_behave, args=(connection, behave), daemon=True).start()


def _behave(connection: socket.socket, behave: Behaviour) -> None:
    with connection, suppress(OSError):
        behave(connection)


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        received = connection.recv(65536)
        if not received:
            raise ConnectionError
        request += received
    return request


def answer(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answering(*parts: bytes) -> Behaviour:
    """Sends these after the request, with a pause before each but the first."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(parts[0])
        for part in parts[1:]:
            time.sleep(PAUSE)
            connection.sendall(part)

    return behave


def get(url: str, limits: CallLimits = AMPLE) -> tuple[httpx.Response, Call]:
    with http_client(connections=1) as client, calling(limits) as call:
        return client.get(url), call


def failing(url: str, limits: CallLimits, *, content: bytes = b"") -> tuple[Exception, Call]:
    """The error that a call ends with, and the call."""
    with http_client(connections=1) as client, calling(limits) as call, pytest.raises(httpx.HTTPError) as caught:
        client.post(url, content=content)
    return caught.value, call


def test_an_answer_and_what_is_known_of_it(serve: Serve) -> None:
    before = time.time()
    response, call = get(serve(answering(answer(b'{"a": 1}', "X-Request-Id: 7"))))

    assert response.json() == {"a": 1}
    assert (call.status, call.headers["x-request-id"], call.error_body) == (200, "7", b"")
    assert call.sent_at is not None
    assert before <= call.sent_at <= time.time()


def test_an_error_is_kept_with_its_body(serve: Serve) -> None:
    body = b'{"error": {"message": "slow down"}}'
    response, call = get(serve(answering(answer(body, "Retry-After: 7", status="429 Too Many Requests"))))

    assert (response.status_code, call.status) == (429, 429)
    assert (call.error_body, call.headers["Retry-After"]) == (body, "7")


def test_headers_that_trickle_meet_the_deadline(serve: Serve) -> None:
    trickle = (b"HTTP/1.1 200 OK\r\nX-Slow: ", *([b"."] * TRICKLED), b"\r\nContent-Length: 2\r\n\r\n{}")

    error, call = failing(serve(answering(*trickle)), CallLimits(total_seconds=0.3))

    assert isinstance(error, httpx.ReadTimeout)
    assert call.status is None
    assert call.sent_at is not None


def test_a_body_that_trickles_meets_the_deadline(serve: Serve) -> None:
    body = b'"' + b"." * TRICKLED + b'"'
    head, rest = answer(body)[: -len(body)], [bytes([byte]) for byte in body]

    error, call = failing(serve(answering(head, *rest)), CallLimits(total_seconds=0.3))

    assert isinstance(error, httpx.ReadTimeout)
    assert call.status == 200
    assert failure_of(call, error).failure is Failure.TIMEOUT


def test_a_server_that_says_nothing(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(10)
        connection.sendall(answer())

    error, call = failing(serve(behave), CallLimits(first_byte_seconds=0.2))

    assert isinstance(error, httpx.ReadTimeout)
    assert call.status is None
    assert call.sent_at is not None


def test_a_server_that_is_idle_after_its_headers(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        whole = answer(b'{"a": 1}', status="503 Service Unavailable")
        connection.sendall(whole[:-3])
        time.sleep(10)
        connection.sendall(whole[-3:])

    error, call = failing(serve(behave), CallLimits(idle_seconds=0.2))

    assert isinstance(error, httpx.ReadTimeout)
    assert call.status == 503
    assert failure_of(call, error).failure is Failure.OVERLOADED


def test_a_server_that_takes_the_request_in_drips(serve: Serve) -> None:
    size = 48 * 1024 * 1024
    received, ended = [0], threading.Event()

    def behave(connection: socket.socket) -> None:
        while part := connection.recv(65536):
            received[0] += len(part)
            time.sleep(PAUSE / 4)
        ended.set()

    error, call = failing(serve(behave), CallLimits(total_seconds=0.5), content=b"." * size)

    assert isinstance(error, httpx.TimeoutException)
    assert call.status is None
    assert ended.wait(60)
    assert received[0] < size


def test_nobody_listens(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error, call = failing(f"http://127.0.0.1:{port}", AMPLE)

    assert isinstance(error, httpx.ConnectError)
    assert (call.sent_at, call.status) == (None, None)


def test_a_deadline_that_has_passed_sends_nothing(serve: Serve) -> None:
    error, call = failing(serve(answering(answer())), CallLimits(total_seconds=0))

    assert isinstance(error, httpx.TimeoutException)
    assert call.sent_at is None


def test_fifty_megabytes_are_not_read(serve: Serve) -> None:
    size = 50 * 1024 * 1024
    sent = [0]

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        while sent[0] < size:
            sent[0] += connection.send(b" " * 65536)

    error, call = failing(serve(behave), CallLimits(response_bytes=100_000))

    assert isinstance(error, httpx.ReadError)
    assert call.status == 200
    assert failure_of(call, error).failure is Failure.BAD_RESPONSE
    assert sent[0] < size


def test_headers_without_an_end_are_not_read(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"." * 1000))
        connection.sendall(b"Content-Length: 2\r\n\r\n{}")

    error, call = failing(serve(behave), CallLimits(response_bytes=50_000))

    assert call.status is None
    assert failure_of(call, error).failure is Failure.BAD_RESPONSE


def test_a_compressed_answer_is_not_unpacked(serve: Serve) -> None:
    bomb = gzip.compress(b" " * 10_000_000)

    error, call = failing(serve(answering(answer(bomb, "Content-Encoding: gzip"))), AMPLE)

    assert isinstance(error, httpx.DecodingError)
    assert failure_of(call, error).failure is Failure.BAD_RESPONSE


def test_a_compressed_refusal_is_still_a_refusal(serve: Serve) -> None:
    refusal = answer(gzip.compress(b"{}"), "Content-Encoding: gzip", "Retry-After: 7", status="429 Too Many Requests")

    error, call = failing(serve(answering(refusal)), AMPLE)

    failed = failure_of(call, error)
    assert failed.failure is Failure.RATE_LIMITED
    assert retry_after(call.headers, call.error_body) == 7


@pytest.mark.parametrize("spelled", ["identity", "Identity"])
def test_an_encoding_that_is_none_is_read(serve: Serve, spelled: str) -> None:
    response, _call = get(serve(answering(answer(b'{"a": 1}', f"Content-Encoding: {spelled}"))))

    assert response.json() == {"a": 1}


def test_compression_is_not_asked_for(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(answer(read_request(connection)))

    response, _call = get(serve(behave))

    assert b"accept-encoding: identity" in response.content.lower()
    assert b"gzip" not in response.content


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    visited = threading.Event()

    def elsewhere(connection: socket.socket) -> None:
        visited.set()
        answering(answer())(connection)

    redirect = answer(b"", f"Location: {serve(elsewhere)}/", status="307 Temporary Redirect")
    response, call = get(serve(answering(redirect)))

    assert (response.status_code, call.status) == (307, 307)
    assert not visited.is_set()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (answer(b'{"a": 1}')[:-3], 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{", 200),
        (b"220 mail.example ESMTP\r\n", None),
    ],
)
def test_a_server_that_closes_in_the_middle(serve: Serve, sent: bytes, status: int | None) -> None:
    error, call = failing(serve(answering(sent)), AMPLE)

    assert isinstance(error, httpx.RemoteProtocolError)
    assert call.status == status
    assert failure_of(call, error).failure is (Failure.BAD_RESPONSE if status else Failure.UNAVAILABLE)


def test_each_call_on_a_kept_connection_has_limits_of_its_own(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        for _ in range(3):
            read_request(connection)
            connection.sendall(answer(b"." * 600))

    url = serve(behave)
    with http_client(connections=1) as client:
        for _ in range(3):
            with calling(CallLimits(response_bytes=1000)) as call:
                assert len(client.get(url).content) == 600
            assert call.status == 200


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": "many", "completion_tokens": "12", "total_tokens": ""},
        {"input_tokens": "many", "output_tokens": "12"},
        {"inputTokens": "many", "outputTokens": "12", "totalTokens": "1e3"},
        {"promptTokenCount": "many", "candidatesTokenCount": "12", "totalTokenCount": "-1"},
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (", ", " : ")])
def test_a_count_that_is_a_text_is_no_count(serve: Serve, usage: dict[str, str], separators: tuple[str, str]) -> None:
    body = json.dumps({"text": "Paid for.", "usage": usage}, separators=separators).encode()

    response, _call = get(serve(answering(answer(body))))

    assert response.json() == {"text": "Paid for.", "usage": dict.fromkeys(usage, 0)}


def test_a_count_inside_of_the_answer_is_left_alone(serve: Serve) -> None:
    said = {
        "text": 'The field {"prompt_tokens": "12", "totalTokenCount" : "many"} and "output_tokens":"3".',
        "names": ["prompt_tokens", "12"],
        "usage": {"prompt_tokens": 12, "completion_tokens": None, "service_tier": "12"},
    }

    response, _call = get(serve(answering(answer(json.dumps(said).encode()))))

    assert response.json() == said
