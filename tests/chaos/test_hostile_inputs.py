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
from tests.documents.hostile_rows import ROWS
from tests.documents.long import long_document

pytestmark = pytest.mark.chaos

COMMAND = "python -m pytest -m 'chaos or long' tests/chaos/test_hostile_inputs.py"
# Of one page; the long tests have a row whose 2,000 pages each need a part of it.
LIMITS = {"PAGE_WALL_SECONDS": "10", "PAGE_CPU_SECONDS": "10", "READER_MEMORY_MB": "512"}
END_SECONDS = 1500.0
UPLOADS_AT_ONCE = 4
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
    assert worker.popen.poll() is None
    assert set(children(worker.popen.pid)) == pool, "a process of the pool died"
    check_nothing_is_left(service)
    good = service.folder / "good.pdf"
    good.write_bytes(long_document(1))
    assert service.wait(service.upload(good), seconds=60) == "COMPLETED"


def check_nothing_is_left(service: RunningService) -> None:
    scratch = [path for path in (service.folder / "scratch").rglob("*") if path.is_file()]
    assert scratch == []
    logs = "".join(process.log.read_text(errors="replace") for process in service.processes)
    assert "root:x:0:0" not in logs


def test_hostile_documents_end_with_the_codes_of_their_rows(service: RunningService, worker: Process) -> None:
    run(service, worker, ONE_OF_EACH_ROW)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_all_hostile_documents_end_with_the_codes_of_their_rows(service: RunningService, worker: Process) -> None:
    run(service, worker, list(ROWS))
