"""Boards, alerts and docs name only metrics that /metrics has, and Prometheus can read them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from tests.integration.monitoring.conftest import Metrics

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
BOARDS = sorted((MONITORING / "boards").glob("*.json"))
METRIC = re.compile(r"\b(?:leafmill|llamaparse|api_http)_[a-z0-9_]+\b")
OF_HISTOGRAMS = re.compile(r"_(?:bucket|sum|count)$")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "rules.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions(board: Path) -> list[str]:
    panels = json.loads(board.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def names_in(*texts: str) -> set[str]:
    return {OF_HISTOGRAMS.sub("", name) for text in texts for name in METRIC.findall(text)}


@pytest.fixture
def exposed(metrics: Metrics) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+) ", metrics().text, re.MULTILINE))


def test_the_boards_show_existing_metrics(exposed: set[str]) -> None:
    shown = names_in(*(expression for board in BOARDS for expression in expressions(board)))

    assert shown - exposed == set()


def test_the_alerts_use_existing_metrics(exposed: set[str]) -> None:
    assert names_in(*(rule["expr"] for rule in rules())) - exposed == set()


def test_the_docs_describe_every_metric(exposed: set[str]) -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)) == exposed


def test_prometheus_can_read_the_alerts_and_the_boards(tmp_path: Path) -> None:
    shown = [expression.replace("$__rate_interval", "5m") for board in BOARDS for expression in expressions(board)]
    recorded = [{"record": f"board:{number}", "expr": expression} for number, expression in enumerate(shown)]
    boards = tmp_path / "boards.yaml"
    boards.write_text(json.dumps({"groups": [{"name": "boards", "rules": recorded}]}), encoding="utf-8")

    for file in (MONITORING / "rules.yaml", boards):
        done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_can_read_its_configuration(tmp_path: Path) -> None:
    for name in ("prometheus.yaml", "rules.yaml"):
        (tmp_path / name).write_bytes((MONITORING / name).read_bytes())
    for name in ("leafmill-token", "flower-password"):
        (tmp_path / name).write_text("secret", encoding="ascii")

    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yaml"], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_and_clears_in_its_scene() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "rules-test.yaml"], cwd=MONITORING, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_scene_before_at_and_after_it_fires() -> None:
    scenes = yaml.safe_load((MONITORING / "rules-test.yaml").read_text(encoding="utf-8"))["tests"]
    seen: dict[str, list[list[bool]]] = {rule["alert"]: [] for rule in rules()}
    for scene in scenes:
        moments = scene["alert_rule_test"]
        for alert in {moment["alertname"] for moment in moments}:
            seen[alert].append([moment["exp_alerts"] != [] for moment in moments if moment["alertname"] == alert])

    assert [alert for alert, fires in seen.items() if [False, True, False] not in fires] == []


def test_every_alert_has_a_runbook() -> None:
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/runbooks.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert [rule["alert"] for rule in rules()] == headings
    assert {rule["annotations"]["runbook"] for rule in rules()} == {
        f"docs/runbooks.md#{name.lower()}" for name in headings
    }


def test_the_runbooks_name_existing_admin_pages(admin_client: Client) -> None:
    pages = re.findall(r"`(/admin/[^`]+)`", (ROOT / "docs/runbooks.md").read_text(encoding="utf-8"))

    assert "/admin/jobs/pageattempt/?outcome__exact=lease_lost" in pages
    assert {page: admin_client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)
