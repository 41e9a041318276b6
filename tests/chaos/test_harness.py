"""The harness itself: every failpoint exists, a release has none, and the proxy does what its modes say."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parse_project import settings as release_settings
from tests.chaos import results, table
from tests.chaos.failpoints import ACTIONS, PLACES, Control, FailpointReached, find, reach
from tests.chaos.proxy import ChaosProxy

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("apps", "ocr_worker", "parse_project", "deploy")


@pytest.mark.parametrize("name", PLACES)
def test_every_failpoint_names_a_function_of_the_product(name: str) -> None:
    owner, attribute = find(PLACES[name])

    assert callable(getattr(owner, attribute))


def test_a_release_contains_no_failpoint() -> None:
    """Images contain only what .dockerignore lists, and no setting or module of the product names the harness."""
    in_images = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert not any(entry.startswith("tests") for entry in in_images)
    assert not any("chaos" in app for app in release_settings.INSTALLED_APPS)
    files = [path for part in PRODUCT for path in (ROOT / part).rglob("*.*") if path.suffix in (".py", ".yaml")]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    assert len(texts) > 300
    assert [path for path, text in texts.items() if "failpoint" in text.lower() or "tests.chaos" in text] == []


def test_a_failpoint_acts_on_one_call_only(tmp_path: Path) -> None:
    control = Control(tmp_path / "failpoints")
    reach("split.before", control.folder)  # nothing is armed
    control.arm("split.before", "raise", nth=2)

    reach("split.done", control.folder)
    reach("split.before", control.folder)
    with pytest.raises(FailpointReached):
        reach("split.before", control.folder)
    reach("split.before", control.folder)

    assert [hit.count for hit in control.hits()] == [1, 2, 3]
    assert set(ACTIONS) == {"kill", "killgroup", "stop", "raise", "sleep"}


@pytest.fixture
def echo() -> Iterator[int]:
    """Return the port of a server that sends back what it receives."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield int(listener.getsockname()[1])
    listener.close()


def test_the_proxy_passes_stalls_and_cuts(echo: int) -> None:
    with ChaosProxy(echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        client.sendall(b"one")
        assert client.recv(10) == b"one"

        proxy.set("delay", seconds=0.1)
        began = time.monotonic()
        client.sendall(b"two")
        assert client.recv(10) == b"two"
        assert time.monotonic() - began >= 0.2  # once in each direction

        client.settimeout(0.2)
        for mode in ("stall", "drop_half"):
            proxy.set(mode)
            client.sendall(b"lost?")
            with pytest.raises(TimeoutError):
                client.recv(10)
            proxy.set("pass")
            if mode == "stall":  # what waited arrives now
                assert client.recv(10) == b"lost?"

        proxy.set("trickle")
        client.settimeout(5)
        client.sendall(b"ab")
        began = time.monotonic()
        assert client.recv(10) == b"a"
        proxy.set("pass")
        assert client.recv(10) == b"b"

        proxy.set("reset", bytes=4)
        client.sendall(b"12345")
        with pytest.raises(ConnectionResetError):
            client.recv(10) or _closed()


def _closed() -> bytes:
    raise ConnectionResetError


def test_the_proxy_refuses_connections(echo: int) -> None:
    with ChaosProxy(echo) as proxy:
        proxy.set("refuse")
        with (
            socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client,
            pytest.raises(ConnectionResetError),
        ):
            client.recv(10) or _closed()


def test_the_document_has_the_kept_results() -> None:
    kept = [json.loads(line) for line in table.KEPT_RESULTS.read_text().splitlines()]
    document = table.DOCUMENT.read_text()

    assert table.faults_table(kept) in document
    assert table.storms_table(kept) in document
    assert table.inputs_table(kept) in document
    without = table.faults_table([])
    assert without.count("| **not run** |") + without.count("| not measured; test: ") == len(table.FAULTS)


def test_a_result_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAOS_RESULTS", str(tmp_path / "chaos.jsonl"))
    result = results.FaultResult("F4", "a worker", "embedded", "make chaos", jobs=2, recover=[3.0, 1.0, 2.0])

    results.record(result)
    results.record(result)

    lines = (tmp_path / "chaos.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert '"recover_p50": 2.0, "recover_p95": 3.0, "recover_max": 3.0' in lines[0]
