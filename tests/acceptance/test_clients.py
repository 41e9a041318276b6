"""LlamaParse's own clients against a running service: each client makes all its calls in one process, at once.

``scripts/test_clients.sh`` installs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest

from tests.acceptance.backends import embedded_backends
from tests.acceptance.running_service import ROOT, RunningService
from tests.documents.long import long_document
from tests.documents.picture import document_with_a_picture

CLIENTS = ROOT / "tests" / "clients"
SECOND_API = str(CLIENTS / "second_api" / "calls.py")
COMMANDS = {
    "second_api_newest": [sys.executable, SECOND_API],
    "second_api_1.0.0": [str(CLIENTS / "second_api" / ".venv" / "bin" / "python"), SECOND_API],
    "first_api": [str(CLIENTS / "first_api" / ".venv" / "bin" / "python"), str(CLIENTS / "first_api" / "calls.py")],
    "typescript": ["node", str(CLIENTS / "typescript" / "calls.mjs")],
}
MAX_SECONDS = 240


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A web process and a worker; no provider, so other modes than fast are parsed in fast mode."""
    with embedded_backends(tmp_path_factory.mktemp("backends")) as backends:
        service = RunningService(backends, tmp_path_factory.mktemp("service"))
        service.prepare()
        service.start_web()
        service.start_worker()
        try:
            yield service
        finally:
            service.stop()


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    report = (ROOT / "examples" / "report.pdf").read_bytes()
    (folder / "report.pdf").write_bytes(report)
    (folder / "long.pdf").write_bytes(long_document(5))
    (folder / "picture.pdf").write_bytes(document_with_a_picture())
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n")
    with pikepdf.open(folder / "report.pdf") as pdf:
        pdf.save(folder / "protected.pdf", encryption=pikepdf.Encryption(user="secret", owner="secret"))
    return folder


@pytest.mark.parametrize("client", COMMANDS)
def test_every_call_of_the_client_works(client: str, service: RunningService, documents: Path) -> None:
    assert Path(COMMANDS[client][0]).exists() or client == "typescript", "Run scripts/test_clients.sh first"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "LLAMA_CLOUD_BASE_URL": service.url,
        "LLAMA_CLOUD_API_KEY": service.key,
    }
    done = subprocess.run(
        [*COMMANDS[client], str(documents)], env=environment, capture_output=True, text=True, timeout=MAX_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    failures = {name: error for name, error in outcomes.items() if error}
    assert outcomes
    assert not failures, "\n\n".join(f"{name}:\n{error}" for name, error in failures.items())
