"""A child that its document took over reaches nothing: as root and as an ordinary user, with and without Landlock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apps.pages.model.errors import ReaderNotConfined
from apps.pages.sandbox.client import Reader
from apps.pages.sandbox.confinement import NOBODY, landlock_version
from apps.pages.sandbox.preload import small_pdf

ROOT = Path(__file__).resolve().parents[4]
AS_ROOT = os.geteuid() == 0
USERS = ["root", "nobody"] if AS_ROOT else ["this-user"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these restrictions")


def attack(folder: Path, user: str, *unavailable: str) -> dict[str, Any]:
    """Run ``worker_under_attack`` as a user and return its report."""
    command = [sys.executable, "-m", "tests.fakes.worker_under_attack", str(folder), *unavailable]
    if user == "nobody":
        # The capability lets the worker, not its reader, pass the folders that lead to this Python and this clone.
        capability = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        command = [*as_nobody, *capability, *command]
        os.chown(folder, NOBODY, NOBODY)
        for parent in list(folder.parents)[:3]:
            parent.chmod(parent.stat().st_mode | 0o005)
    environment = {**os.environ, "DATABASE_URL": "postgres://canary-8f21", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("LEAFMILL_CONFINEMENT", None)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("files_by", ["landlock", "asking"])
def test_every_attempt_to_escape_fails(tmp_path: Path, user: str, files_by: str) -> None:
    if files_by == "landlock" and not landlock_version():
        pytest.skip("this kernel has no Landlock; the other way is tested")

    report = attack(tmp_path, user, *(["landlock"] if files_by == "asking" else []))

    results = report.pop("results")
    assert (results.pop("before"), results.pop("after")) == ("before", "after")
    assert [attempt for attempt, result in results.items() if not result.startswith(("refused", "page_crashed"))] == []
    assert report == {
        "escapes": [],
        "is_reached": False,
        "has_same_reader": True,
        "has_same_limits": True,
        "files": ["broker", "document.txt", "public", "secret"],
    }


def test_a_machine_that_cannot_restrict_files_is_found_out(tmp_path: Path) -> None:
    report = attack(tmp_path, USERS[-1], "landlock", "asking")

    assert report["escapes"] == ["files"]
    assert report["results"]["read /etc/passwd"].startswith("root:")
    assert not report["is_reached"]


def test_documents_are_refused_if_confinement_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "document.pdf"
    document.write_bytes(small_pdf())
    monkeypatch.setenv("LEAFMILL_CONFINEMENT", "required")

    with Reader() as confined, Reader(unavailable=["landlock", "asking"]) as exposed:
        assert confined.inspect(document).page_count == 1
        with pytest.raises(ReaderNotConfined, match=r"read files of this machine.*Landlock") as refused:
            exposed.inspect(document)

    assert refused.value.code == "reader_not_confined"


def test_a_reader_that_opens_files_for_its_children_survives_strange_questions(tmp_path: Path) -> None:
    """Paths at invalid addresses, without end, and that are no paths."""
    number = "56" if os.uname().machine == "aarch64" else "257"
    addresses = ("0", "-1", "1", "4096", str(2**62), "@")
    lines = [f"call {number} -100 {address} 0" for address in addresses]
    document = tmp_path / "strange.txt"
    document.write_text("\n".join(("fine", *lines, "fine last")))

    with Reader(work="tests.fakes.strange_reading", unavailable=["landlock"]) as reader:
        reader.start()
        first = reader.pid
        pages = reader.read_range(document, range(1, len(lines) + 2), media_type="text/strange")
        results = [page.blocks[0].text for page in pages if hasattr(page, "blocks")]

        assert [result.split(":")[0] for result in results] == ["refused"] * len(lines) + ["last"]
        assert reader.pid == first
