"""A real Prometheus beside a running service. Its clock is faster: an hour of our rules takes a minute."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from tests.acceptance.running_service import ROOT, RunningService, wait_for
from tests.services import ServerMissing, Service, free_port

FASTER = 60
SECONDS = {"s": 1, "m": 60, "h": 3600}
RANGE = re.compile(r"\[(\d+)([smh])\]")
AGE = re.compile(r"(_seconds\) > )(\d+)")


def faster_rules(text: str) -> str:
    """Return the rules with every duration divided: ``for``, ranges, and the ages that they compare with."""
    groups = yaml.safe_load(text)["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        if "for" in rule:
            rule["for"] = _faster(rule["for"])
        rule["expr"] = RANGE.sub(lambda found: f"[{_faster(found[1] + found[2])}]", rule["expr"])
        rule["expr"] = AGE.sub(lambda found: f"{found[1]}{int(found[2]) / FASTER}", rule["expr"])
    return yaml.safe_dump({"groups": groups})


def _faster(duration: str) -> str:
    return f"{int(duration[:-1]) * SECONDS[duration[-1]] * 1000 // FASTER}ms"


@dataclass
class Prometheus:
    url: str

    def firing(self) -> dict[str, str]:
        """Return the summary of each alert that fires, by name."""
        answer = httpx.get(f"{self.url}/api/v1/alerts", timeout=10).json()
        alerts = [alert for alert in answer["data"]["alerts"] if alert["state"] == "firing"]
        return {alert["labels"]["alertname"]: alert["annotations"]["summary"] for alert in alerts}

    def wait_until_fires(self, alert: str, *, seconds: float = 90) -> str:
        """Return the summary of the alert as soon as it fires."""
        self._wait(alert, fires=True, seconds=seconds)
        return self.firing()[alert]

    def wait_until_clears(self, alert: str, *, seconds: float = 120) -> None:
        self._wait(alert, fires=False, seconds=seconds)

    def _wait(self, alert: str, *, fires: bool, seconds: float) -> None:
        what = f"{alert} {'fires' if fires else 'clears'}"
        wait_for(lambda: (alert in self.firing()) is fires, what, seconds=seconds, pause=0.5)


@contextmanager
def start_prometheus(service: RunningService, token: str, folder: Path) -> Iterator[Prometheus]:
    """Scrape every two seconds and evaluate every second; yield when the first scrape has succeeded."""
    program = shutil.which("prometheus")
    if program is None:
        raise ServerMissing("prometheus is not installed; run scripts/test_servers.sh")
    rules = (ROOT / "deploy/monitoring/rules.yaml").read_text(encoding="utf-8")
    (folder / "rules.yaml").write_text(faster_rules(rules), encoding="utf-8")
    configuration = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {
                "job_name": "leafmill",
                "authorization": {"credentials": token},
                "static_configs": [{"targets": [service.url.removeprefix("http://")]}],
            }
        ],
    }
    (folder / "prometheus.json").write_text(json.dumps(configuration), encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    arguments = (
        f"--config.file={folder}/prometheus.json",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={url.removeprefix('http://')}",
    )

    def has_scraped() -> bool:
        try:
            answer = httpx.get(f"{url}/api/v1/query", params={"query": 'up{job="leafmill"} == 1'}, timeout=5)
            return answer.status_code == 200 and answer.json()["data"]["result"] != []
        except httpx.HTTPError:
            return False

    server = Service(
        "Prometheus",
        url,
        (program, *arguments),
        folder / "prometheus.log",
        is_up=has_scraped,
        environment={"PATH": os.environ["PATH"]},
    )
    server.start()
    try:
        yield Prometheus(url)
    finally:
        server.close()
