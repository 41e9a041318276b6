"""Importing litellm takes seconds and 100 MB, so processes that call no provider must not do it."""

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
import apps.api.urls
print(sorted({"litellm", "openai", "apps.api.urls"} & set(sys.modules)))
"""


def test_web_process_does_not_import_litellm() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['apps.api.urls']"
