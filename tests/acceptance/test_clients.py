"""The clients of LlamaParse and of other services against a running service: each makes all its calls in one process.

``scripts/test_clients.sh`` installs them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest

from apps.pages.conversion.converter import AUTO, find_program
from tests.acceptance.backends import embedded_backends
from tests.acceptance.running_service import ROOT, RunningService, slowness
from tests.documents.long import long_document
from tests.documents.office import office_documents
from tests.documents.picture import document_with_a_picture
from tests.test_documentation import FENCED

CLIENTS = ROOT / "tests" / "clients"
SECOND_API = str(CLIENTS / "second_api" / "calls.py")
COMMANDS = {
    "second_api_newest": [sys.executable, SECOND_API],
    "second_api_1.0.0": [str(CLIENTS / "second_api" / ".venv" / "bin" / "python"), SECOND_API],
    "first_api": [str(CLIENTS / "first_api" / ".venv" / "bin" / "python"), str(CLIENTS / "first_api" / "calls.py")],
    "typescript": ["node", str(CLIENTS / "typescript" / "calls.mjs")],
    "compatible": [str(CLIENTS / "compatible" / ".venv" / "bin" / "python"), str(CLIENTS / "compatible" / "calls.py")],
}
MORE_ARGUMENTS = {"compatible": [sys.executable, str(ROOT / "manage.py"), "mcp"]}
_RUN_ALL = ["-c", "import runpy, sys; [runpy.run_path(path) for path in sys.argv[1:]]"]
# The ending of a program, and the arguments with which several run one after the other.
RUNNERS = {
    "first_api": (".py", _RUN_ALL),
    "compatible": (".py", _RUN_ALL),
    "typescript": (".mjs", ["run_all.mjs"]),
}
MAX_SECONDS = 240
OPENAPI = CLIENTS / "openapi"
FEW = 2
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    "accepts_what_is_described",
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A web process, and workers that parse and print. Without a provider all modes are parsed in fast mode."""
    with embedded_backends(tmp_path_factory.mktemp("backends")) as backends:
        service = RunningService(backends, tmp_path_factory.mktemp("service"))
        service.settings["CONVERTER"] = str(find_program(AUTO))
        service.prepare()
        service.start_web()
        service.start_worker()
        service.start_worker("convert", "convert")
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
    office_documents(folder)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n")
    with pikepdf.open(folder / "report.pdf") as pdf:
        pdf.save(folder / "protected.pdf", encryption=pikepdf.Encryption(user="secret", owner="secret"))
    return folder


def environment_of(service: RunningService) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME")}
    ours = {"LLAMA_CLOUD_BASE_URL": service.url, "LLAMA_CLOUD_API_KEY": service.key, "LEAFMILL_API_KEY": service.key}
    return inherited | ours


def examples_of(client: str) -> list[str]:
    """Return the examples in the documentation that need the environment of this client."""
    pages = (page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").rglob("*.md")))
    found = (block for page in pages for block in FENCED.finditer(page))
    return [block["body"] for block in found if block["kind"].strip().endswith(f" {client}")]


@pytest.mark.parametrize("client", COMMANDS)
def test_every_call_of_the_client_works(client: str, service: RunningService, documents: Path) -> None:
    assert Path(COMMANDS[client][0]).exists() or client == "typescript", "Run scripts/test_clients.sh first"
    done = subprocess.run(
        [*COMMANDS[client], str(documents), *MORE_ARGUMENTS.get(client, ())],
        env=environment_of(service),
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS * slowness(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    failures = {name: error for name, error in outcomes.items() if error}
    assert outcomes
    assert not failures, "\n\n".join(f"{name}:\n{error}" for name, error in failures.items())


@pytest.mark.parametrize("client", RUNNERS)
def test_the_examples_of_the_documentation_run(client: str, service: RunningService, tmp_path: Path) -> None:
    """The Python examples run in one process, because importing the client takes seconds."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "node_modules").symlink_to(CLIENTS / "typescript" / "node_modules")
    ending, run_all = RUNNERS[client]
    programs = [f"./example{number}{ending}" for number, _code in enumerate(examples_of(client))]
    for program, code in zip(programs, examples_of(client), strict=True):
        (tmp_path / program).write_text(code.replace("http://127.0.0.1:8000", service.url), encoding="utf-8")
    (tmp_path / "run_all.mjs").write_text("for (const path of process.argv.slice(2)) await import(path);")
    done = subprocess.run(
        [COMMANDS[client][0], *run_all, *programs],
        cwd=tmp_path,
        env=environment_of(service),
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS * slowness(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(programs) >= 2
    assert "The river in its second year" in done.stdout


# With 80 requests to each operation they are more than 5,000.
@pytest.mark.parametrize("requests_each", [FEW, pytest.param(80, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_the_service_does_what_its_description_says(requests_each: int, service: RunningService) -> None:
    """Schemathesis sends valid and invalid requests.

    Events have tests of their own, because a stream may take a minute, and so have the APIs of other services.
    """
    done = subprocess.run(
        [
            *(str(OPENAPI / ".venv" / "bin" / "st"), "run", f"{service.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {service.key}", "--checks", ",".join(CHECKS)),
            *("--phases", "fuzzing", "--max-examples", str(requests_each), "--no-shrink", "--continue-on-failure"),
            *("--include-path-regex", "^/api/", "--exclude-path", "/api/v2/parse/{job_id}/events"),
            *("--generation-allow-x00", "false", "--output-truncate", "false", "--no-color"),
            *(["--generation-deterministic"] if requests_each == FEW else []),
        ],
        env=environment_of(service) | {"SCHEMATHESIS_HOOKS": str(OPENAPI / "checks.py")},
        cwd=service.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"(\d+) generated", done.stdout)[-1]) >= 50 * requests_each
