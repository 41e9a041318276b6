"""The script of the supply chain finds vulnerable packages and moving base images, and writes bills of materials."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.running_service import ROOT
from tests.fakes.receiver import Answer, Received, Receiver

DIGEST = "docker.io/library/python:3.11-slim-bookworm@sha256:" + 64 * "a"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the script reads, with one small lock and base images by digest."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    lock = "pillow==13.0.0 --hash=sha256:" + 64 * "0" + "\n"
    for name in (
        "requirements.txt",
        "requirements-dev.txt",
        "ocr_worker/requirements.txt",
        "ocr_worker/requirements-gpu.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(lock, encoding="ascii")
    (tmp_path / "apps").mkdir()
    shutil.copy(ROOT / "apps/__init__.py", tmp_path / "apps")
    (tmp_path / "deploy/images").mkdir(parents=True)
    (tmp_path / "deploy/images/service.Containerfile").write_text(f"ARG BASE={DIGEST}\n", encoding="ascii")
    return tmp_path


def run(folder: Path, *arguments: str, service: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    """Run the script with the advisory service at this address; at the usual one nobody listens."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AUDIT_ARGS": f"-s osv --osv-url {service}"}
    command = [str(folder / "scripts/supply_chain.sh"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def advisories(*vulnerable: str) -> Callable[[Received], Answer]:
    """Answer as OSV does: one vulnerability for each of these packages."""

    def answer(received: Received) -> Answer:
        package = json.loads(received.body)["package"]
        found = {"vulns": [{"id": "PYSEC-2026-4711", "summary": "Bad.", "affected": [{"package": package}]}]}
        return Answer(body=json.dumps(found if package["name"] in vulnerable else {}).encode())

    return answer


def test_a_locked_package_with_a_known_vulnerability_fails_the_check(tree: Path) -> None:
    with Receiver(advisories("django", "pillow")) as service:
        done = run(tree, service=service.url)

    assert done.returncode == 1
    assert "PYSEC-2026-4711" in done.stdout
    assert "pillow" in done.stdout


def test_without_an_advisory_service_only_a_release_fails(tree: Path) -> None:
    with Receiver(advisories()) as knows_nothing:
        check = run(tree, service=knows_nothing.url)
    release = run(tree, "release")

    assert (check.returncode, release.returncode) == (0, 3)
    for done in (check, release):
        assert "Known vulnerabilities were NOT checked" in done.stdout
    assert not (tree / "out").exists()


def test_a_release_with_checked_packages_gets_its_bills_of_materials(tree: Path) -> None:
    with Receiver(advisories("django")) as service:
        done = run(tree, "release", service=service.url)

    assert done.returncode == 0, done.stderr
    assert "NOT checked" not in done.stdout
    assert b"pillow" in service.received[-1].body
    assert (tree / "out/sbom/service.cdx.json").exists()


def test_a_release_refuses_a_base_image_without_a_digest(tree: Path) -> None:
    (tree / "deploy/images/ocr.Containerfile").write_text("ARG BASE=docker.io/library/python:3.11\n", encoding="ascii")

    done = run(tree, "release")

    assert done.returncode == 1
    assert "ocr.Containerfile" in done.stderr
    assert "service.Containerfile" not in done.stderr


def test_the_bill_of_materials_lists_what_an_image_installs(tree: Path) -> None:
    for name in ("requirements.txt", "ocr_worker/requirements.txt", "ocr_worker/requirements-gpu.txt"):
        shutil.copy(ROOT / name, tree / name)

    assert run(tree, "sbom").returncode == 0

    bills = {
        name: json.loads((tree / f"out/sbom/{name}.cdx.json").read_text(encoding="utf-8"))
        for name in ("service", "ocr", "ocr-gpu")
    }
    listed = {name: {part["name"]: part for part in bill["components"]} for name, bill in bills.items()}
    assert bills["service"]["metadata"]["component"]["name"] == "leafmill-service"
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert f"\ndjango=={listed['service']['django']['version']} " in lock
    assert "django" not in listed["ocr"]
    assert "nvidia-cublas" in listed["ocr-gpu"]
    assert "colorama" not in listed["service"]  # of Windows
    assert len(listed["service"]) == len(bills["service"]["components"])  # one version of numpy
    hashes = listed["service"]["django"]["externalReferences"][0]["hashes"]
    assert f"--hash=sha256:{hashes[0]['content']}" in lock
