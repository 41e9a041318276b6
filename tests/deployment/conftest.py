"""Manifests rendered by `kubectl kustomize`."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Any

import pytest
import yaml

from tests.acceptance.running_service import ROOT

Manifest = dict[str, Any]
OVERLAYS = ("development", "staging", "production")


@cache
def render(overlay: str) -> list[Manifest]:
    folder = ROOT / "deploy/k8s/overlays" / overlay
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Return the objects of one kind by name."""
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def pod_specs(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the pod specs of Deployments and Jobs by owner name."""
    owners = of_kind(manifests, "Deployment") | of_kind(manifests, "Job")
    return {name: owner["spec"]["template"]["spec"] for name, owner in owners.items()}


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    """All objects of an overlay; a test that uses this fixture runs once per overlay."""
    return render(request.param)


@pytest.fixture
def production() -> list[Manifest]:
    return render("production")
