"""DATABASE_URL, CELERY_BROKER_URL and REDIS_URL, which every process reads at start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.parse_project.processes import ROOT, run_python

PROGRAM = "import parse_project.settings"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("DATABASE_URL", "postgres://leafmill:canary#71@db:5432/leafmill"),
        ("DATABASE_URL", "postgres://leafmill:71/canary@db/leafmill"),
        ("CELERY_BROKER_URL", "amqp://leafmill:71?canary@broker:5672//"),
        ("CELERY_BROKER_URL", "redis://:canary/71@broker:6379/0"),
        ("REDIS_URL", "redis://:canary[71@broker:6379/0"),
    ],
)
def test_an_unencoded_password_is_reported_but_not_shown(tmp_path: Path, name: str, address: str) -> None:
    done = run_python(PROGRAM, tmp_path, **{name: address})

    assert done.returncode == 1
    assert done.stderr.startswith(f"{name}=")
    assert "percent-encoded" in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("DATABASE_URL", "postgres://leafmill:canary%2371@db:5432/leafmill?sslmode=require&application_name=a@b"),
        ("CELERY_BROKER_URL", "amqps://leafmill:p@first:5671//;amqps://leafmill:p@second:5671//"),
        ("REDIS_URL", "rediss://:p@broker:6379/0?ssl_cert_reqs=CERT_REQUIRED"),
        ("REDIS_URL", "redis+socket:///home/a@b/valkey.sock"),
    ],
)
def test_valid_addresses_are_accepted(tmp_path: Path, name: str, address: str) -> None:
    done = run_python(PROGRAM, tmp_path, **{name: address})

    assert (done.returncode, done.stderr) == (0, "")


def test_an_ocr_worker_also_refuses_an_unencoded_password(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ocr_worker", "ocr_cpu"],
        cwd=ROOT,
        env=os.environ | {"CELERY_BROKER_URL": "redis://:canary#71@broker:6379/0"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("CELERY_BROKER_URL=")
    assert "percent-encoded" in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
