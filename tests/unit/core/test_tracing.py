"""Sampling of jobs, the variables of OpenTelemetry, and the imports that are avoided without tracing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from apps.core import tracing

ROOT = Path(__file__).resolve().parents[3]
IDS = [f"pjb-{uuid.UUID(int=random.Random(number).getrandbits(128), version=4)}" for number in range(5000)]
EVERYTHING = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
import apps.api.urls, apps.jobs.tasks, apps.jobs.worker, apps.providers.calls.gateway
import parse_project.wsgi, ocr_worker.tasks
from apps.core import tracing
tracing.start()
with tracing.within("pjb-1", "1"), tracing.collect_affected_jobs():
    tracing.add_attributes(cache="hit")
tracing.stop()
heavy = ("opentelemetry", "apps.core.telemetry", "google.protobuf")
print(sorted(name for name in sys.modules if name.startswith(heavy)))
"""


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | variables
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)


def test_opentelemetry_is_imported_only_if_tracing_is_on() -> None:
    done = run(EVERYTHING)

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
def test_the_configured_share_of_jobs_is_sampled(share: float, settings: Any) -> None:
    """Not every bit of a job id is random."""
    settings.TRACES_ENDPOINT, settings.TRACES_SHARE = "http://127.0.0.1:4318/v1/traces", share

    sampled = {job_id for job_id in IDS if tracing.is_sampled(job_id)}
    assert len(sampled) / len(IDS) == pytest.approx(share, abs=0.03)
    settings.TRACES_SHARE = min(1.0, share + 0.1)
    assert sampled <= {job_id for job_id in IDS if tracing.is_sampled(job_id)}


def test_a_share_of_one_samples_all_jobs_and_zero_none(settings: Any) -> None:
    settings.TRACES_ENDPOINT, settings.TRACES_SHARE = "http://127.0.0.1:4318/v1/traces", 1.0
    assert all(map(tracing.is_sampled, IDS))
    settings.TRACES_SHARE = 0.0
    assert not any(map(tracing.is_sampled, IDS))


def test_no_job_is_sampled_without_a_collector() -> None:
    assert not any(map(tracing.is_sampled, IDS))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "http://HOST:PORT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote"}, "always_on, always_off, traceidratio"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "30"}, "at most 1"),
    ],
)
def test_an_unsupported_value_stops_the_start(variables: dict[str, str], message: str) -> None:
    done = run("import parse_project.settings", **variables)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "endpoint_and_share"),
    [
        ({}, " 1.0"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces 1.0"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/otlp"}, "https://c/otlp 1.0"),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, " 0.25"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, " 0.0"),
    ],
)
def test_opentelemetrys_own_variables_are_read(variables: dict[str, str], endpoint_and_share: str) -> None:
    code = "from parse_project import settings as s; print(s.TRACES_ENDPOINT, s.TRACES_SHARE)"
    done = run(code, **variables)

    assert done.stdout.rstrip("\n") == endpoint_and_share
