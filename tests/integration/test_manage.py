"""manage.py on a database that was not migrated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", [("check_providers",), ("create_api_key", "client")])
def test_a_database_without_tables_is_reported_in_a_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment["LEAFMILL_DATA"] = str(tmp_path / "data")

    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *command], env=environment, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert f"There is no service in {tmp_path / 'data'}. If yours runs with LEAFMILL_DATA=..." in done.stderr
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
