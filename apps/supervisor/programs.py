"""Who is in the group of `make run`: each member's command line, and supervisord's configuration of them all."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.supervisor import embedded_broker
from apps.supervisor.errors import CannotStart

LAUNCHER = Path(__file__).with_name("launch.py")
FLOWER_USER = "admin"
FLOWER_CONFIGURATION = """\
from parse_project import flower

basic_auth = [{credentials!r}]
format_task = flower.format_task
tasks_columns = flower.TASKS_COLUMNS
flower.protect_metrics()
"""

# One Ctrl-C ends everything within 10 s: the members get this long to finish what they hold, then the broker, which
# goes last so that they can still say so. What they do not finish is claimed again at the next start.
MEMBER_STOP_SECONDS = 5
BROKER_STOP_SECONDS = 2


@dataclass(frozen=True)
class Member:
    """One process of the group; ``priority`` orders starts upwards and stops downwards."""

    name: str
    command: tuple[str, ...]
    priority: int = 10
    stop_seconds: int = MEMBER_STOP_SECONDS


def embedded_broker_member(*, socket: Path, folder: Path) -> Member:
    """The bundled Valkey; writes its configuration."""
    configuration = folder / "run" / "valkey.conf"
    configuration.write_text(embedded_broker.configuration(socket=socket, folder=folder / "valkey"), encoding="utf-8")
    command = (embedded_broker.server_program(), str(configuration))
    return Member("valkey", command, priority=1, stop_seconds=BROKER_STOP_SECONDS)


def web() -> Member:
    command = (
        *_module("granian"),
        *("--interface", "wsgi", "--host", settings.HOST, "--port", str(settings.PORT)),
        *("--workers", "1", "--blocking-threads", "32", "--no-ws", "--respawn-failed-workers"),
        *("--workers-kill-timeout", "3", "--backlog", "1024"),
        "parse_project.wsgi:application",
    )
    return Member("web", command)


def worker(name: str, *queues: str) -> Member:
    return Member(name, (sys.executable, str(settings.BASE_DIR / "manage.py"), "work", *queues))


def model_workers(processes: int) -> list[Member]:
    """Return the workers of the model queues; they are idle until a provider is loaded."""
    command = (sys.executable, str(settings.BASE_DIR / "manage.py"), "work", "llm", "lvm", "agent", "--when-provided")
    names = [f"model-worker-{number}" for number in range(1, processes + 1)]
    return [Member(name, (*command, "--share", str(processes), "--name", name)) for name in names]


def ocr_worker() -> Member:
    """Return the OCR worker on the CPU; OCR_WORKER is the number of its processes."""
    return Member("ocr-worker", (*_module("ocr_worker"), "ocr_cpu"))


def flower(folder: Path) -> Member:
    """Return Flower behind a password, which is in a file, because every user can read command lines."""
    configuration = folder / "run" / "flowerconfig.py"
    configuration.touch(mode=0o600)
    credentials = f"{FLOWER_USER}:{flower_password(folder)}"
    configuration.write_text(FLOWER_CONFIGURATION.format(credentials=credentials), encoding="utf-8")
    command = (
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
    head = ["[supervisord]", "nodaemon=true", "logfile=/dev/null", "logfile_maxbytes=0", "loglevel=info"]
    head += [f"pidfile={_escaped(folder / 'run' / 'supervisord.pid')}", f"childlogdir={_escaped(folder / 'logs')}"]
    if os.geteuid() == 0:
        head.append("user=root")  # without this line supervisord warns that it keeps its rights
    sections = [_section(member, folder=folder) for member in members]
    return "\n".join([*head, "", *_groups(members), *sections])


def _groups(members: list[Member]) -> list[str]:
    """Return one group per priority. supervisord stops groups in order and the members of a group together."""
    lines: list[str] = []
    for priority in sorted({member.priority for member in members}):
        names = ",".join(member.name for member in members if member.priority == priority)
        lines += [f"[group:priority-{priority}]", f"programs={names}", f"priority={priority}", ""]
    return lines


def _section(member: Member, *, folder: Path) -> str:
    command = shlex.join((sys.executable, "-S", "-E", str(LAUNCHER), *member.command))
    options = {
        "command": _escaped(command),
        "directory": _escaped(settings.BASE_DIR),
        "priority": member.priority,
        "autorestart": "true",
        "startsecs": 2,
        "startretries": 1_000_000,  # practically unlimited; each retry waits a second longer
        # Only the leader gets the stop signal and stops its children. After the time limit the whole group is killed.
        "stopasgroup": "false",
        "killasgroup": "true",
        "stopwaitsecs": member.stop_seconds,
        "redirect_stderr": "true",
        "stdout_logfile": _escaped(folder / "logs" / f"{member.name}.log"),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": 2,
    }
    return "\n".join([f"[program:{member.name}]", *(f"{key}={value}" for key, value in options.items()), ""])


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


def _escaped(value: object) -> str:
    text = str(value)
    if re.search(r"\s[;#]|[\r\n]", text):  # supervisord would take the rest for a comment
        raise CannotStart(f"A path of this installation has a blank before ';' or '#': {text}. Rename the folder.")
    return text.replace("%", "%%")
