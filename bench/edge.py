"""How fast probes and other clients are answered while 200 clients are silent or slow.

    python -m bench.edge [CONNECTIONS]

One web process on the embedded backends. Each kind of client is compared with the calm before it, in the same run.
"""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.figures import Figure, report
from tests.acceptance.backends import embedded_backends
from tests.acceptance.running_service import RunningService
from tests.documents.long import long_document
from tests.services import free_port

CONNECTIONS = 200
SAMPLES = 100
PROBE_TARGET_MS = 100.0
RATIO_TARGET = 2.0
FAILED_MS = 60_000.0
PAUSE_SECONDS = 0.04
"""Between two samples, so that they cover what happens when the service gives the first clients up."""
SETTLE_SECONDS = 12.0
"""After an attack, until what its last requests left has ended."""
SLOW_SECONDS = 1.0
"""A slow client sends or takes one byte each time."""
LARGE_FILE_BYTES = 20_000_000
HEAD = "Host: 127.0.0.1\r\n"
LOGIN = (
    f"POST /admin/login/ HTTP/1.1\r\n{HEAD}Cookie: csrftoken={'a' * 32}\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n"
)


@dataclass(frozen=True)
class Attack:
    """Clients that begin with ``request`` and then stay silent, or send (take) one byte each second."""

    name: str
    request: str
    is_slow: bool = False
    takes: bool = False


def is_cut_off(attack: Attack, connection: socket.socket) -> bool:
    """Send or take a byte, where the attack does. Return whether the service has answered or closed."""
    connection.setblocking(False)
    try:
        if attack.is_slow and not attack.takes:
            connection.send(b"a")
        if attack.is_slow or not attack.takes:
            return connection.recv(1) == b"" or not attack.takes
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


@contextmanager
def attacked(service: RunningService, attack: Attack, connections: int) -> Iterator[None]:
    """Keep this many connections open until the block ends. One that is refused or cut off is opened again."""
    host, port = service.url.removeprefix("http://").split(":")
    ends = threading.Event()

    def opened() -> socket.socket:
        connection = socket.create_connection((host, int(port)), timeout=30)
        connection.sendall(attack.request.encode())
        return connection

    def keep_open(held: list[socket.socket]) -> None:
        while not ends.wait(SLOW_SECONDS):
            for place, connection in enumerate(held):
                if is_cut_off(attack, connection):
                    connection.close()
                    held[place] = opened()

    held = [opened() for _ in range(connections)]
    keeper = threading.Thread(target=keep_open, args=(held,))
    keeper.start()
    try:
        time.sleep(2 * SLOW_SECONDS)
        yield
    finally:
        ends.set()
        keeper.join()
        for connection in held:
            connection.close()


def percentile(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def milliseconds(url: str, **headers: str) -> list[float]:
    """Return the times of requests by a client that keeps its connection. A refusal counts as ``FAILED_MS``."""
    taken = []
    with httpx.Client(verify=False, timeout=60, headers=headers) as client:
        for _ in range(SAMPLES):
            time.sleep(PAUSE_SECONDS)
            started = time.perf_counter()
            response = client.get(url)
            taken.append((time.perf_counter() - started) * 1000 if response.status_code == 200 else FAILED_MS)
    return sorted(taken)


def attacks_on(service: RunningService, link: str) -> list[Attack]:
    upload = (
        f"POST /api/v1/beta/files HTTP/1.1\r\n{HEAD}Authorization: Bearer {service.key}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="slow.pdf"\r\n\r\n%PDF'
    )
    read = f"GET {link} HTTP/1.1\r\n{HEAD}\r\n"
    return [
        Attack("silent login", LOGIN),
        Attack("slow login", LOGIN, is_slow=True),
        Attack("silent upload with a key", upload),
        Attack("slow upload with a key", upload, is_slow=True),
        Attack("reader that takes nothing", read, takes=True),
        Attack("slow reader", read, is_slow=True, takes=True),
        Attack("silent after the connect", ""),
        Attack("slow headers", f"GET / HTTP/1.1\r\n{HEAD}X: ", is_slow=True),
    ]


def main(arguments: list[str]) -> None:
    connections = int(arguments[0]) if arguments else CONNECTIONS
    figures: list[Figure] = []
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-bench-")))
        (folder / "service").mkdir()
        probe_port = free_port()
        service = RunningService(
            cleanup.enter_context(embedded_backends(folder)), folder / "service", {"PROBE_PORT": str(probe_port)}
        )
        cleanup.callback(service.stop)
        service.prepare()
        service.start_web()
        with service.client() as client:
            content = long_document(1) + b"\n%" + b"x" * LARGE_FILE_BYTES
            stored = client.post("/api/v1/beta/files", files={"file": ("big.pdf", content)}).json()
            link = client.get(f"/api/v1/beta/files/{stored['id']}/content").json()["url"].removeprefix(service.url)
        poll = f"{service.url}/api/v1/beta/files/{stored['id']}"
        key = {"Authorization": f"Bearer {service.key}"}
        milliseconds(poll, **key)  # the first requests import what they need
        for attack in attacks_on(service, link):
            calm = percentile(milliseconds(poll, **key), 0.95)
            with attacked(service, attack, connections):
                for name, url in (
                    ("/livez", f"http://127.0.0.1:{probe_port}/livez"),
                    ("/readyz", f"http://127.0.0.1:{probe_port}/readyz"),
                    ("/livez, main port", f"{service.url}/livez"),
                ):
                    times = milliseconds(url)
                    what = f"{connections} x {attack.name}: {name}"
                    figures.append(Figure(f"{what}, median", statistics.median(times), "ms"))
                    figures.append(Figure(f"{what}, p95", percentile(times, 0.95), "ms", PROBE_TARGET_MS))
                    figures.append(Figure(f"{what}, worst", times[-1], "ms", PROBE_TARGET_MS))
                others = percentile(milliseconds(poll, **key), 0.95)
            what = f"{connections} x {attack.name}: other clients"
            figures.append(Figure(f"{what}, p95", others, "ms"))
            figures.append(Figure(f"{what}, p95 against the calm", others / calm, "x", RATIO_TARGET))
            print(f"{attack.name}: done", flush=True)
            time.sleep(SETTLE_SECONDS)
    report("edge", figures)


if __name__ == "__main__":
    main(sys.argv[1:])
