"""The members of the group of `make run`: their command lines, and the configuration of supervisord."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.pages.conversion.converter import find_program
from apps.supervisor import embedded_broker
from apps.supervisor.errors import CannotStart

LAUNCHER = Path(__file__).with_name("launch.py")
FLOWER_USER = "admin"
SEALING_KEYS = "LEAFMILL_SEALING_KEYS"
PRIVATE_KEYS = "LEAFMILL_PROVIDER_PRIVATE_KEYS"
FLOWER_CONFIGURATION = """\
from parse_project import flower

basic_auth = [{credentials!r}]
format_task = flower.format_task
tasks_columns = flower.TASKS_COLUMNS
flower.protect_metrics()
"""

# One Ctrl-C ends everything within 10 s. The members get this time to finish their tasks; the broker stops last, so
# that they can acknowledge them. Unfinished work is claimed again at the next start.
MEMBER_STOP_SECONDS = 5
BROKER_STOP_SECONDS = 2


@dataclass(frozen=True)
class Member:
    """One process of the group; ``priority`` orders starts upwards and stops downwards."""

    name: str
    command: tuple[str, ...]
    priority: int = 10
    stop_seconds: int = MEMBER_STOP_SECONDS


def members(folder: Path) -> tuple[list[Member], dict[str, str]]:
    """Return the members of the group and the environment that they share."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "parse_project.settings"}
    group: list[Member] = []
    embedded = embedded_broker.configured_url(folder)
    if embedded in (settings.CELERY_BROKER_URL, settings.REDIS_URL):
        group.append(embedded_broker_member(folder))
        for name in ("CELERY_BROKER_URL", "REDIS_URL"):
            if getattr(settings, name) == embedded:
                environment[name] = embedded_broker.listening_url(folder)
    converter = find_program(settings.CONVERTER)
    if converter:  # documents wait for its worker from the first moment
        environment["CONVERTER"] = str(converter)
    group += [
        web("web", settings.PORT),
        *([web("admin", settings.ADMIN_PORT)] if settings.ADMIN_PORT else []),
        worker("parse-worker", "parse_raw_file_job", "parse_raw_file_job_pages"),
        *([worker("convert-worker", "convert")] if converter else []),
        ocr_worker(),
        *model_workers(settings.MODEL_PROCESSES),
        worker("housekeeping", "housekeeping"),
        flower(folder),
    ]
    return group, environment


def embedded_broker_member(folder: Path) -> Member:
    """Return the bundled Valkey; write its configuration."""
    configuration = folder / "run" / "valkey.conf"
    socket = embedded_broker.socket_path(folder)
    configuration.write_text(embedded_broker.configuration(socket=socket, folder=folder / "valkey"), encoding="utf-8")
    command = (embedded_broker.server_program(), str(configuration))
    return Member("valkey", command, priority=1, stop_seconds=BROKER_STOP_SECONDS)


def web(name: str, port: int) -> Member:
    """Return a web process. One on ADMIN_PORT serves the admin, the others the rest."""
    command = (
        *_without(PRIVATE_KEYS),
        *_module("granian"),
        *("--interface", "asgi", "--host", settings.HOST, "--port", str(port)),
        *("--http", "1", "--http1-buffer-size", "32768", "--backlog", "1024", "--backpressure", "4096"),
        *("--workers", "1", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "3"),
        "parse_project.asgi:application",
    )
    return Member(name, command)


def worker(name: str, *queues: str) -> Member:
    command = (sys.executable, str(settings.BASE_DIR / "manage.py"), "work", *queues)
    return Member(name, (*_without(PRIVATE_KEYS), *command))


def model_workers(processes: int) -> list[Member]:
    """Return the workers of the model queues; they are idle until a provider is loaded."""
    command = (sys.executable, str(settings.BASE_DIR / "manage.py"), "work", "llm", "lvm", "agent", "--when-provided")
    names = [f"model-worker-{number}" for number in range(1, processes + 1)]
    return [Member(name, (*command, "--share", str(processes), "--name", name)) for name in names]


