"""F42: receivers of webhooks that answer wrongly, too much, too late or not at all, each on a socket of its own."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest

from apps.jobs.commands.deliver_webhooks import deliver_webhooks
from apps.webhooks.delivery import REQUEST_SECONDS, RETRY_DELAYS
from apps.webhooks.models import DeliveryState, WebhookAttempt, WebhookDelivery
from tests.chaos.results import FaultResult, record
from tests.integration.api.conftest import Api

MAX_READ_BYTES = 16 * 1024 * 1024  # what the sockets hold, 4 MB, and some more


def canned(status: str, *headers: str, body: bytes = b"") -> Callable[[socket.socket], int]:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""])

    def answer(connection: socket.socket) -> int:
        connection.sendall(head.encode() + body)
        return len(body)

    return answer


def endless(connection: socket.socket) -> int:
    """Send 1 GB, or what is taken of it, and return how much that was."""
    connection.sendall(b"HTTP/1.1 500 Error\r\nContent-Length: 1073741824\r\n\r\n")
    sent, chunk = 0, b"x" * 65536
    with suppress(OSError):
        while sent < 1 << 30:
            sent += connection.send(chunk)
    return sent


def reset(connection: socket.socket) -> int:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return 0


def hang(connection: socket.socket) -> int:
    connection.settimeout(4 * REQUEST_SECONDS)
    with suppress(OSError):
        while connection.recv(65536):  # until the client has gone
            pass
    return 0


@dataclass(frozen=True)
class Fault:
    """What a receiver does, and what follows: the delivery's state, and the number of attempts.

    ``attempts``: while one receiver gives no answer for 15 s, the others get their second attempt after 5 s.
    ``retry_after``: seconds that the receiver asks for.
    """

    answer: Callable[[socket.socket], int]
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 2
    retry_after: float = 0.0
    scheme: str = "http"


FAULTS = {
    "301": Fault(canned("301 Moved", "Location: /elsewhere")),
    "410": Fault(canned("410 Gone"), DeliveryState.FAILED, attempts=1),
    "429": Fault(canned("429 Too Many", "Retry-After: 600"), attempts=1, retry_after=600),
    "500": Fault(canned("500 Error", body=b"no")),
    "1 GB": Fault(endless),
    "reset": Fault(reset),
    "no HTTP": Fault(lambda connection: connection.send(b"\0\1\2 nonsense\r\n\r\n")),
    "no TLS": Fault(canned("200 OK"), scheme="https"),
    "no answer": Fault(hang, attempts=1),
}


@dataclass
class Sink:
    """A receiver and what it has seen."""

    port: int
    requests: int = 0
    sent_bytes: int = 0


@contextmanager
def sink(answer: Callable[[socket.socket], int]) -> Iterator[Sink]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Sink(listener.getsockname()[1])

        def serve() -> None:
            with suppress(OSError):  # the listener was closed
                while True:
                    connection, _ = listener.accept()
                    found.requests += 1
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        found.sent_bytes += answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def violations_of(fault: Fault, seen: Sink, delivery: WebhookDelivery) -> list[str]:
    """Return what differs from the schedule of retries, which may be up to 10 % late."""
    found = [] if delivery.state == fault.state else [f"the delivery is {delivery.state}, not {fault.state}"]
    if not seen.requests == delivery.attempts == fault.attempts:
        found.append(f"{seen.requests} requests were sent, {delivery.attempts} counted, not {fault.attempts}")
    if seen.sent_bytes > MAX_READ_BYTES * fault.attempts:
        found.append(f"{seen.sent_bytes} bytes were read")
    if delivery.due_at is not None:
        last = WebhookAttempt.objects.get(delivery=delivery, number=delivery.attempts)
        delay = (delivery.due_at - last.at).total_seconds()
        wanted = max(RETRY_DELAYS[delivery.attempts - 1].total_seconds(), fault.retry_after)
        if not 0.99 * wanted <= delay <= 1.11 * wanted:
            found.append(f"the next attempt is {delay:.1f} s later, not {wanted} s")
    return found


@pytest.mark.long
def test_a_bad_receiver_gets_the_schedule_of_retries_and_delays_no_other(api: Api, settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = [ip_network("127.0.0.0/8")]
    with ExitStack() as stack:
        sinks = {name: stack.enter_context(sink(fault.answer)) for name, fault in FAULTS.items()}
        jobs = {}
        for name, fault in FAULTS.items():
            url = f"{fault.scheme}://127.0.0.1:{sinks[name].port}/hook"
            answer = api.parse(webhook_configurations=[{"webhook_url": url, "webhook_events": ["parse.pending"]}])
            jobs[name] = answer.json()["id"]
        began = time.monotonic()

        sent = deliver_webhooks()

        seconds = time.monotonic() - began
        assert seconds >= REQUEST_SECONDS, "the receiver that gives no answer was not waited for"
        violations = {
            name: violations_of(fault, sinks[name], WebhookDelivery.objects.get(job_id=jobs[name]))
            for name, fault in FAULTS.items()
        }
        assert sent == sum(fault.attempts for fault in FAULTS.values())
        assert seconds < 2 * REQUEST_SECONDS
    for name, found in violations.items():
        attempt = WebhookAttempt.objects.get(delivery__job_id=jobs[name], number=1)
        record(
            FaultResult(
                "F42",
                name,
                "one process",
                "python -m pytest -m long tests/integration/api/test_webhook_faults.py",
                jobs=1,
                violations=found,
                figures={"first_attempt_ms": attempt.milliseconds, "sent_bytes": sinks[name].sent_bytes},
            )
        )
    assert not any(violations.values()), violations
