"""The service's settings for tests in this process: a temporary data folder, and no variable of this machine.

There is no broker: a test that needs one starts it (tests/services.py).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

for _name in (
    *("DATABASE_URL", "CELERY_BROKER_URL", "REDIS_URL", "STORAGE_URL", "PUBLIC_URL", "MODE_WITHOUT_PROVIDER"),
    *("QUEUE_STATUS_TOKEN", "METRICS_TOKEN"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
):
    os.environ.pop(_name, None)
_folder = tempfile.mkdtemp(prefix="leafmill-tests-")
_owner = os.getpid()


@atexit.register
def _remove() -> None:
    if os.getpid() == _owner:  # not in a forked child
        shutil.rmtree(_folder, ignore_errors=True)


os.environ["LEAFMILL_DATA"] = _folder
(Path(_folder) / "static").mkdir()

from parse_project.settings import *  # noqa: E402, F403 (all settings, after the environment is set)

KEY_REQUESTS_PER_MINUTE = KEY_UPLOADS_AT_ONCE = 0  # they need Redis or Valkey
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast; test passwords need no slow hash
