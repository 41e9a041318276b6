"""Variables of the manifests exist, and limits fit the memory and time that processes may use."""

from __future__ import annotations

import re

from django.conf import settings

from ocr_worker.settings import settings as ocr_settings
from parse_project.celery import configuration
from tests.acceptance.running_service import ROOT
from tests.deployment.conftest import Manifest, of_kind, pod_specs

ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \|", re.MULTILINE)
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def size_bytes(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def memory_bytes(manifests: list[Manifest], name: str) -> int:
    return size_bytes(pod_specs(manifests)[name]["containers"][0]["resources"]["limits"]["memory"])


def own_environment(manifests: list[Manifest], name: str) -> dict[str, str]:
    variables = pod_specs(manifests)[name]["containers"][0].get("env", [])
    return {variable["name"]: variable["value"] for variable in variables}


def grace_seconds(manifests: list[Manifest], name: str) -> int:
    return int(pod_specs(manifests)[name]["terminationGracePeriodSeconds"])


def test_every_variable_is_documented(manifests: list[Manifest]) -> None:
    documented = set(ROW.findall((ROOT / "docs/configuration.md").read_text(encoding="utf-8")))
    (shared,) = of_kind(manifests, "ConfigMap").values()
    assert shared["data"].keys() - documented == set()
    for name in pod_specs(manifests):
        assert own_environment(manifests, name).keys() - documented == set(), name


def test_image_tags_are_the_release(manifests: list[Manifest]) -> None:
    tags = {
        container["image"].rpartition(":")[2]
        for pod in pod_specs(manifests).values()
        for container in [*pod.get("initContainers", []), *pod["containers"]]
    }
    assert tags == {settings.VERSION}


def test_parse_pods_have_enough_memory(production: list[Manifest]) -> None:
    processes = int(own_environment(production, "parse")["PARSE_PROCESSES"])
    recycled_at = configuration()["worker_max_memory_per_child"] * 1024
    reader = settings.READER_MEMORY_MB * 2**20
    assert processes * (recycled_at + reader) < memory_bytes(production, "parse")


def test_convert_pods_have_enough_memory(production: list[Manifest]) -> None:
    needed = settings.CONVERT_PROCESSES * settings.CONVERTER_MEMORY_MB * 2**20
    assert needed < memory_bytes(production, "convert")


def test_ocr_pods_have_enough_memory(production: list[Manifest]) -> None:
    for name in ("ocr-cpu", "ocr-gpu"):
        processes = int(own_environment(production, name)["OCR_WORKER"])
        assert processes * ocr_settings().memory_mb * 2**20 < memory_bytes(production, name)


def test_parse_workers_have_two_cores_and_as_many_processes(production: list[Manifest]) -> None:
    resources = pod_specs(production)["parse"]["containers"][0]["resources"]
    assert resources["requests"] == {"cpu": "2", "memory": "2Gi"}
    assert resources["limits"] == {"cpu": "2", "memory": "16Gi"}
    assert own_environment(production, "parse") == {"PARSE_PROCESSES": "2"}


def test_only_ocr_on_a_gpu_requests_one(production: list[Manifest]) -> None:
    with_gpu = {
        name
        for name, pod in pod_specs(production).items()
        if "nvidia.com/gpu" in pod["containers"][0]["resources"]["limits"]
    }
    assert with_gpu == {"ocr-gpu"}


def test_grace_periods_let_pods_finish_their_work(production: list[Manifest]) -> None:
    # After two timeouts in a range each remaining page gets a sixth of the time.
    page = settings.PAGE_WALL_SECONDS
    assert grace_seconds(production, "parse") >= 2 * page + (settings.PAGES_PER_RANGE - 2) * page / 6
    for name in ("ocr-cpu", "ocr-gpu"):  # fetch, two tries, delivery
        assert grace_seconds(production, name) >= 30 + 2 * ocr_settings().page_seconds + 30
    assert grace_seconds(production, "convert") > settings.CONVERTER_SECONDS
    for name in ("llm", "lvm", "agent"):
        assert grace_seconds(production, name) > settings.PROVIDER_TOTAL_SECONDS
