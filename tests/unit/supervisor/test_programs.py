"""The environment of the members of the group of `make run`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apps.supervisor import programs
from apps.supervisor.programs import Member

PRIVATE = "LEAFMILL_PROVIDER_PRIVATE_KEYS"
SECRETS = ("SECRET_KEY", "LEAFMILL_SEALING_KEYS", "LEAFMILL_SEALING_KEYS_FILE", "DATABASE_URL", PRIVATE)
SHOW = "import os; print(*os.environ)"


def environment_of(member: Member) -> set[str]:
    """Run Python as the member is run, and return the names of its variables."""
    start = member.command[: member.command.index(sys.executable) + 1]
    environment = dict(os.environ) | dict.fromkeys((*SECRETS, "CELERY_BROKER_URL"), "canary")
    done = subprocess.run([*start, "-c", SHOW], env=environment, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("ocr", set()),
        ("flower", {"SECRET_KEY", "DATABASE_URL"}),
        ("web", {*SECRETS} - {PRIVATE}),
        ("worker", {*SECRETS} - {PRIVATE}),
        ("model-worker", {*SECRETS}),
    ],
)
def test_members_get_only_their_own_secrets(name: str, has: set[str], tmp_path: Path, settings: Any) -> None:
    (tmp_path / "run").mkdir()
    made = {
        "ocr": programs.ocr_worker,
        "flower": lambda: programs.flower(tmp_path),
        "web": lambda: programs.web("web", 8000),
        "worker": lambda: programs.worker("housekeeping", "housekeeping"),
        "model-worker": lambda: programs.model_workers(1)[0],
    }

    found = environment_of(made[name]())

    assert found & set(SECRETS) == has
    assert "CELERY_BROKER_URL" in found


def test_a_convert_worker_runs_where_libreoffice_is(tmp_path: Path, settings: Any) -> None:
    (tmp_path / "run").mkdir()
    program = tmp_path / "soffice"
    program.touch(mode=0o755)

    settings.CONVERTER = str(program)
    group, environment = programs.members(tmp_path)
    assert "convert-worker" in [member.name for member in group]
    assert environment["CONVERTER"] == str(program)

    settings.CONVERTER = "off"
    group, environment = programs.members(tmp_path)
    assert "convert-worker" not in [member.name for member in group]
