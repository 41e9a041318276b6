"""Processes that read the settings with an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def run_python(program: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program whose data is in ``folder`` and whose environment is nearly empty."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=inherited | {"LEAFMILL_DATA": str(folder)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
