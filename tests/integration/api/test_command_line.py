"""``manage.py parse --server`` with the API: errors of the API become sentences and exit codes."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from apps.accounts import services as accounts
from apps.accounts.models import ProjectQuota
from apps.jobs.models import ParseJob
from apps.jobs.scheduling import pauses
from apps.jobs.scheduling.claims import end_job
from apps.jobs.states import JobState
from apps.pages.model.errors import UnplannedError
from tests.documents.long import long_document

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(long_document(1))
    return path


@pytest.fixture
def parse(live_server: Any, report: Path) -> Any:
    """Parse with the server and return the exit code and the lines on standard error."""
    key = accounts.create_api_key(name="command line")[1]

    def parse(*options: str, api_key: str = key) -> tuple[int, list[str]]:
        command = [sys.executable, "manage.py", "parse", str(report), "--server", live_server.url, "--api-key", api_key]
        done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.stdout == ""
        return done.returncode, done.stderr.splitlines()

    return parse


def test_an_invalid_option_is_reported_in_a_sentence(parse: Any) -> None:
    code, [line] = parse("--providers", "unknown")

    assert code == 2
    assert line == "invalid_option: No provider is called unknown. Load one with `manage.py load_providers`."


def test_several_invalid_options_are_reported_in_one_line(parse: Any) -> None:
    code, [line] = parse("--mode", "agentic", "--prompt", "x" * 60_000, "--max-cost", "1e99")

    assert code == 2
    assert line.startswith("invalid_option: ")
    assert not set("[]{}") & set(line)
    assert "agentic_options.custom_prompt: " in line
    assert "max_cost: " in line


def test_a_mode_without_a_provider_is_an_invalid_command(parse: Any, settings: Any) -> None:
    settings.MODE_WITHOUT_PROVIDER = ""

    code, [line] = parse("--mode", "balanced")

    assert code == 2
    assert line.startswith("mode_not_available: No provider serves the mode balanced")


def test_a_mode_that_the_project_forbids_is_not_an_error_of_the_key(parse: Any) -> None:
    ProjectQuota.objects.create(project=accounts.default_project(), modes=["fast"])

    code, [line] = parse("--mode", "balanced")

    assert code == 2
    assert line == "mode_not_allowed: The project does not allow the mode balanced. Send one of: fast."


def test_pages_that_the_document_lacks_are_an_error_of_the_document(parse: Any) -> None:
    code, [line] = parse("--pages", "7", "--estimate")

    assert code == 3
    assert line == "invalid_option: Page 7 was requested, but the document has 1 page. Send pages that exist."


def test_a_wrong_key_is_reported(parse: Any) -> None:
    code, [line] = parse(api_key="wrong")

    assert code == 5
    assert line == "unauthenticated: The server refused the API key. Pass another with --api-key or LEAFMILL_API_KEY."


def test_a_missing_key_is_reported(parse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEAFMILL_API_KEY", raising=False)

    code, [line] = parse(api_key="")

    assert code == 5
    assert line == "unauthenticated: The server requires an API key. Pass one with --api-key or LEAFMILL_API_KEY."


def test_a_paused_intake_is_reported_with_its_code_and_reason(parse: Any) -> None:
    pauses.pause(name="intake", reason="maintenance until 18:00", by="tester")

    code, [line] = parse()

    assert code == 5
    assert line.startswith("intake_paused: localhost responded with status 503: The service accepts no new jobs")
    assert "maintenance until 18:00" in line


def test_an_error_of_the_service_is_no_error_of_the_document(parse: Any) -> None:
    def fail_the_job() -> None:
        while not (job := ParseJob.objects.first()):
            time.sleep(0.05)
        end_job(job.pk, JobState.FAILED, error=UnplannedError())
        connections.close_all()

    with ThreadPoolExecutor(1) as worker:
        failing = worker.submit(fail_the_job)
        code, [*_, line] = parse()
        failing.result()

    assert (code, line.partition(":")[0]) == (5, "internal_error")
