"""The command line and the HTTP API give the same bytes for the same document."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import MANAGE, ROOT, Process, RunningService
from tests.documents.long import long_document

EXAMPLES = sorted((ROOT / "examples").glob("*.pdf"))


def printed(document: Path, *options: str) -> bytes:
    """Return the output of ``manage.py parse``."""
    done = subprocess.run([*MANAGE, "parse", "-q", str(document), *options], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@mostly_on_rabbitmq
@pytest.mark.parametrize("name", [*(path.name for path in EXAMPLES), "long.pdf"])
def test_the_command_line_prints_the_result_of_the_api(
    service: RunningService, shared_worker: Process, tmp_path: Path, name: str
) -> None:
    document = ROOT / "examples" / name
    if name == "long.pdf":
        document = tmp_path / name
        document.write_bytes(long_document(24, columns=12))  # several ranges
    job_id = service.upload(document)
    assert service.wait(job_id) == "COMPLETED"
    result = service.result(job_id)

    assert printed(document, "--format", "markdown") == result["markdown_full"].encode()
    assert printed(document, "--format", "text") == result["text_full"].encode()
    sections = json.loads(printed(document, "--format", "json"))
    assert {section: sections[section] for section in ("text", "markdown", "items")} == {
        section: result[section] for section in ("text", "markdown", "items")
    }


@mostly_on_rabbitmq
def test_selected_pages_are_the_same(service: RunningService, shared_worker: Process, long_pdf: Path) -> None:
    job_id = service.upload(
        long_pdf, configuration='{"tier":"fast","version":"latest","page_ranges":{"target_pages":"3,50-60"}}'
    )
    assert service.wait(job_id) == "COMPLETED"

    assert printed(long_pdf, "--pages", "3,50-60") == service.result(job_id)["markdown_full"].encode()


@mostly_on_rabbitmq
def test_parsing_on_a_server_prints_the_same(service: RunningService, shared_worker: Process) -> None:
    document = EXAMPLES[0]

    assert printed(document, "--server", service.url, "--api-key", service.key) == printed(document)