def ocr_worker() -> Member:
    """Return the OCR worker on the CPU; OCR_WORKER is the number of its processes."""
    secrets_of_others = (
        "SECRET_KEY",
        SEALING_KEYS,
        PRIVATE_KEYS,
        "DATABASE_URL",
        "QUEUE_STATUS_TOKEN",
        "METRICS_TOKEN",
    )
    return Member("ocr-worker", (*_without(*secrets_of_others), *_module("ocr_worker"), "ocr_cpu"))


def flower(folder: Path) -> Member:
    """Return Flower behind a password, which is in a file, because every user can read command lines."""
    configuration = folder / "run" / "flowerconfig.py"
    configuration.touch(mode=0o600)
    credentials = f"{FLOWER_USER}:{flower_password(folder)}"
    configuration.write_text(FLOWER_CONFIGURATION.format(credentials=credentials), encoding="utf-8")
    command = (
        *_without(SEALING_KEYS, PRIVATE_KEYS),
        *_module("celery"),
        *("-A", "parse_project.celery:app", "flower", f"--conf={configuration}"),
        *(f"--address={settings.HOST}", f"--port={settings.FLOWER_PORT}"),
        *("--persistent=False", "--max-tasks=10000", "--logging=warning"),
    )
    return Member("flower", command)


def flower_password(folder: Path) -> str:
    """Return the password in the data folder; create it if it is missing."""
    path = folder / "flower_password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def supervisor_configuration(members: list[Member], *, folder: Path) -> str:
    """Return supervisord.conf for these members; their output goes to ``folder``/logs."""
    lines = ["[supervisord]", "nodaemon=true", "logfile=/dev/null", "logfile_maxbytes=0", "loglevel=info"]
    lines += [f"pidfile={_escaped(folder / 'run' / 'supervisord.pid')}", f"childlogdir={_escaped(folder / 'logs')}"]
    if os.geteuid() == 0:
        lines.append("user=root")  # without this line supervisord warns that it keeps its rights
    lines.append("")
    # One group per priority: supervisord stops groups in order and the members of a group together.
    for priority in sorted({member.priority for member in members}):
        names = ",".join(member.name for member in members if member.priority == priority)
        lines += [f"[group:priority-{priority}]", f"programs={names}", f"priority={priority}", ""]
    for member in members:
        options = {
            "command": _escaped(shlex.join((sys.executable, "-S", "-E", str(LAUNCHER), *member.command))),
            "directory": _escaped(settings.BASE_DIR),
            "priority": member.priority,
            "autorestart": "true",
            "startsecs": 2,
            "startretries": 1_000_000,  # practically unlimited; each retry waits a second longer
            # Only the leader gets the stop signal and stops its children. After the time limit the group is killed.
            "stopasgroup": "false",
            "killasgroup": "true",
            "stopwaitsecs": member.stop_seconds,
            "redirect_stderr": "true",
            "stdout_logfile": _escaped(folder / "logs" / f"{member.name}.log"),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": 2,
        }
        lines += [f"[program:{member.name}]", *(f"{key}={value}" for key, value in options.items()), ""]
    return "\n".join(lines)


def _without(*secrets_of_others: str) -> tuple[str, ...]:
    """Return the beginning of a command that runs without these secrets in its environment."""
    names = (name for secret in secrets_of_others for name in (secret, f"{secret}_FILE"))
    return ("env", *(f"--unset={name}" for name in names))


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


def _escaped(value: object) -> str:
    text = str(value)
    if re.search(r"\s[;#]|[\r\n]", text):  # supervisord would parse the rest as a comment
        raise CannotStart(f"A path of this installation contains a space before ';' or '#': {text}. Rename the folder.")
    return text.replace("%", "%%")
