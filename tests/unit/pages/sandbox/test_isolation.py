"""What a worker sees of documents that hang, crash, lie and try to get out."""

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

import psutil
import pytest

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import DamagedDocument, Stopped, WrongPassword
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
    """Makes a document whose pages do these things."""

    def make(*pages: str, inspection: str = "fine") -> Path:
        path = tmp_path / "strange.txt"
        path.write_text("\n".join((inspection, *pages)))
        return path

    return make


def said(entry: Page | PageFailure) -> str:
    """A page's text, or the code it failed with."""
    return entry.code if isinstance(entry, PageFailure) else entry.blocks[0].text


def read(reader: Reader, document: Path, limits: Limits = QUICK) -> list[str]:
    count = len(document.read_text().splitlines()) - 1
    entries = reader.read_range(document, range(1, count + 1), media_type="text/strange", limits=limits)
    assert [entry.number for entry in entries] == list(range(1, count + 1))
    return [said(entry) for entry in entries]


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


def test_what_crashes_is_read_again_with_care(reader: Reader, strange: Strange) -> None:
    document = strange("fine one", "fragile two", "signal SIGSEGV", "fragile four")

    assert read(reader, document) == ["one", "two", "page_crashed", "four"]


def test_a_page_that_only_counts_fails_by_processor_time(reader: Reader, strange: Strange) -> None:
    limits = Limits(wall_seconds=20, cpu_seconds=1)

    assert read(reader, strange("spin"), limits) == ["page_timeout"]


def test_a_range_of_pages_that_all_hang_ends(reader: Reader, strange: Strange) -> None:
    started = time.monotonic()

    assert read(reader, strange(*["hang"] * 16)) == ["page_timeout"] * 16
    assert time.monotonic() - started < 16 * QUICK.wall_seconds


def test_pages_before_a_crash_are_not_read_again(reader: Reader, strange: Strange) -> None:
    """The second child begins where the first one died: what the first left lying is gone by then."""
    assert read(reader, strange("list", "signal SIGKILL", "list"))[::2] == [read(reader, strange("list"))[0]] * 2


def test_an_answer_longer_than_allowed_fails_its_page_only(reader: Reader, strange: Strange) -> None:
    limits = Limits(answer_bytes=1 << 20)

    assert read(reader, strange("fine one", "long 3000000", "fine three"), limits) == ["one", "page_crashed", "three"]


def test_no_detail_of_a_bug_reaches_the_page(reader: Reader, strange: Strange) -> None:
    (failure,) = reader.read_range(strange("raise"), [1], media_type="text/strange")

    assert isinstance(failure, PageFailure)
    assert "secret" not in failure.detail
    assert failure.detail


@pytest.mark.parametrize("verb", ["hang", "memory-abort", "signal SIGSEGV", "raw 46ffffffff", "spin"])
def test_a_document_that_cannot_be_inspected_is_damaged(reader: Reader, strange: Strange, verb: str) -> None:
    limits = Limits(wall_seconds=1.5, cpu_seconds=1, memory_bytes=256 << 20)

    with pytest.raises(DamagedDocument):
        reader.inspect(strange("fine", inspection=verb), limits=limits)


def test_the_child_s_document_errors_arrive_as_such(reader: Reader, strange: Strange) -> None:
    document = strange("fine", inspection="password")

    with pytest.raises(WrongPassword):
        reader.inspect(document, password="open")
    assert reader.inspect(document, password="sesame").page_count == 1


def test_a_short_document_is_inspected_and_read_at_once(reader: Reader, strange: Strange) -> None:
    document = strange("fine one", "signal SIGSEGV", "fine three")

    facts, entries = reader.inspect_and_read(document, page_numbers=lambda facts: range(1, facts.page_count + 1))

    assert facts.page_count == 3
    assert entries is not None
    assert [said(entry) for entry in entries] == ["one", "page_crashed", "three"]


def test_a_long_document_is_only_inspected(reader: Reader, strange: Strange) -> None:
    document = strange(*["fine"] * 20)

    facts, entries = reader.inspect_and_read(document, page_numbers=lambda facts: range(1, facts.page_count + 1))

    assert (facts.page_count, entries) == (20, None)


def test_who_wants_it_to_stop_does_not_wait(reader: Reader, strange: Strange) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()

    with pytest.raises(Stopped):
        reader.read_range(strange("hang"), [1], media_type="text/strange", should_stop=stop.is_set)

    assert time.monotonic() - started < 2
    assert reader.pid is not None
    assert psutil.Process(reader.pid).children() == []


