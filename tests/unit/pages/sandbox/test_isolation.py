"""The results that a worker gets for documents that hang, crash, falsify their pages and try to escape."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import DocumentError, Stopped, UnplannedError, WrongPassword
from apps.pages.sandbox.client import Limits, Reader, shared_reader
from apps.pages.sandbox.confinement import landlock_version

ROOT = Path(__file__).resolve().parents[4]
QUICK = Limits(wall_seconds=0.6, cpu_seconds=20, memory_bytes=256 << 20)
PATIENT = Limits(wall_seconds=20, cpu_seconds=20, memory_bytes=256 << 20)  # a busy machine fills memory slowly
AS_ROOT = os.geteuid() == 0
LINUX = sys.platform == "linux"

Strange = Callable[..., Path]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader(work="tests.fakes.strange_reading") as reader:
        yield reader


@pytest.fixture
def strange(tmp_path: Path) -> Strange:
    """Return a function that makes a document whose pages do these things."""

    def make(*pages: str, inspection: str = "fine") -> Path:
        path = tmp_path / "strange.txt"
        path.write_text("\n".join((inspection, *pages)))
        return path

    return make


def result_of(entry: Page | PageFailure) -> str:
    """Return a page's text, or the code of its failure."""
    return entry.code if isinstance(entry, PageFailure) else entry.blocks[0].text


def read(reader: Reader, document: Path, limits: Limits = QUICK, media_type: str = "image/strange") -> list[str]:
    count = len(document.read_text().splitlines()) - 1
    entries = reader.read_range(document, range(1, count + 1), media_type=media_type, limits=limits)
    assert [entry.number for entry in entries] == list(range(1, count + 1))
    return [result_of(entry) for entry in entries]


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        ("hang", "page_timeout"),
        ("memory", "page_memory_exceeded"),
        ("memory-abort", "page_memory_exceeded"),
        ("signal SIGSEGV", "page_crashed"),
        ("signal SIGABRT", "page_crashed"),
        ("raw 500000000568656c6c6f", "page_crashed"),  # a page that is not JSON
        ("raw 50ffffffff", "page_crashed"),  # a page of four gigabytes
        ("raw 00000000000000", "page_crashed"),
        ("lie", "page_crashed"),
        ("raise", "internal_error"),
    ],
)
def test_a_bad_page_fails_alone(reader: Reader, strange: Strange, verb: str, code: str) -> None:
    document = strange("fine one", "fine two", verb, "fine four", "fine five")

    found = read(reader, document, QUICK if verb == "hang" else PATIENT)

    assert found == ["one", "two", code, "four", "five"]


def test_crashing_pages_are_read_again_carefully(reader: Reader, strange: Strange) -> None:
    document = strange("fine one", "fragile two", "signal SIGSEGV", "fragile four")

    assert read(reader, document) == ["one", "two", "page_crashed", "four"]


def test_a_page_that_times_out_is_read_again_carefully(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("slow one", "fine two", "slow three")) == ["one", "two", "three"]


def test_a_page_that_uses_too_much_processor_time_times_out(reader: Reader, strange: Strange) -> None:
    limits = Limits(wall_seconds=20, cpu_seconds=1)

    assert read(reader, strange("spin"), limits) == ["page_timeout"]


def test_a_slow_page_has_all_its_time_in_a_second_attempt(reader: Reader, strange: Strange) -> None:
    limits = Limits(wall_seconds=60, cpu_seconds=20)

    assert read(reader, strange("fine one", "work 2.5", "fine three"), limits) == ["one", "worked for 2.5 s", "three"]


def test_a_page_of_an_office_file_has_all_its_time_at_once(reader: Reader, strange: Strange) -> None:
    seconds = {
        kind: int(*read(reader, strange("allowed"), PATIENT, kind)) for kind in ("image/strange", "text/strange")
    }

    assert seconds["image/strange"] <= 3
    assert seconds["text/strange"] >= PATIENT.cpu_seconds


def test_a_range_whose_pages_all_hang_ends(reader: Reader, strange: Strange) -> None:
    started = time.monotonic()

    assert read(reader, strange(*["hang"] * 16)) == ["page_timeout"] * 16
    assert time.monotonic() - started < 16 * QUICK.wall_seconds


def test_pages_before_a_crash_are_not_read_again(reader: Reader, strange: Strange) -> None:
    before, crash, after, last = read(reader, strange("child", "signal SIGKILL", "child", "child"))

    assert crash == "page_memory_exceeded"
    assert after == last != before


