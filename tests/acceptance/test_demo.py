"""``make demo`` as a user without a provider sees it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.supervisor.processes import end, processes_of
from tests.acceptance.running_service import wait_for
from tests.services import free_port, listens

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "examples" / "report.pdf"
HEADINGS = {"# The river in its second year", "## What was found", "## What comes next"}
API_KEY = re.compile(r"API key: (\S+)")


@dataclass
class Demo:
    popen: subprocess.Popen[bytes]
    log: Path
    folder: Path
    url: str
    models_port: int

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def client(self) -> httpx.Client:
        key = API_KEY.search(self.output)
        assert key is not None, self.output
        headers = {"Authorization": f"Bearer {key[1]}"}
        return httpx.Client(base_url=f"{self.url}/api/v2/parse", headers=headers, timeout=30, verify=False)

    def parse(self, tier: str, **options: Any) -> dict[str, Any]:
        """Parse the example in this tier and return the result with Markdown and metadata."""
        with self.client() as client, REPORT.open("rb") as document:
            configuration = httpx.Response(200, json={"tier": tier, **options}).text
            sent = client.post("/upload", data={"configuration": configuration}, files={"file": document})
            job = f"/{sent.raise_for_status().json()['id']}"
            wait_for(lambda: client.get(job).json()["job"]["finished_at"] is not None, f"{tier} ends", seconds=90)
            found: dict[str, Any] = client.get(job, params={"expand": "markdown_full,metadata"}).json()
            return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that runs until the last test ends it."""
    folder = tmp_path_factory.mktemp("demo")
    ports = {name: str(free_port()) for name in ("PORT", "FLOWER_PORT", "MODELS_PORT")}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    # The settings of a real installation, which the demo must not touch.
    elsewhere = {
        "DATABASE_URL": "postgres://user@127.0.0.1:9/real",
        "STORAGE_URL": "s3://real",
        "LEAFMILL_DATA": str(folder / "real"),
    }
    log = folder / "log"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            ["make", "-s", "demo"],
            cwd=ROOT,
            env=inherited | elsewhere | ports | {"DEMO_DATA": str(folder / "data"), "PARSE_PROCESSES": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    running = Demo(popen, log, folder / "data", f"http://127.0.0.1:{ports['PORT']}", int(ports["MODELS_PORT"]))
    try:
        wait_for(lambda: "is ready" in running.output or popen.poll() is not None, "the demo is ready", seconds=90)
        assert "is ready" in running.output, running.output
        yield running
    finally:
        if popen.poll() is None:
            os.killpg(popen.pid, signal.SIGKILL)
        end(processes_of(str(running.folder)), grace_seconds=0)


def test_it_states_that_its_models_are_fakes_and_touches_no_other_installation(demo: Demo) -> None:
    assert "FAKES" in demo.output
    assert "Traceback" not in demo.output
    assert not (demo.folder.parent / "real").exists()


def test_it_prints_no_broker_errors_before_its_broker_runs(demo: Demo) -> None:
    """Migrations and the loading of providers run before the broker starts and must not try to reach it."""
    welcome, _, rest = demo.output.partition("how well models read.\n")
    loaded = rest[: rest.index("Administrator: ")].splitlines()

    assert welcome.startswith("This is a demonstration.")
    assert len(loaded) == 6
    assert all(re.fullmatch(r"(provider|deployment) fake-\w+: added", line) for line in loaded)


def test_a_second_demo_on_the_same_port_is_refused_with_a_message(demo: Demo, tmp_path: Path) -> None:
    environment = {**os.environ, "MODELS_PORT": str(demo.models_port), "DEMO_DATA": str(tmp_path)}
    second = subprocess.run(["make", "-s", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert second.returncode == 2
    assert f"Port {demo.models_port} is taken" in second.stdout
    assert "Traceback" not in second.stderr


def test_a_second_demo_on_the_same_data_does_not_change_the_first(demo: Demo) -> None:
    environment = {**os.environ, "MODELS_PORT": str(free_port()), "DEMO_DATA": str(demo.folder)}
    second = subprocess.run(["make", "-s", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert second.returncode == 2
    assert "already runs on the data folder" in second.stdout
    result = demo.parse("cost_effective", disable_cache=True)
    assert result["metadata"]["pages"][0]["parsing"]["deployment"].startswith("fake-")


@pytest.mark.parametrize(
    ("tier", "mode", "requests"),
    [("cost_effective", "balanced", 1), ("multimodal", "multimodal", 1), ("agentic", "agentic", 2)],
)
def test_every_mode_parses_the_example(demo: Demo, tier: str, mode: str, requests: int) -> None:
    result = demo.parse(tier)

    job, first = result["job"], result["metadata"]["pages"][0]["parsing"]
    assert (job["status"], job["mode"]) == ("COMPLETED", mode)
    assert (first["mode"], first["requests"]) == (mode, requests)
    assert first["deployment"].startswith("fake-")  # which one depends on their quotas
    assert job["usage"]["cost_usd"] > 0
    markdown = result["markdown_full"]
    assert set(markdown.splitlines()) >= HEADINGS
    in_order = ["walked all eleven reaches", "counted for one hour", "Two reaches could not", "## What was found"]
    assert sorted(in_order, key=markdown.index) == in_order
    assert "fallback_used" not in first


def test_a_job_without_external_providers_uses_the_internal_one(demo: Demo) -> None:
    result = demo.parse("cost_effective", allow_external=False)

    assert {page["parsing"]["provider"] for page in result["metadata"]["pages"]} == {"fake-house"}
    assert result["job"]["usage"]["cost_usd"] == 0


def test_one_interrupt_ends_service_and_models(demo: Demo) -> None:
    """This must be the last test, because it ends the demo."""
    assert listens(demo.models_port)

    os.killpg(demo.popen.pid, signal.SIGINT)
    demo.popen.wait(30)

    assert processes_of(str(demo.folder)) == []
    assert not listens(demo.models_port)
    assert "running tasks get up to 8 seconds to finish" in demo.output
    assert "Stopping at once" not in demo.output
