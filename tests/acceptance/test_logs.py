"""The logs of a web process and of a worker with LOG_FORMAT=json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.backends import embedded_backends
from tests.acceptance.running_service import Process, RunningService


@pytest.fixture(scope="module")
def json_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with embedded_backends(tmp_path_factory.mktemp("backends")) as backends:
        settings = {"LOG_FORMAT": "json", "PAGES_PER_RANGE": "4", "SHORT_ROAD_PAGES": "0"}
        service = RunningService(backends, tmp_path_factory.mktemp("service"), settings)
        service.prepare()
        service.start_web()
        try:
            yield service
        finally:
            service.stop()


def objects(process: Process) -> list[dict[str, Any]]:
    """Return the log lines that are JSON objects."""
    lines = process.log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_a_workers_log_lines_name_the_job_and_its_pages(json_service: RunningService, long_pdf: Path) -> None:
    worker = json_service.start_worker()
    job_id = json_service.upload(long_pdf)
    assert json_service.wait(job_id) == "COMPLETED"
    worker.stop()

    of_job = [line for line in objects(worker) if line.get("job") == job_id]
    assert {line["page"] for line in of_job if "page" in line} >= {"1-4", "197-200"}
    assert {line["trace_id"] for line in of_job} == {job_id.removeprefix("pjb-").replace("-", "")}
    assert json_service.key not in worker.log.read_text(encoding="utf-8")


def test_a_web_process_logs_the_request_id(json_service: RunningService) -> None:
    address = f"{json_service.url}/api/v2/parse/pjb-unknown"
    headers = {"X-Request-Id": "request-12345", "Authorization": f"Bearer {json_service.key}"}
    assert httpx.get(address, headers=headers, verify=False).status_code == 404

    web = json_service.processes[0]
    logged = [line for line in objects(web) if line.get("request_id") == "request-12345"]
    assert [line["logger"] for line in logged] == ["django.request"]
    assert json_service.key not in web.log.read_text(encoding="utf-8")