def test_a_result_longer_than_allowed_fails_only_its_page(reader: Reader, strange: Strange) -> None:
    limits = Limits(answer_bytes=1 << 20)

    assert read(reader, strange("fine one", "long 3000000", "fine three"), limits) == ["one", "page_crashed", "three"]


def test_details_of_a_bug_do_not_reach_the_page(reader: Reader, strange: Strange) -> None:
    (failure,) = reader.read_range(strange("raise"), [1], media_type="text/strange")

    assert isinstance(failure, PageFailure)
    assert "secret" not in failure.detail
    assert failure.detail


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        ("hang", "document_timeout"),
        ("spin", "document_timeout"),
        ("memory-abort", "document_memory_exceeded"),
        ("signal SIGSEGV", "document_corrupt"),
        ("raw 46ffffffff", "document_corrupt"),
    ],
)
def test_a_document_that_cannot_be_inspected_has_the_reason(
    reader: Reader, strange: Strange, verb: str, code: str
) -> None:
    limits = Limits(wall_seconds=PATIENT.wall_seconds if "memory" in verb else 1.5, cpu_seconds=1)
    limits = msgspec.structs.replace(limits, memory_bytes=256 << 20)

    with pytest.raises(DocumentError) as raised:
        reader.inspect(strange("fine", inspection=verb), limits=limits)
    assert raised.value.code == code


def test_a_document_error_of_the_child_is_raised_in_the_worker(reader: Reader, strange: Strange) -> None:
    document = strange("fine", inspection="password")

    with pytest.raises(WrongPassword):
        reader.inspect(document, password="open")
    assert reader.inspect(document, password="sesame").page_count == 1


def test_a_short_document_is_inspected_and_read_in_one_child(reader: Reader, strange: Strange) -> None:
    document = strange("fine one", "signal SIGSEGV", "fine three")

    facts, entries = reader.inspect_and_read(document, page_numbers=lambda facts: range(1, facts.page_count + 1))

    assert facts.page_count == 3
    assert entries is not None
    assert [result_of(entry) for entry in entries] == ["one", "page_crashed", "three"]


def test_a_long_document_is_only_inspected(reader: Reader, strange: Strange) -> None:
    document = strange(*["fine"] * 20)

    facts, entries = reader.inspect_and_read(document, page_numbers=lambda facts: range(1, facts.page_count + 1))

    assert (facts.page_count, entries) == (20, None)


def test_reading_stops_soon_after_should_stop(reader: Reader, strange: Strange) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()

    with pytest.raises(Stopped):
        reader.read_range(strange("hang"), [1], media_type="text/strange", should_stop=stop.is_set)

    assert time.monotonic() - started < 2
    assert reader.pid is not None
    assert psutil.Process(reader.pid).children() == []


def test_a_child_that_was_forgotten_is_no_fault_of_the_next_document(reader: Reader, strange: Strange) -> None:
    """An exception out of a signal handler may come between the fork of a child and its first request."""
    with strange("fine").open("rb") as document:
        reader._fork(document.fileno(), PATIENT, pages=1)

    assert reader.inspect(strange("fine one")).page_count == 1
    assert read(reader, strange("fine one")) == ["one"]


@pytest.mark.parametrize(("inspection", "page"), [("work 0.6", "fine one"), ("fine", "work 0.6")])
def test_a_document_whose_child_was_killed_from_outside_is_read(
    reader: Reader, strange: Strange, inspection: str, page: str
) -> None:
    """The system may kill any child when other processes take the memory."""
    assert reader.inspect(strange("fine")).page_count == 1
    assert reader.pid is not None
    process, killed = psutil.Process(reader.pid), list[int]()

    def kill_a_child() -> None:
        while not killed:
            for child in process.children():
                if child.cpu_times().user > 0.1:
                    child.kill()
                    killed.append(child.pid)

    killer = threading.Thread(target=kill_a_child)
    killer.start()
    facts, entries = reader.inspect_and_read(strange(page, inspection=inspection), page_numbers=lambda _: [1])
    killer.join()

    assert killed
    assert facts.page_count == 1
    assert entries is not None
    assert result_of(entries[0]) in ("one", "worked for 0.6 s")


def test_a_killed_reader_is_replaced(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("fine one")) == ["one"]
    first = reader.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    assert read(reader, strange("fine two")) == ["two"]
    assert reader.pid != first


