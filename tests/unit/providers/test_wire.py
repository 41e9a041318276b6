"""Calls keep their limits at servers that respond slowly, endlessly or not at all, and record the response.

Each server here continues for many seconds and then responds correctly, so a broken limit shows as a response.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from apps.providers.calls.connection import Call, CallLimits, Withheld, calling
from apps.providers.calls.failures import failure_of, retry_after
from apps.providers.calls.transport import http_client
from apps.providers.errors import Failure

Behaviour = Callable[[socket.socket], None]
Serve = Callable[[Behaviour], str]

TRICKLED = 2_000
PAUSE = 0.01
AMPLE = CallLimits(connect_seconds=20, first_byte_seconds=20, idle_seconds=20, total_seconds=20)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts a server with this behaviour on each connection and returns its address."""
    listeners: list[socket.socket] = []

    def accept(listener: socket.socket, behave: Behaviour) -> None:
        with suppress(OSError):
            while True:
                connection, _address = listener.accept()
                threading.Thread(target=serve_connection, args=(connection, behave), daemon=True).start()

    def serve_connection(connection: socket.socket, behave: Behaviour) -> None:
        with connection, suppress(OSError):
            behave(connection)

    def start(behave: Behaviour) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener, behave), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


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
    """Return a behaviour that sends these parts after the request, with pauses between them."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(parts[0])
        for part in parts[1:]:
            time.sleep(PAUSE)
            connection.sendall(part)

    return behave


def send(url: str, call: Call, *, content: bytes = b"") -> httpx.Response:
    async def send_and_close() -> httpx.Response:
        with calling(call):
            async with http_client() as client:
                return await client.request("POST" if content else "GET", url, content=content)

    return asyncio.run(send_and_close())


def get(url: str, limits: CallLimits = AMPLE) -> tuple[httpx.Response, Call]:
    call = Call(limits)
    return send(url, call), call


def failing(url: str, limits: CallLimits, *, content: bytes = b"") -> tuple[Exception, Call]:
    """Return the error with which a call ends, and the call."""
    call = Call(limits)
    with pytest.raises(httpx.HTTPError) as caught:
        send(url, call, content=content)
    return caught.value, call


def test_response_is_returned_and_recorded(serve: Serve) -> None:
    before = time.time()
    response, call = get(serve(answering(answer(b'{"a": 1}', "X-Request-Id: 7"))))

    assert response.json() == {"a": 1}
    assert (call.status, call.headers["x-request-id"], call.error_body) == (200, "7", b"")
    assert call.sent_at is not None
    assert before <= call.sent_at <= time.time()


def test_error_is_recorded_with_its_body(serve: Serve) -> None:
    body = b'{"error": {"message": "slow down"}}'
    response, call = get(serve(answering(answer(body, "Retry-After: 7", status="429 Too Many Requests"))))

    assert (response.status_code, call.status) == (429, 429)
    assert (call.error_body, call.headers["Retry-After"]) == (body, "7")


def test_slow_headers_reach_the_deadline(serve: Serve) -> None:
    trickle = (b"HTTP/1.1 200 OK\r\nX-Slow: ", *([b"."] * TRICKLED), b"\r\nContent-Length: 2\r\n\r\n{}")

    error, call = failing(serve(answering(*trickle)), CallLimits(total_seconds=0.3))

    assert isinstance(error, httpx.ReadTimeout)
    assert call.status is None
    assert call.sent_at is not None


def test_slow_body_reaches_the_deadline(serve: Serve) -> None:
    body = b'"' + b"." * TRICKLED + b'"'
    head, rest = answer(body)[: -len(body)], [bytes([byte]) for byte in body]

    error, call = failing(serve(answering(head, *rest)), CallLimits(total_seconds=0.3))

    assert isinstance(error, httpx.ReadTimeout)
    assert call.status == 200
    assert failure_of(call, error).failure is Failure.TIMEOUT


def test_silent_server_reaches_the_first_byte_limit(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(10)
        connection.sendall(answer())

    error, call = failing(serve(behave), CallLimits(first_byte_seconds=0.2))

    assert isinstance(error, httpx.ReadTimeout)
    assert call.status is None
    assert call.sent_at is not None


def test_idle_server_after_headers_reaches_the_idle_limit(serve: Serve) -> None:
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


def test_server_that_reads_slowly_reaches_the_deadline(serve: Serve) -> None:
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


def test_refused_connection_is_unavailable(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error, call = failing(f"http://127.0.0.1:{port}", AMPLE)

    assert isinstance(error, httpx.NetworkError)
    assert (call.sent_at, call.status) == (None, None)


def test_nothing_is_sent_after_the_deadline(serve: Serve) -> None:
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


def test_endless_headers_are_not_read(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"." * 1000))
        connection.sendall(b"Content-Length: 2\r\n\r\n{}")

    error, call = failing(serve(behave), CallLimits(response_bytes=50_000))

    assert call.status is None
    assert failure_of(call, error).failure is Failure.BAD_RESPONSE


def test_compressed_response_is_not_decompressed(serve: Serve) -> None:
    bomb = gzip.compress(b" " * 10_000_000)

    error, call = failing(serve(answering(answer(bomb, "Content-Encoding: gzip"))), AMPLE)

    assert isinstance(error, httpx.DecodingError)
    assert failure_of(call, error).failure is Failure.BAD_RESPONSE


def test_compressed_error_keeps_its_status(serve: Serve) -> None:
    refusal = answer(gzip.compress(b"{}"), "Content-Encoding: gzip", "Retry-After: 7", status="429 Too Many Requests")

    error, call = failing(serve(answering(refusal)), AMPLE)

    failed = failure_of(call, error)
    assert failed.failure is Failure.RATE_LIMITED
    assert retry_after(call.headers, call.error_body) == 7


@pytest.mark.parametrize("spelled", ["identity", "Identity"])
def test_identity_encoding_is_read(serve: Serve, spelled: str) -> None:
    response, _call = get(serve(answering(answer(b'{"a": 1}', f"Content-Encoding: {spelled}"))))

    assert response.json() == {"a": 1}


def test_withheld_call_sends_nothing(serve: Serve) -> None:
    connected, received = threading.Event(), []

    def behave(connection: socket.socket) -> None:
        connected.set()
        received.append(connection.recv(65536))

    def withhold() -> None:
        assert connected.wait(10)  # the connection is open: only the bytes are still missing
        raise Withheld

    call = Call(AMPLE, before_sending=withhold)
    with pytest.raises(Withheld):
        send(serve(behave), call, content=b"a page")

    assert (call.is_withheld, call.sent_at) == (True, None)
    assert received in ([], [b""])


def test_error_is_reported_before_the_response_is_returned(serve: Serve) -> None:
    reported = []
    call = Call(AMPLE, on_error=lambda call: reported.append((call.status, call.headers["Retry-After"])))

    send(serve(answering(answer(b"{}", "Retry-After: 7", status="503 Service Unavailable"))), call)

    assert reported == [(503, "7")]


def test_proxy_of_the_environment_is_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []

    def proxy(connection: socket.socket) -> None:
        lines.append(read_request(connection).split(b"\r\n")[0])
        connection.sendall(answer(b'{"a": 1}'))

    monkeypatch.setenv("http_proxy", serve(proxy))
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    response, _call = get("http://models.example/v1")
    direct, _call = get(serve(answering(answer(b'{"a": 2}'))))

    assert lines == [b"GET http://models.example/v1 HTTP/1.1"]
    assert (response.json(), direct.json()) == ({"a": 1}, {"a": 2})


def test_compression_is_not_requested(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(answer(read_request(connection)))

    response, _call = get(serve(behave))

    assert b"accept-encoding: identity" in response.content.lower()
    assert b"gzip" not in response.content


def test_redirect_is_not_followed(serve: Serve) -> None:
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
def test_server_that_closes_early_is_an_error(serve: Serve, sent: bytes, status: int | None) -> None:
    error, call = failing(serve(answering(sent)), AMPLE)

    assert isinstance(error, httpx.ReadError)
    assert call.status == status
    assert failure_of(call, error).failure is (Failure.BAD_RESPONSE if status else Failure.UNAVAILABLE)


def test_each_call_on_a_kept_connection_has_its_own_limits(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        for _ in range(3):
            read_request(connection)
            connection.sendall(answer(b"." * 600))

    url = serve(behave)

    async def send_three() -> list[tuple[httpx.Response, Call]]:
        answers = []
        async with http_client() as client:
            for _ in range(3):
                with calling(Call(CallLimits(response_bytes=1000))) as call:
                    answers.append((await client.get(url), call))
        return answers

    assert [(len(response.content), call.status) for response, call in asyncio.run(send_three())] == [(600, 200)] * 3


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
def test_token_count_as_string_becomes_zero(serve: Serve, usage: dict[str, str], separators: tuple[str, str]) -> None:
    body = json.dumps({"text": "Paid for.", "usage": usage}, separators=separators).encode()

    response, _call = get(serve(answering(answer(body))))

    assert response.json() == {"text": "Paid for.", "usage": dict.fromkeys(usage, 0)}


def test_token_count_inside_the_text_is_not_changed(serve: Serve) -> None:
    body = {
        "text": 'The field {"prompt_tokens": "12", "totalTokenCount" : "many"} and "output_tokens":"3".',
        "names": ["prompt_tokens", "12"],
        "usage": {"prompt_tokens": 12, "completion_tokens": None, "service_tier": "12"},
    }

    response, _call = get(serve(answering(answer(json.dumps(body).encode()))))

    assert response.json() == body