def test_a_killed_reader_is_replaced(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("fine one")) == ["one"]
    first = reader.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    assert read(reader, strange("fine two")) == ["two"]
    assert reader.pid != first


def test_a_missing_file_is_said(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        reader.inspect(tmp_path / "nothing.pdf")


def test_a_folder_or_pipe_is_not_read(reader: Reader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OSError, match="not a regular file"):
            reader.inspect(path)


def test_each_thread_has_a_reader_of_its_own() -> None:
    found: list[Reader] = []
    thread = threading.Thread(target=lambda: found.append(shared_reader()))
    thread.start()
    thread.join()

    assert shared_reader() is shared_reader()
    assert found[0] is not shared_reader()


# What a child that was taken over can reach.


def test_the_environment_holds_no_secret(strange: Strange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://canary-8f21")
    with Reader(work="tests.fakes.strange_reading") as reader:
        (environment,) = read(reader, strange("environment"))

    assert "canary-8f21" not in environment
    assert "LANG=C.UTF-8" in environment


@pytest.mark.skipif(not LINUX, reason="Linux confines further than other systems")
def test_nothing_is_reached_over_the_network(reader: Reader, strange: Strange) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        assert read(reader, strange(f"connect 127.0.0.1:{port}"))[0].startswith("refused")


@pytest.mark.skipif(not LINUX, reason="Linux confines further than other systems")
def test_no_process_is_started(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("fork 1000", "exec /bin/true")) == ["refused: PermissionError 1"] * 2


@pytest.mark.skipif(not LINUX, reason="Linux confines further than other systems")
def test_no_other_process_is_killed(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("fine"))
    assert read(reader, strange(f"kill {reader.pid}"))[0].startswith("refused")


@pytest.mark.skipif(not landlock_version(), reason="without Landlock only the user's rights bound files")
def test_nothing_is_written_or_read_outside(reader: Reader, strange: Strange, tmp_path: Path) -> None:
    public = tmp_path / "public.txt"
    public.write_text("canary-5c90")
    public.chmod(0o644)
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(folder.stat().st_mode | 0o005)
    tmp_path.chmod(0o777)
    places = [f"{tmp_path}/out", "/tmp/leafmill-out", "/dev/shm/leafmill-out", f"{ROOT}/out"]

    answers = read(reader, strange(f"read {public}", "read /etc/passwd", *(f"write {place}" for place in places)))

    assert [answer.startswith("refused") for answer in answers] == [True] * len(answers)
    assert not any(Path(place).exists() for place in places)


@pytest.mark.skipif(not AS_ROOT, reason="only root can give up its user")
def test_root_s_files_stay_root_s(reader: Reader, strange: Strange, tmp_path: Path) -> None:
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

    # null, null, null, the answer socket, the document, the listing itself, and the folders of the fence
    assert len(files.split(",")) < 40


def test_no_child_finds_what_another_left(reader: Reader, strange: Strange) -> None:
    assert read(reader, strange("leave behind", "list"))[1] == "['behind', 'document.pdf']"
    assert read(reader, strange("list")) == ["['document.pdf']"]


def test_a_killed_worker_leaves_nothing_behind(strange: Strange, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from apps.pages.sandbox.client import Reader\n"
        "reader = Reader(work='tests.fakes.strange_reading'); reader.read_range(Path(sys.argv[1]), [1])"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    worker = subprocess.Popen([sys.executable, "-c", program, str(strange("hang"))], cwd=ROOT, env=environment)
    family = _wait_for(lambda: _with_grandchild(worker.pid))

    worker.kill()
    worker.wait()

    gone, alive = psutil.wait_procs(family, timeout=5)
    assert (len(gone), alive) == (2, [])
    # The next worker takes away what this one could not.
    subprocess.run([sys.executable, "-c", program, str(strange("fine"))], cwd=ROOT, env=environment, check=True)
    assert list(scratch.iterdir()) == []


def _with_grandchild(pid: int) -> list[psutil.Process] | None:
    family = psutil.Process(pid).children(recursive=True)
    return family if len(family) == 2 else None


def _wait_for(look: Callable[[], list[psutil.Process] | None]) -> list[psutil.Process]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen within 20 s")