def test_a_missing_file_raises_file_not_found(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        reader.inspect(tmp_path / "nothing.pdf")


def test_folders_and_pipes_are_refused(reader: Reader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OSError, match="not a regular file"):
            reader.inspect(path)


def test_each_thread_has_its_own_reader() -> None:
    found: list[Reader] = []
    thread = threading.Thread(target=lambda: found.append(shared_reader()))
    thread.start()
    thread.join()

    assert shared_reader() is shared_reader()
    assert found[0] is not shared_reader()


# The reach of a child that its document took over.


def test_the_environment_contains_no_secret(strange: Strange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://canary-8f21")
    with Reader(work="tests.fakes.strange_reading") as reader:
        (environment,) = read(reader, strange("environment"))

    assert "canary-8f21" not in environment
    assert "LANG=C.UTF-8" in environment


@pytest.mark.skipif(not LINUX, reason="only Linux has these restrictions")
def test_a_child_has_no_network(reader: Reader, strange: Strange) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        assert read(reader, strange(f"connect 127.0.0.1:{port}"))[0].startswith("refused")


@pytest.mark.skipif(not LINUX, reason="only Linux has these restrictions")
def test_a_child_cannot_start_processes(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("fork 1000", "exec /bin/true")) == ["refused: PermissionError 1"] * 2


@pytest.mark.skipif(not LINUX, reason="only Linux has these restrictions")
def test_a_child_cannot_kill_other_processes(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("fine"))
    assert read(reader, strange(f"kill {reader.pid}"))[0].startswith("refused")


@pytest.mark.skipif(not landlock_version(), reason="without Landlock only the user's rights limit access to files")
def test_a_child_cannot_read_or_write_other_files(reader: Reader, strange: Strange, tmp_path: Path) -> None:
    public = tmp_path / "public.txt"
    public.write_text("canary-5c90")
    public.chmod(0o644)
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(folder.stat().st_mode | 0o005)
    tmp_path.chmod(0o777)
    places = [f"{tmp_path}/out", "/tmp/leafmill-out", "/dev/shm/leafmill-out", f"{ROOT}/leafmill-out"]

    results = read(reader, strange(f"read {public}", "read /etc/passwd", *(f"write {place}" for place in places)))

    assert [result.startswith("refused") for result in results] == [True] * len(results)
    assert not any(Path(place).exists() for place in places)


@pytest.mark.skipif(not AS_ROOT, reason="only root can change its user")
def test_a_child_of_root_cannot_read_files_of_root(reader: Reader, strange: Strange, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary-77aa")
    secret.chmod(0o600)
    document = strange("user", f"read {secret}")
    document.chmod(0o600)

    user, secret_read = read(reader, document)

    assert user == "65534"
    assert secret_read.startswith("refused")


def test_a_child_has_only_its_own_files(reader: Reader, strange: Strange) -> None:
    with socket.socketpair()[0], (Path(__file__)).open():
        (files,) = read(reader, strange("files"))

    # null, null, null, the reply socket, the document, and the folders of the Landlock rules
    assert 5 <= len(files.split(",")) < 40


def test_a_child_leaves_no_files(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("leave behind")) == ["refused: PermissionError 13"]


def test_a_killed_worker_leaves_no_processes_and_files(strange: Strange, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from apps.pages.sandbox.client import Reader\n"
        "reader = Reader(work='tests.fakes.strange_reading'); reader.read_range(Path(sys.argv[1]), [1])"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    worker = subprocess.Popen([sys.executable, "-c", program, str(strange("hang"))], cwd=ROOT, env=environment)
    family = _family_of(worker.pid)

    worker.kill()
    worker.wait()

    gone, alive = psutil.wait_procs(family, timeout=5)
    assert (len(gone), alive) == (2, [])
    # The next worker removes the folder that this one left.
    subprocess.run([sys.executable, "-c", program, str(strange("fine"))], cwd=ROOT, env=environment, check=True)
    assert list(scratch.iterdir()) == []


def _family_of(pid: int) -> list[psutil.Process]:
    """Wait for the child and the grandchild of a process and return them."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        family = psutil.Process(pid).children(recursive=True)
        if len(family) == 2:
            return family
        time.sleep(0.02)
    raise AssertionError("not found within 20 s")


def test_a_reader_that_could_not_start_is_started_again(strange: Strange, monkeypatch: pytest.MonkeyPatch) -> None:
    with Reader(work="tests.fakes.nothing_of_this_name") as reader:
        for _ in range(2):
            with pytest.raises(UnplannedError, match="could not be started"):
                reader.inspect(strange("fine"))
        monkeypatch.setattr(reader, "_work", "tests.fakes.strange_reading")

        assert reader.inspect(strange("fine")).page_count == 1
