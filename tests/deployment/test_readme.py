"""deploy/k8s/README.md has the numbers of the manifests, and its example overlay can be rendered."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import yaml

from apps import VERSION
from tests.acceptance.running_service import ROOT
from tests.deployment.conftest import OVERLAYS, Manifest, of_kind, pod_specs, render

README = (ROOT / "deploy/k8s/README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (`[a-z-]+`[^|]*) \| (.+) \|$", re.MULTILINE)
SCALED = re.compile(r"(\d+)-(\d+), (\d+)")


def rows(heading: str) -> list[tuple[list[str], list[str]]]:
    """Return workload names and other cells of each row in a section's tables."""
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [(re.findall(r"`([a-z-]+)`", names), cells.split(" | ")) for names, cells in ROW.findall(section)]


def test_numbers_of_pods_and_depths() -> None:
    documented = {names[0]: cells for names, cells in rows("Which overlay") if SCALED.match(cells[0])}
    for number, overlay in enumerate(OVERLAYS):
        for name, one in of_kind(render(overlay), "ScaledObject").items():
            spec = one["spec"]
            depth = spec["triggers"][0]["metadata"]["targetValue"]
            assert documented[name][number] == f"{spec['minReplicaCount']}-{spec['maxReplicaCount']}, {depth}"


def test_numbers_of_pods_that_are_not_scaled() -> None:
    (names, documented) = next(row for row in rows("Which overlay") if not SCALED.match(row[1][0]))
    for number, overlay in enumerate(OVERLAYS):
        deployments = of_kind(render(overlay), "Deployment")
        assert documented[number] == ", ".join(str(deployments[name]["spec"]["replicas"]) for name in names)


def test_termination_grace_periods() -> None:
    documented = {name: cells[0] for names, cells in rows("Stopping") for name in names}
    pods = {name: pod for name, pod in pod_specs(render("production")).items() if name not in ("migrate", "flower")}
    assert documented == {name: f"{pod['terminationGracePeriodSeconds']} s" for name, pod in pods.items()}


def printed(title: str) -> str:
    """Return the example file below the line ``# title``."""
    return dedent(re.split(rf"^ +# {re.escape(title)}\n", README, flags=re.MULTILINE)[1].partition("\n\n")[0]) + "\n"


def render_own(folder: Path, **files: str) -> list[Manifest]:
    """Render the README's overlay in a folder ``mine`` beside a clone; ``files`` are its files by name."""
    mine = folder / "mine"
    mine.mkdir()
    shutil.copytree(ROOT / "deploy/k8s", folder / "leafmill/deploy/k8s")
    for name, text in files.items():
        (mine / f"{name}.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run(["kubectl", "kustomize", str(mine)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_the_example_overlay(tmp_path: Path) -> None:
    manifests = render_own(
        tmp_path, kustomization=printed("mine/kustomization.yaml"), ingress=printed("mine/ingress.yaml")
    )

    images = {container["image"] for pod in pod_specs(manifests).values() for container in pod["containers"]}
    assert images == {
        f"registry.example.com/leafmill/{name}:{VERSION}" for name in ("service", "convert", "ocr", "ocr-gpu")
    }
    (shared,) = of_kind(manifests, "ConfigMap").values()
    assert shared["data"]["PUBLIC_URL"] == "https://parse.example.com"
    assert shared["data"]["OCR_EXCHANGE_URL"] == "http://api"
    (rule,) = of_kind(manifests, "Ingress")["api"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    ports = of_kind(manifests, "Service")[path["backend"]["service"]["name"]]["spec"]["ports"]
    assert path["backend"]["service"]["port"]["name"] in [port["name"] for port in ports]


def test_the_example_overlay_without_gpus_and_with_metrics(tmp_path: Path) -> None:
    database = printed("mine/database.yaml, listed under patchesStrategicMerge")
    kustomization = printed("mine/kustomization.yaml").replace("[ingress.yaml]", "[ingress.yaml, metrics.yaml]")
    kustomization += printed("mine/kustomization.yaml, too") + "patchesStrategicMerge: [database.yaml]\n"
    own = {name: printed(f"mine/{name}.yaml") for name in ("ingress", "no-gpu", "metrics")}
    manifests = render_own(tmp_path, kustomization=kustomization, database=database, **own)

    scaling = of_kind(manifests, "ScaledObject")["ocr-gpu"]["spec"]
    assert (scaling["minReplicaCount"], scaling["fallback"]["replicas"]) == (0, 0)
    assert scaling["maxReplicaCount"] > 0
    (server,) = of_kind(manifests, "NetworkPolicy")["uses-database"]["spec"]["egress"]
    assert server["to"] == [{"ipBlock": {"cidr": "10.20.30.40/32"}}]
    (web,) = pod_specs(manifests)["api"]["containers"]
    (scraped,) = of_kind(manifests, "PodMonitor")["leafmill"]["spec"]["podMetricsEndpoints"]
    assert scraped["port"] in [port["name"] for port in web["ports"]]
    assert scraped["authorization"]["credentials"]["name"] in [
        source["secretRef"]["name"] for source in web["envFrom"] if "secretRef" in source
    ]
