"""No public name is missing: this tree has every name of the lists in tests/public_names.

New names need no change here. If a name is removed on purpose, remove it from its list and mention it in CHANGELOG.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.public_names import collect


@pytest.fixture(scope="module")
def present() -> dict[str, list[str]]:
    """The names of this tree, collected in a separate process without the variables of this environment."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.public_names.collect"],
        cwd=collect.ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    names: dict[str, list[str]] = json.loads(done.stdout)
    return names


@pytest.mark.parametrize("name", collect.LISTS)
def test_every_public_name_still_exists(name: str, present: dict[str, list[str]]) -> None:
    missing = sorted(set(collect.read_list(name)) - set(present[name]))
    assert not missing, f"{len(missing)} public names are gone (tests/public_names/{name}.txt):\n" + "\n".join(missing)
