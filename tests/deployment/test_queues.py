"""Each queue has workers, and KEDA scales workers by their own queues."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from tests.acceptance.running_service import ROOT
from tests.deployment.conftest import Manifest, of_kind

WITHOUT_QUEUE = {"api", "flower"}


def queues(manifests: list[Manifest]) -> dict[str, set[str]]:
    """Return the queues that each Deployment consumes."""
    taken: dict[str, set[str]] = {}
    for name, deployment in of_kind(manifests, "Deployment").items():
        command = deployment["spec"]["template"]["spec"]["containers"][0]["command"]
        if command[:3] == ["python", "manage.py", "work"] or command[:3] == ["python", "-m", "ocr_worker"]:
            taken[name] = set(command[3:])
    return taken


def test_every_queue_has_a_worker_and_every_worker_a_queue(manifests: list[Manifest]) -> None:
    taken = queues(manifests)
    assert sorted(name for names in taken.values() for name in names) == sorted(settings.QUEUES)
    assert taken.keys() == of_kind(manifests, "Deployment").keys() - WITHOUT_QUEUE


def test_keda_requests_the_status_of_the_queues_that_it_scales(manifests: list[Manifest]) -> None:
    taken = queues(manifests)
    scaled = of_kind(manifests, "ScaledObject")
    assert scaled.keys() == taken.keys() - {"housekeeping"}
    for name, one in scaled.items():
        assert one["spec"]["scaleTargetRef"] == {"name": name}
        (trigger,) = one["spec"]["triggers"]
        address = urlsplit(trigger["metadata"]["url"])
        (prefix,) = parse_qs(address.query)["queue_prefix"]
        assert {queue for queue in settings.QUEUES if queue.startswith(prefix)} == taken[name]
        assert (address.scheme, address.netloc, address.path) == ("http", "api.leafmill.svc:80", "/api/queue-statusz")
        assert trigger["metadata"]["valueLocation"] == "total_messages"


def test_keda_reaches_the_service_by_an_allowed_host_name(manifests: list[Manifest]) -> None:
    service = of_kind(manifests, "Service")["api"]
    assert service["metadata"]["namespace"] == "leafmill"
    assert [port["port"] for port in service["spec"]["ports"]] == [80]
    (configuration,) = of_kind(manifests, "ConfigMap").values()
    assert {"api", "api.leafmill.svc"} <= set(configuration["data"]["ALLOWED_HOSTS"].split(","))


def test_keda_sends_the_token(manifests: list[Manifest]) -> None:
    authentication = of_kind(manifests, "TriggerAuthentication")["queue-status"]
    assert authentication["spec"]["secretTargetRef"] == [
        {"parameter": "token", "name": "leafmill-queue-status", "key": "QUEUE_STATUS_TOKEN"}
    ]
    for one in of_kind(manifests, "ScaledObject").values():
        (trigger,) = one["spec"]["triggers"]
        assert trigger["metadata"]["authMode"] == "bearer"
        assert trigger["authenticationRef"] == {"name": "queue-status"}


def test_keda_keeps_the_pods_while_the_status_is_unavailable(manifests: list[Manifest]) -> None:
    for one in of_kind(manifests, "ScaledObject").values():
        spec = one["spec"]
        assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
        assert spec["fallback"]["replicas"] == spec["minReplicaCount"]
        assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (15, 120)


def test_a_restore_empties_every_queue_of_rabbitmq() -> None:
    loop = re.search(r"for queue in (.+); do", (ROOT / "docs/production.md").read_text(encoding="utf-8"))
    assert loop is not None
    assert sorted(loop[1].split()) == sorted(settings.QUEUES)
