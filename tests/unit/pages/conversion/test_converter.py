"""A conversion ends with a result or an error that has a code, and leaves no process, file or zombie behind."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.pages.conversion.converter import ConverterLimits, converted, find_program, missing_here
from apps.pages.model.conversions import CONVERSIONS
from apps.pages.model.errors import ConversionFailed, ConversionTimeout, ConverterCrashed, ParseError, Stopped
from apps.pages.sandbox.confinement import landlock_version
from tests.unit.pages.conversion.fake_office import COPIES, fake_office, open_folder, processes_with

DOC = CONVERSIONS["application/msword"]
LIMITS = ConverterLimits(wall_seconds=60)
ROOT = Path(__file__).resolve().parents[4]
GONE_SECONDS = 60.0
WORKER = """
import sys
from pathlib import Path
from apps.pages.conversion.converter import ConverterLimits, converted
from apps.pages.model.conversions import CONVERSIONS
document, program = map(Path, sys.argv[1:])
with converted(document, CONVERSIONS["application/msword"], program=program, limits=ConverterLimits()):
    pass
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


@pytest.fixture
def document(folder: Path) -> Path:
    path = folder / "letter.doc"
    path.write_bytes(b"a letter")
    return path


def read(document: Path, program: Path, limits: ConverterLimits = LIMITS) -> bytes:
    with converted(document, DOC, program=program, limits=limits) as path:
        return path.read_bytes()


def test_the_result_is_read_and_its_folder_removed(document: Path, folder: Path) -> None:
    program = fake_office(folder, COPIES)

    with converted(document, DOC, program=program, limits=LIMITS) as path:
        assert path.name == "document.docx"
        assert path.read_bytes() == b"a letter"

    assert not path.exists()
    assert not path.parents[1].exists()


def test_each_conversion_has_a_fresh_profile_with_macros_switched_off(document: Path, folder: Path) -> None:
    program = fake_office(
        folder, 'cat "$profile/user/"* >"$out/document.$suffix"; echo "left behind" >"$profile/user/settings"'
    )

    first, second = read(document, program), read(document, program)

    assert first == second
    assert b'"DisableMacrosExecution" oor:op="fuse"><value>true' in first


def test_a_program_that_hangs_is_killed_with_all_that_it_started(document: Path, folder: Path) -> None:
    mark = f"7{secrets.randbelow(10**9):09}"
    program = fake_office(
        folder,
        f"""
        trap "" TERM INT HUP
        sleep {mark} &
        setsid bash -c 'trap "" TERM; sleep {mark}' &
        (setsid setsid sleep {mark} &) &
        while true; do sleep {mark}; done
        """,
    )
    with pytest.raises(ConversionTimeout):
        read(document, program, ConverterLimits(wall_seconds=2))

    assert processes_with(mark) == []
    assert read(document, fake_office(folder, COPIES)) == b"a letter"


def test_the_memory_of_all_processes_is_limited_together(document: Path, folder: Path) -> None:
    fills = "python3 -c 'import time; x = bytearray(60 << 20); time.sleep(600)'"
    program = fake_office(folder, f"{fills} & {fills} & {fills} & wait")

    with pytest.raises(ConversionFailed, match="more memory"):
        read(document, program, ConverterLimits(wall_seconds=60, memory_bytes=128 << 20))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("exit 0", ConversionFailed),
        ("exit 1", ConversionFailed),
        ("kill -SEGV $$", ConverterCrashed),
        ('ln -s /etc/passwd "$out/document.$suffix"', ConversionFailed),
        ('mkdir "$out/document.$suffix"', ConversionFailed),
        ('touch "$out/document.$suffix"', ConversionFailed),
        ('echo text >"$out/other.name"', ConversionFailed),
    ],
)
def test_a_program_without_a_usable_result_is_an_error(
    document: Path, folder: Path, body: str, error: type[ParseError]
) -> None:
    with pytest.raises(error) as raised:
        read(document, fake_office(folder, body))

    assert raised.value.code == "conversion_failed"


def test_a_program_that_asks_to_be_started_again_is(document: Path, folder: Path) -> None:
    program = fake_office(folder, f'[ -e "$profile/begun" ] || {{ touch "$profile/begun"; exit 81; }}\n{COPIES}')

    assert read(document, program) == b"a letter"


def test_a_conversion_stops_when_its_result_is_not_wanted(document: Path, folder: Path) -> None:
    mark = f"7{secrets.randbelow(10**9):09}"
    program = fake_office(folder, f"trap '' TERM; setsid sleep {mark}")

    def should_stop() -> bool:
        return bool(processes_with(f"sleep {mark}"))

    with (
        pytest.raises(Stopped),
        converted(document, DOC, program=program, limits=LIMITS, should_stop=should_stop),
    ):
        pass

    assert processes_with(f"sleep {mark}") == []


def test_nothing_survives_a_worker_that_is_killed(document: Path, folder: Path) -> None:
    mark = f"7{secrets.randbelow(10**9):09}"
    program = fake_office(folder, f"trap '' TERM; setsid sleep {mark}")
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WORKER,
            str(document),
            str(program),
        ],
        cwd=ROOT,
    )
    wait_for(lambda: bool(processes_with(f"sleep {mark}")))

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    wait_for(lambda: not processes_with(mark))


def wait_for(is_true: object) -> None:
    until = time.monotonic() + GONE_SECONDS
    assert callable(is_true)
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")
def test_a_program_that_a_document_took_over_reaches_nothing(document: Path, folder: Path) -> None:
    canary, made = folder / "canary.txt", folder / "made.txt"
    canary.write_text("secret")
    canary.chmod(0o644)
    folder.chmod(0o777)
    with socket.create_server(("127.0.0.1", 0)) as sink:
        port = sink.getsockname()[1]
        program = fake_office(
            folder,
            f"""
            {{
                cat {canary} 2>/dev/null
                touch {made} 2>/dev/null && echo made
                (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo connected
                (exec 3<>/dev/udp/127.0.0.1/{port}) 2>/dev/null && echo sent
                kill -STOP $PPID 2>/dev/null && echo signalled
                cat /proc/$PPID/environ 2>/dev/null
                unshare --user true 2>/dev/null && echo unshared
                echo end
            }} >"$out/document.$suffix"
            """,
        )

        assert read(document, program) == b"end\n"

        sink.settimeout(0)
        with pytest.raises(BlockingIOError):
            sink.accept()
    assert not made.exists()


def test_a_missing_program_is_named_with_its_packages(tmp_path: Path) -> None:
    assert find_program(str(tmp_path / "soffice")) is None
    assert find_program("off") is None
    assert "apt-get install libreoffice-writer-nogui" in missing_here().detail
