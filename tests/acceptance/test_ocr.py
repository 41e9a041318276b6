"""Scans on each set of backends: OCR workers are killed in the middle of a page, or start only after the upload."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import Process, RunningService, descendants, signal_if_there, wait_for
from tests.documents.scans import LINES, scanned_pdf

PAGES = 6


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("documents") / "scan.pdf"
    path.write_bytes(scanned_pdf(PAGES, lines=LINES * 2))
    return path


@pytest.fixture(autouse=True)
def _exchange_images_over_http_with_rabbitmq(service: RunningService) -> None:
    """With the other backends the OCR workers use the storage folder directly."""
    if "rabbitmq" in service.backends.name:
        service.settings["OCR_EXCHANGE_URL"] = service.url


@pytest.fixture
def housekeeping(service: RunningService) -> Process:
    return service.start_worker("housekeeping", "housekeeping")


def start_ocr(service: RunningService) -> Process:
    worker = service.start("ocr", sys.executable, "-m", "ocr_worker", "ocr_cpu")
    wait_for(lambda: b" ready." in worker.log.read_bytes(), "the OCR worker is ready", seconds=30)
    return worker


def assert_every_page_was_read_once(service: RunningService, job_id: str) -> None:
    assert service.wait(job_id, seconds=120) == "COMPLETED"
    assert service.pages_in(job_id, "succeeded") == PAGES
    text = str(service.result(job_id)["text_full"])
    for number in range(1, PAGES + 1):
        assert text.count(f"Sheet number {number}\n") == 1
    accepted = (
        f"SELECT count(*) FROM jobs_pageattempt WHERE job_id='{job_id}' AND stage='recognize' AND outcome='accepted'"
    )
    assert service.number(accepted) == PAGES


@mostly_on_rabbitmq
def test_killed_ocr_processes_lose_no_page(
    service: RunningService, worker: Process, housekeeping: Process, scan: Path
) -> None:
    ocr = start_ocr(service)
    job_id = service.upload(scan)
    at_work = f"SELECT count(*) FROM jobs_step WHERE job_id='{job_id}' AND stage='recognize' AND state='running'"

    wait_for(lambda: service.number(at_work) > 0, "a page is being recognised", seconds=60, pause=0.005)
    for pid in descendants(ocr.popen.pid):  # the pool processes and their engines, in the middle of a page
        signal_if_there(pid, signal.SIGKILL)
    wait_for(
        lambda: service.number(at_work) > 0 and service.pages_in(job_id, "succeeded") > 1,
        "others go on",
        seconds=60,
    )
    ocr.kill()  # the whole worker
    start_ocr(service)

    assert_every_page_was_read_once(service, job_id)


def test_pages_wait_until_an_ocr_worker_starts(
    service: RunningService, worker: Process, housekeeping: Process, scan: Path
) -> None:
    job_id = service.upload(scan)
    rendered = f"SELECT count(*) FROM jobs_step WHERE job_id='{job_id}' AND image <> ''"
    wait_for(lambda: service.number(rendered) > 0, "pages are rendered", seconds=60)
    time.sleep(4)  # longer than a lease and the search for lost messages, see running_service.SHORT_TIMES
    started = f"SELECT max(starts) FROM jobs_step WHERE job_id='{job_id}' AND stage='recognize'"
    assert service.number(started) == 0
    assert service.job(job_id)["job"]["status"] == "RUNNING"

    start_ocr(service)

    assert_every_page_was_read_once(service, job_id)
