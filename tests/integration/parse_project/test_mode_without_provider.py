"""MODE_WITHOUT_PROVIDER: a variable that is set and empty refuses such requests, on SQLite too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.parse_project.processes import run_python

PROGRAM = "from parse_project import settings; print(repr(settings.MODE_WITHOUT_PROVIDER))"


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
    assert run_python(PROGRAM, tmp_path, **environment).stdout.strip() == repr(mode)


def test_another_value_is_refused(tmp_path: Path) -> None:
    done = run_python(PROGRAM, tmp_path, MODE_WITHOUT_PROVIDER="quick")

    assert done.returncode == 1
    assert "fast or nothing is expected" in done.stderr
