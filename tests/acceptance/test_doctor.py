"""``manage.py doctor`` finds nothing wrong while ``make run`` runs, and reports the missing broker after it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.acceptance.running_service import MANAGE, slowness, wait_for
from tests.acceptance.test_make_run import Start, folder, start

__all__ = ["folder", "start"]


def test_no_check_fails_during_make_run_and_the_broker_check_fails_after_it(start: Start, folder: Path) -> None:
    run = start()
    run.wait_for_output("Leafmill is ready")
    wait_for(lambda: doctor(folder) == {}, "the doctor finds nothing wrong", seconds=90, pause=1)

    run.interrupt()

    failures = doctor(folder)
    assert failures["broker"] == "make run"
    assert "database" not in failures


def doctor(folder: Path) -> dict[str, str]:
    """Return the failed checks and how to fix each."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [*MANAGE, "doctor", "--json"]
    limit = 60 * slowness()
    done = subprocess.run(
        command, env=environment | {"LEAFMILL_DATA": str(folder)}, capture_output=True, text=True, timeout=limit
    )
    report = json.loads(done.stdout)
    assert (done.returncode == 0) is report["ok"]
    return {finding["name"]: finding["mend"] for finding in report["findings"] if finding["state"] == "failed"}
