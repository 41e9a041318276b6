"""``manage.py doctor`` beside ``make run``: well while it runs, and what is missing when it does not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.acceptance.running_service import MANAGE, wait_for
from tests.acceptance.test_make_run import Start, folder, start

__all__ = ["folder", "start"]


def test_nothing_fails_while_make_run_runs_and_the_broker_is_missed_after_it(start: Start, folder: Path) -> None:
    run = start()
    run.until_said("Leafmill is ready")
    wait_for(lambda: doctor(folder) == {}, "the doctor finds nothing wrong", seconds=90, pause=1)

    run.interrupt()

    failures = doctor(folder)
    assert failures["broker"] == "make run"
    assert "database" not in failures


def doctor(folder: Path) -> dict[str, str]:
    """What failed, and what mends it."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [*MANAGE, "doctor", "--json"]
    done = subprocess.run(
        command, env=environment | {"LEAFMILL_DATA": str(folder)}, capture_output=True, text=True, timeout=60
    )
    told = json.loads(done.stdout)
    assert (done.returncode == 0) is told["ok"]
    return {finding["name"]: finding["mend"] for finding in told["findings"] if finding["state"] == "failed"}
