"""The command line and the HTTP road give the same bytes for the same document."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import MANAGE, ROOT, Process, RunningService

EXAMPLES = sorted((ROOT / "examples").glob("*.pdf"))


def printed(document: Path, *options: str) -> bytes:
    """What ``manage.py parse`` prints."""
    done = subprocess.run([*MANAGE, "parse", "-q", str(document), *options], cwd=ROOT, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@mostly_on_rabbitmq
@pytest.mark.parametrize("name", [*(path.name for path in EXAMPLES), "long.pdf"])
def test_the_command_line_prints_what_the_service_answers(
    service: RunningService, worker: Process, long_pdf: Path, name: str
) -> None:
    document = long_pdf if name == "long.pdf" else ROOT / "examples" / name
    job_id = service.upload(document)
    assert service.wait(job_id) == "COMPLETED"
    answered = service.result(job_id)

    assert printed(document, "--format", "markdown") == answered["markdown_full"].encode()
    assert printed(document, "--format", "text") == answered["text_full"].encode()
    sections = json.loads(printed(document, "--format", "json"))
    assert {part: sections[part] for part in ("text", "markdown", "items")} == {
        part: answered[part] for part in ("text", "markdown", "items")
    }


@mostly_on_rabbitmq
def test_some_pages_of_a_document(service: RunningService, worker: Process, long_pdf: Path) -> None:
    job_id = service.upload(
        long_pdf, configuration='{"tier":"fast","version":"latest","page_ranges":{"target_pages":"3,50-60"}}'
    )
    assert service.wait(job_id) == "COMPLETED"

    assert printed(long_pdf, "--pages", "3,50-60") == service.result(job_id)["markdown_full"].encode()


@mostly_on_rabbitmq
def test_the_command_line_of_a_running_service(service: RunningService, worker: Process) -> None:
    document = EXAMPLES[0]

    assert printed(document, "--server", service.url, "--api-key", service.key) == printed(document)
