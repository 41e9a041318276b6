"""The manifests are valid, and their pods have only the rights that they need."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest

from tests.deployment.conftest import Manifest, of_kind, pod_specs

HERE = Path(__file__).parent
# The oldest supported release and the newest known one.
RELEASES = ("1.27", kubernetes_validate.latest_version())


def is_of_keda(manifest: Manifest) -> bool:
    return str(manifest["apiVersion"]).startswith("keda.sh/")


@pytest.mark.parametrize("release", RELEASES)
def test_kubernetes_accepts_the_manifests(manifests: list[Manifest], release: str) -> None:
    for manifest in manifests:
        if not is_of_keda(manifest):
            kubernetes_validate.validate(manifest, release, strict=True)


def test_keda_accepts_its_objects(manifests: list[Manifest]) -> None:
    objects = [manifest for manifest in manifests if is_of_keda(manifest)]
    done = subprocess.run(
        ["node", str(HERE / "validate_keda.mjs")], input=json.dumps(objects), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(objects) == 8


def test_the_validation_refuses_an_unknown_name() -> None:
    wrong = {
        "kind": "ScaledObject",
        "metadata": {"name": "parse"},
        "spec": {"scaleTargetRef": {"name": "parse"}, "minReplicas": 3, "triggers": []},
    }
    command = ["node", str(HERE / "validate_keda.mjs")]
    done = subprocess.run(command, input=json.dumps([wrong]), capture_output=True, text=True, timeout=60)
    assert done.stdout == "ScaledObject parse: spec.minReplicas is not known\n"


def test_containers_are_restricted(manifests: list[Manifest]) -> None:
    for name, pod in pod_specs(manifests).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] == 1000, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}], name
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys(), name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
        assert [volume["name"] for volume in pod["volumes"] if "sizeLimit" in volume["emptyDir"]] == ["tmp"], name


def test_long_running_containers_have_probes(manifests: list[Manifest]) -> None:
    for name, deployment in of_kind(manifests, "Deployment").items():
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name


def test_referenced_objects_exist(manifests: list[Manifest]) -> None:
    deployments = of_kind(manifests, "Deployment")
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in deployments.items()}

    def selects(selector: dict[str, str]) -> set[str]:
        return {name for name, own in labels.items() if selector.items() <= own.items()}

    for name, deployment in deployments.items():
        assert selects(deployment["spec"]["selector"]["matchLabels"]) == {name}
    for name, service in of_kind(manifests, "Service").items():
        assert selects(service["spec"]["selector"]) == {name}
        ports = deployments[name]["spec"]["template"]["spec"]["containers"][0]["ports"]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= {port["name"] for port in ports}
    for name, budget in of_kind(manifests, "PodDisruptionBudget").items():
        assert selects(budget["spec"]["selector"]["matchLabels"]) == {name}
    assert of_kind(manifests, "PodDisruptionBudget").keys() == deployments.keys() - {"flower"}


def test_manifests_contain_no_secret_and_each_process_gets_only_its_own(manifests: list[Manifest]) -> None:
    assert of_kind(manifests, "Secret") == {}

    def secrets(name: str) -> set[str]:
        sources = pod_specs(manifests)[name]["containers"][0]["envFrom"]
        return {source["secretRef"]["name"] for source in sources if "secretRef" in source}

    assert secrets("ocr-cpu") == secrets("ocr-gpu") == {"leafmill-broker"}
    assert secrets("flower") == {"leafmill-broker", "leafmill-flower"}
    assert secrets("migrate") == {"leafmill-django", "leafmill-database"}
    for name in ("llm", "lvm", "agent"):
        assert secrets(name) - secrets("parse") == {"leafmill-provider-keys"}
    assert secrets("housekeeping") == secrets("parse")
    assert secrets("api") - secrets("parse") == {"leafmill-queue-status"}


def test_network_access_between_pods(manifests: list[Manifest]) -> None:
    policies = of_kind(manifests, "NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    owners = of_kind(manifests, "Deployment") | of_kind(manifests, "Job")

    def egress_policies(name: str) -> set[str]:
        labels = owners[name]["spec"]["template"]["metadata"]["labels"]
        return {
            policy
            for policy, one in policies.items()
            if policy.startswith("uses-") and one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        }

    everything = {"uses-database", "uses-broker", "uses-storage", "uses-collector"}
    assert {name: egress_policies(name) for name in owners} == {
        "api": everything | {"uses-internet"},
        "parse": everything,
        "convert": everything,
        "housekeeping": everything,
        "llm": everything | {"uses-internet"},
        "lvm": everything | {"uses-internet"},
        "agent": everything | {"uses-internet"},
        "ocr-cpu": {"uses-broker", "uses-api"},
        "ocr-gpu": {"uses-broker", "uses-api"},
        "flower": {"uses-broker"},
        "migrate": {"uses-database", "uses-collector"},
    }
    with_ingress = {name for name, one in policies.items() if one["spec"].get("ingress")}
    assert with_ingress == {"to-api"}
