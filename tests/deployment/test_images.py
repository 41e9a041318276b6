"""Containerfiles copy existing files, everything that a process needs, and no large libraries."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running_service import ROOT

IMAGES = sorted((ROOT / "deploy/images").glob("*.Containerfile"))
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", re.MULTILINE)


def instructions(image: Path) -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", image.read_text(encoding="utf-8"), flags=re.MULTILINE))
    lines = [line for line in text.splitlines() if line]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def copied(image: Path) -> list[str]:
    """Return the sources of all COPY lines; the last word of each is the destination."""
    lines = [rest.split() for word, rest in instructions(image) if word == "COPY" and "--from" not in rest]
    return [source for line in lines for source in line[:-1]]


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text(encoding="utf-8")))


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_copied_files_exist_and_are_not_ignored(image: Path) -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"]
    for source in copied(image):
        assert (ROOT / source).exists(), source
        assert any(source == one or source.startswith(f"{one}/") for one in kept), source


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_the_image_installs_from_a_lock_and_runs_as_an_unprivileged_user(image: Path) -> None:
    steps = instructions(image)
    installs = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert """test -z "$(find /opt/venv -name '*.pth')\"""" in installs[0]
    last_stage = steps[max(number for number, (word, _) in enumerate(steps) if word == "FROM") :]
    assert ("USER", "1000:1000") in last_stage
    assert all("pip" not in rest for word, rest in last_stage if word == "RUN")


def test_the_service_image_contains_the_measurements(tmp_path: Path) -> None:
    """``manage.py capacity`` prints the same in the image as in the repository."""
    app = tmp_path / "app"
    for source in copied(ROOT / "deploy/images/service.Containerfile"):
        (app / source).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
        copy(ROOT / source, app / source)

    def planned(folder: Path) -> dict[str, Any]:
        command = [sys.executable, "manage.py", "capacity", "--pages-per-minute", "1000", "--json"]
        environment = {"PATH": os.environ["PATH"], "LEAFMILL_DATA": str(tmp_path / "data")}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    assert planned(app) == planned(ROOT)


@pytest.mark.parametrize("image", [image for image in IMAGES if image.stem.startswith("ocr")], ids=lambda it: it.stem)
def test_ocr_images_contain_every_module_that_ocr_imports(image: Path, tmp_path: Path) -> None:
    """Import all modules of ocr_worker in a copy of the image's folder, without the rest of the repository."""
    ours = [source for source in copied(image) if not source.endswith(".txt")]
    for source in ours:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
        copy(ROOT / source, tmp_path / source)
    modules = {
        "apps.core.broker_connection",  # Celery imports these by their names
        "apps.core.worker_heartbeat",
        *(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "ocr_worker").rglob("*.py")),
    }
    program = f"import importlib\nfor name in {sorted(modules)!r}: importlib.import_module(name)"

    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")


def test_no_image_contains_torch_and_no_ocr_image_django() -> None:
    locks = {name: pins(name) for name in ("requirements.txt", "ocr_worker/requirements.txt")}
    gpu = pins("ocr_worker/requirements-gpu.txt")
    for lock in (*locks.values(), gpu):
        assert {"torch", "torchvision", "paddlepaddle"} & lock.keys() == set()
    for lock in (locks["ocr_worker/requirements.txt"], gpu):
        assert {"django", "psycopg", "litellm"} & lock.keys() == set()
    assert [name for lock in locks.values() for name in lock if name.startswith("nvidia")] == []


def test_both_kinds_of_ocr_worker_have_the_same_versions() -> None:
    cpu, gpu = pins("ocr_worker/requirements.txt"), pins("ocr_worker/requirements-gpu.txt")
    assert {name: (cpu[name], gpu[name]) for name in cpu.keys() & gpu.keys() if cpu[name] != gpu[name]} == {}
    assert gpu["onnxruntime-gpu"] == cpu["onnxruntime"]
    assert "onnxruntime" not in gpu
