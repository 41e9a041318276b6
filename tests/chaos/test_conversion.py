"""F48: LibreOffice hangs, ignores signals and leaves processes; rows D98 and D99 of the hostile inputs."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.pages.conversion.converter import AUTO, find_program
from tests.acceptance.running_service import ROOT, Backends, Process, RunningService, descendants
from tests.chaos.results import FaultResult, record
from tests.integration.test_older_documents import LINKS
from tests.unit.pages.conversion.fake_office import COPIES, fake_office, open_folder, processes_with

pytestmark = pytest.mark.chaos

COMMAND = "python -m pytest -m 'chaos or long' tests/chaos/test_conversion.py"
JOBS = 3
LETTER = ROOT / "tests/documents/older/letter.doc"
HANGS = """
trap "" TERM INT HUP
sleep {mark} &
setsid bash -c 'trap "" TERM; sleep {mark}' &
(setsid setsid sleep {mark} &) &
while true; do sleep {mark}; done
"""


@pytest.fixture(scope="module")
def office() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The folder for temporary files of the service, which no other process of the machine uses."""
    with open_folder() as folder:
        yield folder


@pytest.fixture
def service(backends: Backends, tmp_path: Path, temporary: Path) -> Iterator[RunningService]:
    service = RunningService(backends, tmp_path, settings={"TMPDIR": str(temporary)})
    service.prepare()
    service.start_web()
    try:
        yield service
    finally:
        service.stop()


def zombies_of(process: Process) -> list[int]:
    stats = {pid: Path(f"/proc/{pid}/stat").read_text() for pid in descendants(process.popen.pid)}
    return [pid for pid, text in stats.items() if text.rpartition(")")[2].split()[0] == "Z"]


def error_code(service: RunningService, job_id: str) -> str:
    return str(service.job(job_id)["job"]["error"]["code"])


def test_f48_a_converter_that_hangs_leaves_nothing_and_the_next_works(
    service: RunningService, office: Path, temporary: Path
) -> None:
    mark = f"7{secrets.randbelow(10**9):09}"
    service.settings |= {"CONVERTER": str(fake_office(office, HANGS.format(mark=mark))), "CONVERTER_SECONDS": "2"}
    service.start_worker()
    worker = service.start_worker("convert", "convert")

    hung = [service.upload(LETTER) for _ in range(JOBS)]
    states = [service.wait(job_id) for job_id in hung]
    codes = {error_code(service, job_id) for job_id in hung}
    remaining, zombies = processes_with(mark), zombies_of(worker)
    folders = list(temporary.glob("leafmill-reader-*/source"))

    # The original is a doc file still, so the second split refuses it: that shows that the conversion worked.
    fake_office(office, COPIES)
    next_code = (service.wait(next_id := service.upload(LETTER)), error_code(service, next_id))

    problems = {
        "not all ended with conversion_timeout": states != ["FAILED"] * JOBS or codes != {"conversion_timeout"},
        f"processes are left: {remaining}": bool(remaining),
        f"zombies are left: {zombies}": bool(zombies),
        f"folders are left: {folders}": bool(folders),
        f"the next conversion ended with {next_code}": next_code != ("FAILED", "conversion_failed"),
    }
    violations = [problem for problem, is_true in problems.items() if is_true]
    record(
        FaultResult(
            "F48",
            "hangs, forks, ignores signals",
            service.backends.name,
            COMMAND,
            jobs=JOBS + 1,
            violations=violations,
            figures={"processes_left": len(remaining), "zombies": len(zombies)},
        )
    )
    record(FaultResult("D99", "conversion that hangs", service.backends.name, COMMAND, violations=violations))
    assert violations == []


def test_d98_links_and_macros_of_a_converted_document_reach_nothing(service: RunningService, office: Path) -> None:
    service.settings["CONVERTER"] = str(find_program(AUTO))
    service.start_worker()
    service.start_worker("convert", "convert")
    office.chmod(0o777)
    canary, made, document = office / "canary.odt", office / "made.txt", office / "links.fodt"
    canary.write_text("secret of this machine")
    with socket.create_server(("127.0.0.1", 0)) as sink:
        sink.settimeout(0)
        address = f"http://127.0.0.1:{sink.getsockname()[1]}"
        document.write_text(LINKS.format(canary=canary, made=made, sink=address))
        job_id = service.upload(document)
        state = service.wait(job_id)
        try:
            sink.accept()
            connections = 1
        except BlockingIOError:
            connections = 0

    text = str(service.result(job_id)) if state == "COMPLETED" else ""
    problems = {
        f"the job is {state}": state != "COMPLETED" or "Before the links" not in text,
        "the sink was called": connections > 0,
        "a file of this machine is in the result": canary.read_text() in text,
        "a macro ran": made.exists(),
    }
    violations = [problem for problem, is_true in problems.items() if is_true]
    figures = {"connections": connections}
    record(
        FaultResult(
            "D98", "links and macros", service.backends.name, COMMAND, jobs=1, violations=violations, figures=figures
        )
    )
    assert violations == []
