"""Everything that deploy/compose.yaml names exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class

from tests.acceptance.running_service import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("leafmill/")}
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \|", re.MULTILINE)
NOT_FROM_ENV_FILE = {  # set by the containers, or used only by `make run` or root
    "HOST", "PORT", "FLOWER_PORT", "REDIS_URL", "OTEL_EXPORTER_OTLP_PROTOCOL", "TESSDATA_PREFIX",
    "MODEL_PROCESSES", "LEAFMILL_READER_USER",
}  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_the_command_exists(name: str) -> None:
    words = OURS[name]["command"]
    commands = [shlex.split(each) for each in words[2].split("&&")] if words[0] == "sh" else [words]
    for first, second, *rest in commands:
        assert first == "python"
        if second == "-m":
            assert find_spec(rest[0]) is not None
        else:
            command = load_command_class(get_commands()[rest[0]], rest[0])
            command.create_parser("manage.py", rest[0]).parse_args(rest[1:])


def test_no_command_line_has_a_secret() -> None:
    """Every user of the machine can read command lines; ``$$`` is a variable of the shell inside."""
    for name, one in SERVICES.items():
        words = [*one.get("command", []), *one.get("healthcheck", {}).get("test", [])]
        assert not [word for word in words if re.search(r"(?<!\$)\$\{?\w", str(word))], name


def test_every_queue_has_a_worker() -> None:
    workers = [one["command"] for one in OURS.values() if {"work", "ocr_worker"} & set(one["command"])]
    taken = [word for command in workers for word in command if word in settings.QUEUES]
    assert sorted(taken) == sorted(settings.QUEUES)


def test_every_variable_is_documented() -> None:
    documented = set(ROW.findall((ROOT / "docs/configuration.md").read_text(encoding="utf-8")))
    for name, one in OURS.items():
        assert set(one["environment"]) - documented <= {"FLOWER_BASIC_AUTH"}, name


def test_every_variable_reaches_its_processes() -> None:
    documented = set(ROW.findall((ROOT / "docs/configuration.md").read_text(encoding="utf-8")))
    passed = {variable for name in ("api", "ocr", "models") for variable in OURS[name]["environment"]}
    assert documented - passed == NOT_FROM_ENV_FILE


def test_variables_missing_in_env_have_their_default(tmp_path: Path) -> None:
    """Compose passes them as empty values, which the service treats as unset."""
    show = (
        "import json, django; from django.conf import settings; django.setup();"
        "print(json.dumps({n: str(getattr(settings, n)) for n in dir(settings) if n.isupper()}))"
    )
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    inherited["DATABASE_URL"] = "postgresql://leafmill@db/leafmill"  # some defaults differ on SQLite
    inherited |= {"LEAFMILL_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "parse_project.settings"}
    inherited["SECRET_KEY"] = "a key of the tests with 43 characters, no less"
    optional = {name: "" for name, value in OURS["api"]["environment"].items() if value == f"${{{name}:-}}"}

    def settings_with(variables: dict[str, str]) -> str:
        command = [sys.executable, "-c", show]
        return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, check=True, text=True).stdout

    assert {"METRICS_TOKEN", "EXTERNAL_PROVIDERS", "MAX_UPLOAD_MB"} <= optional.keys()
    assert settings_with(inherited | optional) == settings_with(inherited)


def test_only_workers_of_models_open_secrets_of_providers() -> None:
    have = {name for name, one in OURS.items() if "LEAFMILL_PROVIDER_PRIVATE_KEYS" in one["environment"]}
    assert have == {"models"}
    assert "LEAFMILL_PROVIDER_PUBLIC_KEY" in OURS["api"]["environment"]


def test_ocr_and_flower_have_no_database_and_no_storage() -> None:
    for name in ("ocr", "ocr-gpu", "flower"):
        assert {"DATABASE_URL", "SECRET_KEY", "STORAGE_URL"} & set(OURS[name]["environment"]) == set()
        assert OURS[name]["volumes"] == ["/tmp"]


@pytest.mark.parametrize("name", OURS)
def test_the_container_is_restricted_and_its_image_can_be_built(name: str) -> None:
    one = OURS[name]
    assert one["user"] == "1000:1000"
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["image"].endswith(f":{settings.VERSION}")
    assert "mem_limit" in one
    if "build" in one:
        assert (ROOT / one["build"]["dockerfile"]).exists()


def test_every_running_service_has_a_healthcheck() -> None:
    assert [name for name, one in SERVICES.items() if "healthcheck" not in one] == ["migrate"]


def test_dependencies_that_must_be_healthy_have_a_healthcheck() -> None:
    for one in SERVICES.values():
        for name, dependency in one.get("depends_on", {}).items():
            assert ("healthcheck" in SERVICES[name]) == (dependency["condition"] == "service_healthy")


def test_only_web_and_flower_listen_and_only_on_localhost() -> None:
    ports = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert ports == {
        "api": ["${LISTEN:-127.0.0.1:8000}:8000"],
        "admin": ["127.0.0.1:8002:8002"],
        "flower": ["127.0.0.1:5555:5555"],
    }


def test_web_processes_share_a_folder_for_metrics() -> None:
    api = OURS["api"]
    assert api["command"][api["command"].index("--workers") + 1] != "1"
    assert api["environment"]["PROMETHEUS_MULTIPROC_DIR"].startswith("/tmp/")
