"""The doctor's checks of this machine and of clocks, and its time limit for each check."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.doctor.checks import machine
from apps.doctor.checks.clocks import clock_finding
from apps.doctor.checks.storage import GIGABYTE, disk_finding
from apps.doctor.examination import PARTS, Part, TimedCheck, is_healthy, summary
from apps.doctor.finding import Finding, State, failed, not_checked, ok, warning
from ocr_worker import language_packs


@pytest.mark.parametrize(
    ("skew", "state"),
    [(0.1, State.OK), (-1.5, State.OK), (3.0, State.WARNING), (-3.0, State.WARNING), (-40.0, State.FAILED)],
)
def test_a_clock_that_differs_is_reported(skew: float, state: State) -> None:
    finding = clock_finding("clock of the database", skew)

    assert finding.state is state
    if state is not State.OK:
        assert ("ahead" if skew > 0 else "behind") in finding.sentence
        assert "timedatectl" in finding.mend


@pytest.mark.parametrize(("gigabytes", "state"), [(20, State.OK), (2, State.WARNING), (0.2, State.FAILED)])
def test_a_full_disk_is_reported(gigabytes: float, state: State) -> None:
    assert disk_finding("disk", Path("/data"), free=int(gigabytes * GIGABYTE)).state is state


@pytest.mark.parametrize(
    ("key", "state"),
    [
        ("django-insecure-0123456789012345678901234567890123456789", State.FAILED),
        ("changeme", State.FAILED),
        ("k3jL9" * 4, State.FAILED),
        ("k" * 50, State.FAILED),
        ("k3jL9" * 10, State.OK),
    ],
)
def test_a_weak_key_is_reported_but_not_shown(settings: Any, key: str, state: State) -> None:
    settings.SECRET_KEY = key

    finding = machine.secret_key()

    assert finding.state is state
    assert key not in finding.sentence + finding.mend
    if state is State.FAILED:
        assert finding.mend.startswith("set SECRET_KEY of all processes")
        assert "enter the providers' keys again" in finding.mend


def test_a_created_key_must_be_shared_if_the_database_is_a_server(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR, settings.DATABASE_URL = tmp_path, "postgres://db/leafmill"
    settings.SECRET_KEY = "k3jL9" * 10
    (tmp_path / "secret_key").write_text(settings.SECRET_KEY)
    (tmp_path / "secret_key").chmod(0o600)

    finding = machine.secret_key()

    assert finding.state is State.WARNING
    assert finding.mend.startswith("keep this key: set SECRET_KEY_FILE")


def test_a_key_that_other_users_can_read_is_reported(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.SECRET_KEY = "k3jL9" * 10
    kept = tmp_path / "secret_key"
    kept.write_text(settings.SECRET_KEY)
    kept.chmod(0o644)
    open_to_others = machine.secret_key()
    kept.chmod(0o600)

    assert (open_to_others.state, open_to_others.mend) == (State.WARNING, f"chmod 600 {kept}")
    assert machine.secret_key().state is State.OK


def test_a_short_password_of_flower_fails(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    assert machine.flower_password().state is State.NOT_CHECKED
    path = tmp_path / "flower_password"
    path.touch(mode=0o600)
    assert machine.flower_password().state is State.FAILED
    path.write_text("a-long-one-4711")
    assert machine.flower_password().state is State.OK


def test_missing_language_packs_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    monkeypatch.setattr(language_packs, "FOLDERS", ())

    finding = machine.tesseract()

    assert finding.state is State.WARNING
    assert "apt-get install tesseract-ocr" in finding.mend


def test_the_gpu_is_found_with_nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    seen = machine.gpu()
    program.write_text("#!/bin/sh\necho 'No devices were found'; exit 6\n")
    unseen = machine.gpu()

    assert seen == ok("GPU", "NVIDIA H200, 143771 MiB.")
    assert unseen.state is State.OK
    assert "finds no GPU" in unseen.sentence


def test_a_check_that_hangs_fails_at_its_time_limit_with_the_repair_of_its_part() -> None:
    [broker] = [part for part in PARTS if part.name == "broker"]

    def hangs() -> Finding:
        time.sleep(60)
        return ok("broker", "")

    [finding] = TimedCheck(replace(broker, check=hangs), 0.05).findings()

    assert finding.state is State.FAILED
    assert "did not answer within 0.05 s" in finding.sentence
    assert "CELERY_BROKER_URL" in finding.mend or finding.mend == "make run"


def test_a_check_that_raises_fails() -> None:
    def raises() -> Finding:
        return ok("broker", json.loads("{"))

    [finding] = TimedCheck(Part("broker", raises), 2.0).findings()

    assert finding.state is State.FAILED
    assert "JSONDecodeError" in finding.sentence


def test_only_a_failure_is_unhealthy() -> None:
    findings = [ok("a", ""), warning("b", "", ""), not_checked("c", "")]

    assert is_healthy(findings)
    assert summary(findings) == "1 ok, 1 warning, 1 not checked."
    assert not is_healthy([*findings, failed("d", "", "")])
