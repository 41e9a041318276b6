"""Scans on each set of parts: OCR workers are killed in the middle of a page, or are not there at all for a while."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.parts import mostly_on_rabbitmq
from tests.acceptance.stack import Process, Stack, descendants, signal_if_there, wait_for
from tests.documents.scans import LINES, scanned_pdf

PAGES = 12


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("documents") / "scan.pdf"
    path.write_bytes(scanned_pdf(PAGES, lines=LINES * 2))
    return path


@pytest.fixture(autouse=True)
def _over_links_on_one_set_of_parts(stack: Stack) -> None:
    """The others share the storage folder with the OCR workers."""
    if "rabbitmq" in stack.parts.name:
        stack.settings["OCR_EXCHANGE_URL"] = stack.url


@pytest.fixture
def housekeeping(stack: Stack) -> Process:
    return stack.start_worker("housekeeping", "housekeeping")


def start_ocr(stack: Stack) -> Process:
    worker = stack.start("ocr", sys.executable, "-m", "ocr_worker", "ocr_cpu")
    wait_for(lambda: b" ready." in worker.log.read_bytes(), "the OCR worker is ready", seconds=30)
    return worker


def assert_every_page_was_read_once(stack: Stack, job_id: str) -> None:
    assert stack.wait(job_id, seconds=120) == "COMPLETED"
    assert stack.pages_in(job_id, "succeeded") == PAGES
    text = str(stack.result(job_id)["text_full"])
    for number in range(1, PAGES + 1):
        assert text.count(f"Sheet number {number}\n") == 1
    accepted = (
        f"SELECT count(*) FROM jobs_pageattempt WHERE job_id='{job_id}' AND stage='recognize' AND outcome='accepted'"
    )
    assert stack.number(accepted) == PAGES


@mostly_on_rabbitmq
def test_killed_ocr_processes_cost_no_page(stack: Stack, worker: Process, housekeeping: Process, scan: Path) -> None:
    ocr = start_ocr(stack)
    job_id = stack.upload(scan)
    at_work = f"SELECT count(*) FROM jobs_step WHERE job_id='{job_id}' AND stage='recognize' AND state='running'"

    wait_for(lambda: stack.number(at_work) > 0, "a page is being recognised", seconds=60, pause=0.005)
    for pid in descendants(ocr.popen.pid):  # the pool processes and their engines, in the middle of a page
        signal_if_there(pid, signal.SIGKILL)
    wait_for(lambda: stack.number(at_work) > 0 and stack.pages_in(job_id, "succeeded") > 1, "others go on", seconds=60)
    ocr.kill()  # the whole worker
    start_ocr(stack)

    assert_every_page_was_read_once(stack, job_id)


def test_pages_wait_for_an_ocr_worker_that_is_not_there(
    stack: Stack, worker: Process, housekeeping: Process, scan: Path
) -> None:
    job_id = stack.upload(scan)
    rendered = f"SELECT count(*) FROM jobs_step WHERE job_id='{job_id}' AND image <> ''"
    wait_for(lambda: stack.number(rendered) > 0, "pages are rendered", seconds=60)
    time.sleep(4)  # longer than a lease and than a lost message takes to be looked for, see stack.SHORT_TIMES
    started = f"SELECT max(starts) FROM jobs_step WHERE job_id='{job_id}' AND stage='recognize'"
    assert stack.number(started) == 0
    assert stack.job(job_id)["job"]["status"] == "RUNNING"

    start_ocr(stack)

    assert_every_page_was_read_once(stack, job_id)
