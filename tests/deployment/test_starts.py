"""Each workload starts with its manifest's command and settings, and its probes pass.

Python, ports, the heartbeat's path, the database and the broker are those of the test machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.running_service import ROOT, wait_for
from tests.deployment.conftest import Manifest, of_kind, pod_specs, render
from tests.services import free_port

WORKERS = ("parse", "ocr-cpu", "llm", "housekeeping")
LOGIN = "admin:secret"


class Pod:
    """A workload's first container, run on this machine."""

    def __init__(self, manifests: list[Manifest], name: str, *, folder: Path, broker_url: str) -> None:
        self.container: dict[str, Any] = pod_specs(manifests)[name]["containers"][0]
        self.folder = folder
        self.port, self.probe_port = free_port(), free_port()
        self.heartbeat = folder / f"heartbeat-{name}"
        (shared,) = of_kind(manifests, "ConfigMap").values()
        own = {variable["name"]: variable["value"] for variable in self.container.get("env", [])}
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        here = {
            "LEAFMILL_DATA": str(folder / "data"),
            "CELERY_BROKER_URL": broker_url,
            "REDIS_URL": broker_url,
            "FLOWER_BASIC_AUTH": LOGIN,
            "WORKER_HEARTBEAT_FILE": str(self.heartbeat),
            "PROBE_PORT": str(self.probe_port),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
        }
        self.environment = inherited | shared["data"] | own | here

    def command(self) -> list[str]:
        ports = {str(port["containerPort"]) for port in self.container.get("ports", [])}
        words = [str(self.port) if word in ports else word for word in self.container["command"]]
        words = [f"--port={self.port}" if word.removeprefix("--port=") in ports else word for word in words]
        words = [word.replace("python manage.py", f"{sys.executable} manage.py") for word in words]
        return [sys.executable if word == "python" else word for word in words]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(self.command(), cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()
                process.wait()

    def passes(self, probe: str) -> bool:
        handler = self.container[probe]
        if "exec" in handler:
            words = [word.replace("/tmp/heartbeat", str(self.heartbeat)) for word in handler["exec"]["command"]]
            return subprocess.run(words, capture_output=True, timeout=10).returncode == 0
        headers = {header["name"]: header["value"] for header in handler["httpGet"].get("httpHeaders", [])}
        port = self.probe_port if handler["httpGet"]["port"] == "probes" else self.port
        return self.get(handler["httpGet"]["path"], port=port, headers=headers) == 200

    def get(self, path: str, *, port: int = 0, **more: Any) -> int:
        try:
            return httpx.get(f"http://127.0.0.1:{port or self.port}{path}", **more).status_code
        except httpx.HTTPError:
            return 0

    def passes_all(self) -> bool:
        return all(self.passes(probe) for probe in ("startupProbe", "livenessProbe", "readinessProbe"))


def run_until_exit(manifests: list[Manifest], name: str, *, folder: Path, broker_url: str) -> int:
    pod = Pod(manifests, name, folder=folder, broker_url=broker_url)
    return subprocess.run(pod.command(), cwd=ROOT, env=pod.environment, capture_output=True, timeout=120).returncode


@pytest.fixture(scope="module")
def migrated_data(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Path:
    """The data folder after the migration job; each test copies it."""
    folder = tmp_path_factory.mktemp("migrated")
    assert run_until_exit(render("production"), "migrate", folder=folder, broker_url=redis_url) == 0
    return folder / "data"


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_starts_and_its_probes_pass(
    name: str, production: list[Manifest], migrated_data: Path, tmp_path: Path, redis_url: str
) -> None:
    shutil.copytree(migrated_data, tmp_path / "data")
    pod = Pod(production, name, folder=tmp_path, broker_url=redis_url)
    assert not pod.passes("startupProbe")
    with pod.running():
        wait_for(pod.passes_all, "the probes pass", seconds=60, pause=0.2)
    os.utime(pod.heartbeat, (0, 0))
    assert not pod.passes("livenessProbe")


def test_the_api_answers_only_probes_under_another_host_name(
    production: list[Manifest], migrated_data: Path, tmp_path: Path, redis_url: str
) -> None:
    shutil.copytree(migrated_data, tmp_path / "data")
    pod = Pod(production, "api", folder=tmp_path, broker_url=redis_url)
    with pod.running():
        wait_for(pod.passes_all, "the probes pass", seconds=60, pause=0.2)
        assert pod.get("/livez", headers={"Host": "other.example"}) == 200
        assert pod.get("/api/health", headers={"Host": "other.example"}) == 400


def test_flower_requires_its_password(production: list[Manifest], tmp_path: Path, redis_url: str) -> None:
    pod = Pod(production, "flower", folder=tmp_path, broker_url=redis_url)
    with pod.running():
        wait_for(pod.passes_all, "the probes pass", seconds=60, pause=0.2)
        for path in ("/workers", "/metrics"):
            assert pod.get(path) == 401
            assert pod.get(path, auth=tuple(LOGIN.split(":"))) == 200


def test_a_pod_waits_for_the_migrations_of_its_release(
    production: list[Manifest], tmp_path: Path, redis_url: str
) -> None:
    (waiting,) = pod_specs(production)["parse"]["initContainers"]
    shell, option, words = waiting["command"]
    environment = Pod(production, "parse", folder=tmp_path, broker_url=redis_url).environment
    once = words.removeprefix("until ").partition(";")[0].replace("python", sys.executable)

    def is_over() -> bool:
        done = subprocess.run([shell, option, once], cwd=ROOT, env=environment, capture_output=True, timeout=60)
        return done.returncode == 0

    assert not is_over()
    assert run_until_exit(production, "migrate", folder=tmp_path, broker_url=redis_url) == 0
    assert is_over()
