"""The locks have hashes and no version with a known fault, and no unknown code runs when Python starts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[3]
# The first versions without a vulnerability that an attacker of this service could use.
MIN_VERSIONS = {
    "celery": "5.2.2",
    "flower": "2.2.0",
    "litellm": "1.83.9",
    "pdfminer-six": "20251230",
    "pillow": "13.0.0",
}
MALICIOUS = {"litellm": ("1.82.7", "1.82.8")}
LOCKS = sorted(lock for pattern in ("*.txt", "ocr_worker/*.txt") for lock in ROOT.glob(pattern))
PIN = re.compile(r"^([a-z0-9][\w.-]*)==([^\s;]+)", re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_locked_version_is_known_to_be_vulnerable_or_malicious(lock: Path) -> None:
    for package, version in PIN.findall(lock.read_text(encoding="utf-8")):
        assert Version(version) >= Version(MIN_VERSIONS.get(package, "0")), package
        assert version not in MALICIOUS.get(package, ()), package


def test_the_minimum_versions_are_of_locked_packages() -> None:
    locked = {package for lock in LOCKS for package, _ in PIN.findall(lock.read_text(encoding="utf-8"))}

    assert MIN_VERSIONS.keys() - locked == set()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_has_hashes(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))

    assert [entry.partition(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_only_known_pth_files_run_at_the_start_of_python() -> None:
    done = check_pth_files(Path(sys.prefix))

    assert (done.returncode, done.stderr) == (0, "")


KNOWN = "import _virtualenv\n"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("litellm_init.pth", "import os; os.system('true')\n", 1),
        ("_virtualenv.pth", "import os; os.system('true')\n", 1),
        ("_virtualenv.pth", KNOWN + "import\tos; os.system('true')", 1),
        ("_virtualenv.pth", KNOWN, 0),
        ("a_path.pth", "../src\n", 0),
    ],
)
def test_pth_files_may_run_only_known_code(tmp_path: Path, name: str, content: str, status: int) -> None:
    file = tmp_path / "lib/python3.11/site-packages" / name
    file.parent.mkdir(parents=True)
    file.write_text(content, encoding="ascii")

    done = check_pth_files(tmp_path)

    assert done.returncode == status
    assert (str(file) in done.stderr) is (status == 1)


def check_pth_files(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "scripts/pth_files.sh", folder], capture_output=True, text=True, timeout=60)
