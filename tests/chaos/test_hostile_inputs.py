"""D: hostile documents through the API and real workers, sent together; each ends with a code that its row allows.

Afterwards the same processes are alive, nothing is left of the documents but their rows, and others are parsed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.running_service import Backends, Process, RunningService, children
from tests.chaos.results import FaultResult, record
from tests.documents.hostile import Hostile
from tests.documents.hostile_bombs import long_with_killing_pages
from tests.documents.hostile_rows import ROWS
from tests.documents.long import heading_of, long_document

pytestmark = pytest.mark.chaos

COMMAND = "python -m pytest -m 'chaos or long' tests/chaos/test_hostile_inputs.py"
# Of one page; the long tests have a row whose 2,000 pages each need a part of it.
LIMITS = {"PAGE_WALL_SECONDS": "10", "PAGE_CPU_SECONDS": "10", "READER_MEMORY_MB": "512"}
END_SECONDS = 1500.0
UPLOADS_AT_ONCE = 4
LONG_PAGES = 1000
# One document of each row in CI; make chaos sends all.
QUICK = [row for row in ROWS if not row.is_slow]
ONE_OF_EACH_ROW = list({row.row: row for row in reversed(QUICK)}.values())


@pytest.fixture(scope="module")
def service(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("inputs")
    scratch = folder / "scratch"
    scratch.mkdir(mode=0o777)
    service = RunningService(backends, folder, {**LIMITS, "TMPDIR": str(scratch), "PAGES_PER_RANGE": "4"})
    service.prepare()
    service.start_web()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="module")
def worker(service: RunningService) -> Process:
    return service.start_worker()


def send(service: RunningService, document: Hostile) -> tuple[str, str]:
    """Upload the document. Return the id of its job, and the code of the refusal if there is no job."""
    configuration: dict[str, Any] = {"tier": "fast", "version": "latest"}
    configuration["processing_options"] = {"ocr_parameters": {"disable_ocr": True}}
    if document.password:
        configuration["input_options"] = {"pdf": {"password": document.password}}
    with service.client() as client:
        answer = client.post(
            "/api/v2/parse/upload",
            data={"configuration": json.dumps(configuration)},
            files={"file": (f"{document.name}.{document.ending}", document.make(), "application/octet-stream")},
            timeout=120,
        )
    assert answer.status_code in (200, 400, 413, 415, 422), (document.name, answer.text)
    content = answer.json()
    return (content["id"], "") if answer.status_code == 200 else ("", content["code"])


def outcome(service: RunningService, job_id: str) -> tuple[set[str], float]:
    """Return the error code of a failed job, or the codes of its pages ("result" for a good one); and the seconds.

    The seconds are those from acceptance to the end, the wait for other documents included.
    """
    job = service.job(job_id)["job"]
    seconds = datetime.fromisoformat(job["updated_at"]) - datetime.fromisoformat(job["created_at"])
    with service.client() as client:
        pages = client.get(f"/api/v2/parse/{job_id}/pages", params={"page_size": 1000}).json()["items"]
    codes = {page["error"]["code"] if page["error"] else "result" for page in pages}
    return codes or {job["error"]["code"]}, round(seconds.total_seconds(), 1)


def run(service: RunningService, worker: Process, documents: list[Hostile]) -> None:
    """Send the documents, wait for all, and check and record each outcome."""
    pool = set(children(worker.popen.pid))
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as senders:
        sent = list(senders.map(lambda document: send(service, document), documents))
    violations: list[str] = []
    until = time.monotonic() + END_SECONDS
    for document, (job_id, refusal) in zip(documents, sent, strict=True):
        codes, seconds = {refusal}, 0.0
        if job_id:
            service.wait(job_id, seconds=until - time.monotonic(), pause=0.1)
            codes, seconds = outcome(service, job_id)
        wrong = sorted(codes - document.codes)
        violations += [f"D{document.row} {document.name}: {code}, not {sorted(document.codes)}" for code in wrong]
        figures: dict[str, float | int | str] = {"seconds": seconds}
        figures |= {"expected": " ".join(sorted(document.codes)), "got": " ".join(sorted(codes))}
        record(
            FaultResult(
                f"D{document.row}", document.name, service.backends.name, COMMAND,
                jobs=int(bool(job_id)), violations=wrong, figures=figures,
            )
        )  # fmt: skip
    assert violations == []
    check_all_is_well(service, worker, pool)


def check_all_is_well(service: RunningService, worker: Process, pool: set[int]) -> None:
    """Check that the worker's processes are the same, that nothing is left, and that a good document is parsed."""
    assert worker.popen.poll() is None
    assert set(children(worker.popen.pid)) == pool, "a process of the pool died"
    # The locks of workers are empty files.
    left = [path for path in (service.folder / "scratch").rglob("*") if path.is_file() and path.stat().st_size]
    assert left == []
    logs = "".join(process.log.read_text(errors="replace") for process in service.processes)
    assert "root:x:0:0" not in logs
    good = service.folder / "good.pdf"
    good.write_bytes(long_document(1))
    assert service.wait(service.upload(good), seconds=60) == "COMPLETED"


def test_hostile_documents_end_with_the_codes_of_their_rows(service: RunningService, worker: Process) -> None:
    run(service, worker, ONE_OF_EACH_ROW)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("first", "last"), [(28, 33), (34, 51), (52, 72), (74, 80), (81, 89), (73, 73)])
def test_all_hostile_documents_end_with_the_codes_of_their_rows(
    first: int, last: int, service: RunningService, worker: Process
) -> None:
    run(service, worker, [row for row in ROWS if first <= row.row <= last])


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_killing_pages_cost_a_long_document_only_themselves(service: RunningService, worker: Process) -> None:
    killing = list(range(50, LONG_PAGES, LONG_PAGES // 10))
    document = service.folder / "killing.pdf"
    document.write_bytes(long_with_killing_pages(LONG_PAGES, killing))
    pool = set(children(worker.popen.pid))
    started = time.monotonic()

    job_id = service.upload(document)
    status = service.wait(job_id, seconds=END_SECONDS, pause=0.2)

    seconds = round(time.monotonic() - started, 1)
    with service.client() as client:
        pages = client.get(f"/api/v2/parse/{job_id}/pages", params={"page_size": LONG_PAGES}).json()["items"]
    failed = {page["page_number"]: page["error"]["code"] for page in pages if page["error"]}
    texts = {page["page_number"]: page["text"] for page in service.result(job_id)["text"]["pages"]}
    wrong = [number for number in range(1, LONG_PAGES + 1) if (number in killing) != (number in failed)]
    wrong += [number for number, text in texts.items() if number not in failed and heading_of(number) not in text]
    figures: dict[str, float | int | str] = {"seconds": seconds, "pages": LONG_PAGES, "failed": len(failed)}
    for number in ("D73", "F12"):
        record(
            FaultResult(
                number, "1000-pages-ten-kill", service.backends.name, COMMAND,
                jobs=1, violations=[f"page {number}" for number in wrong], figures=figures,
            )
        )  # fmt: skip
    assert wrong == []
    assert set(failed.values()) <= {"page_timeout", "page_memory_exceeded", "page_crashed"}
    assert len(texts) >= LONG_PAGES - len(killing)
    assert (status, service.rows(f"SELECT state FROM jobs_parsejob WHERE id='{job_id}'")) == (
        "COMPLETED",
        [("partial",)],
    )
    check_all_is_well(service, worker, pool)
