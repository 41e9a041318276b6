"""deploy/k8s/README.md tells the numbers that the manifests have, and its overlay of one's own can be rendered."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from textwrap import dedent

import yaml

from tests.acceptance.stack import ROOT
from tests.deployment.conftest import OVERLAYS, of_kind, pod_specs, render

README = (ROOT / "deploy/k8s/README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (`[a-z-]+`[^|]*) \| (.+) \|$", re.MULTILINE)
SCALED = re.compile(r"(\d+)-(\d+), (\d+)")


def rows(heading: str) -> list[tuple[list[str], list[str]]]:
    """The workloads and the other cells of each row of a section's tables."""
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [(re.findall(r"`([a-z-]+)`", names), cells.split(" | ")) for names, cells in ROW.findall(section)]


def test_numbers_of_pods_and_depths() -> None:
    told = {names[0]: cells for names, cells in rows("Which overlay") if SCALED.match(cells[0])}
    for number, overlay in enumerate(OVERLAYS):
        for name, one in of_kind(render(overlay), "ScaledObject").items():
            spec = one["spec"]
            depth = spec["triggers"][0]["metadata"]["targetValue"]
            assert told[name][number] == f"{spec['minReplicaCount']}-{spec['maxReplicaCount']}, {depth}"


def test_numbers_of_pods_that_are_not_scaled() -> None:
    (names, told) = next(row for row in rows("Which overlay") if not SCALED.match(row[1][0]))
    for number, overlay in enumerate(OVERLAYS):
        deployments = of_kind(render(overlay), "Deployment")
        assert told[number] == ", ".join(str(deployments[name]["spec"]["replicas"]) for name in names)


def test_how_long_stopping_may_take() -> None:
    told = {name: cells[0] for names, cells in rows("Stopping") for name in names}
    pods = {name: pod for name, pod in pod_specs(render("production")).items() if name not in ("migrate", "flower")}
    assert told == {name: f"{pod['terminationGracePeriodSeconds']} s" for name, pod in pods.items()}


def test_an_overlay_of_ones_own(tmp_path: Path) -> None:
    block = README.partition("# mine/kustomization.yaml\n")[2].partition("\n\n")[0]
    staging = os.path.relpath(ROOT / "deploy/k8s/overlays/staging", tmp_path.resolve())
    own = re.sub(r"^resources: .*$", f"bases: [{staging}]", dedent(block), flags=re.MULTILINE)
    (tmp_path / "kustomization.yaml").write_text(own, encoding="utf-8")
    done = subprocess.run(["kubectl", "kustomize", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

    manifests = list(yaml.safe_load_all(done.stdout))
    images = {container["image"] for pod in pod_specs(manifests).values() for container in pod["containers"]}
    assert images == {f"registry.example.com/leafmill/{name}:0.1.0" for name in ("service", "ocr", "ocr-gpu")}
    (shared,) = of_kind(manifests, "ConfigMap").values()
    assert shared["data"]["PUBLIC_URL"] == "https://parse.example.com"
    assert shared["data"]["OCR_EXCHANGE_URL"] == "http://api"
