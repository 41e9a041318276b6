"""MODE_WITHOUT_PROVIDER: a variable that is set and empty refuses such requests, on SQLite too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def started(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a process that prints the setting."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", "from parse_project import settings; print(repr(settings.MODE_WITHOUT_PROVIDER))"],
        cwd=ROOT,
        env=inherited | {"LEAFMILL_DATA": str(folder)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({}, "fast"),
        ({"MODE_WITHOUT_PROVIDER": ""}, ""),
        ({"MODE_WITHOUT_PROVIDER": "fast"}, "fast"),
        ({"DATABASE_URL": "postgres://db/leafmill"}, ""),
        ({"DATABASE_URL": "postgres://db/leafmill", "MODE_WITHOUT_PROVIDER": "fast"}, "fast"),
    ],
)
def test_empty_value_is_not_the_default(tmp_path: Path, environment: dict[str, str], mode: str) -> None:
    assert started(tmp_path, **environment).stdout.strip() == repr(mode)


def test_another_value_is_refused(tmp_path: Path) -> None:
    done = started(tmp_path, MODE_WITHOUT_PROVIDER="quick")

    assert done.returncode == 1
    assert "fast or nothing is expected" in done.stderr
