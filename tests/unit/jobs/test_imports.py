"""The layout of pages needs numpy: 12 MB, which no worker should have before it lays out an OCR answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
import apps.jobs.tasks
print(sorted({"numpy", "pikepdf", "apps.jobs.tasks"} & set(sys.modules)))
"""


def test_workers_do_not_import_numpy() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['apps.jobs.tasks']"
