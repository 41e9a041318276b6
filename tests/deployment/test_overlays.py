"""Overlays differ only in numbers of pods and queue depths."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.deployment.conftest import OVERLAYS, Manifest, of_kind, render


def without_numbers(manifests: list[Manifest]) -> list[Manifest]:
    copies = deepcopy(manifests)
    for manifest in copies:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "Deployment" and manifest["metadata"]["name"] != "flower":
            spec.pop("replicas", None)
        if manifest["kind"] == "ScaledObject":
            del spec["minReplicaCount"], spec["maxReplicaCount"], spec["fallback"]["replicas"]
            del spec["triggers"][0]["metadata"]["targetValue"]
    return copies


def scaling(overlay: str) -> dict[str, tuple[int, int, int]]:
    """Return minimum pods, maximum pods and queue depth of each scaled workload."""

    def numbers(spec: dict[str, Any]) -> tuple[int, int, int]:
        return spec["minReplicaCount"], spec["maxReplicaCount"], int(spec["triggers"][0]["metadata"]["targetValue"])

    return {name: numbers(one["spec"]) for name, one in of_kind(render(overlay), "ScaledObject").items()}


def test_overlays_differ_in_numbers_only() -> None:
    development, staging, production = (without_numbers(render(overlay)) for overlay in OVERLAYS)
    assert development == staging == production


def test_parse_workers_follow_the_deployment_guide() -> None:
    assert [scaling(overlay)["parse"] for overlay in OVERLAYS] == [(3, 12, 20), (12, 120, 20), (96, 600, 100)]


def test_ocr_has_its_minimum_pods() -> None:
    for overlay in ("staging", "production"):
        assert scaling(overlay)["ocr-cpu"][0] >= 12
        assert scaling(overlay)["ocr-gpu"][0] >= 2


def test_ocr_keeps_pace_with_parse_workers() -> None:
    for overlay in OVERLAYS:
        maximum = {name: numbers[1] for name, numbers in scaling(overlay).items()}
        assert maximum["ocr-cpu"] == 2 * maximum["parse"]
        assert maximum["ocr-gpu"] == -(-maximum["parse"] // 8)


def test_numbers_grow_from_one_overlay_to_the_next() -> None:
    development, staging, production = (scaling(overlay) for overlay in OVERLAYS)
    for name in development:
        assert development[name] <= staging[name] <= production[name]
        for low, high, depth in (development[name], staging[name], production[name]):
            assert 0 <= low < high
            assert depth > 0


def test_scaled_deployments_set_no_replicas(manifests: list[Manifest]) -> None:
    """Replicas in the Deployment would overwrite the autoscaler's number at each apply."""
    scaled = of_kind(manifests, "ScaledObject")
    for name, deployment in of_kind(manifests, "Deployment").items():
        assert ("replicas" in deployment["spec"]) == (name not in scaled), name
