"""manage.py run: the whole service as one supervised group, until Ctrl-C."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from apps.supervisor import embedded_broker, first_start, preflight, processes, programs
from apps.supervisor import group as supervision
from apps.supervisor.errors import CannotStart

# Exit codes: 0 stopped by a signal, 1 a member or the supervisor failed, 2 it could not be started.
CANNOT_START = 2


class Command(BaseCommand):
    help = "Start web, workers, Flower and, where no other is named, the bundled broker. Ctrl-C stops them all."
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.DATA_DIR)
        try:
            preflight.prepare_data_folder(folder)
            with preflight.take_data_folder(folder):
                code = self._run(folder)
        except CannotStart as error:
            raise CommandError(str(error), returncode=CANNOT_START) from error
        except KeyboardInterrupt:  # before the group took the signals over: nothing runs yet
            code = 0
        sys.exit(code)

    def _run(self, folder: Path) -> int:
        left_over = processes.end(processes.processes_of(str(folder)), grace_seconds=5)
        if left_over:
            self._say(f"Ended {left_over} processes that an earlier run had left behind.")
        preflight.refuse_taken_port(host=settings.HOST, port=settings.PORT, variable="PORT")
        preflight.refuse_taken_port(host=settings.HOST, port=settings.FLOWER_PORT, variable="FLOWER_PORT")
        self._prepare_database()
        group_members, environment = _members(folder)
        group = supervision.Group(group_members, folder=folder, environment=environment, say=self._say)
        self._say(f"Starting {', '.join(member.name for member in group_members)} ...")
        return group.run(address=(_reachable(settings.HOST), settings.PORT), on_ready=self._say_where)

    def _prepare_database(self) -> None:
        try:
            call_command("migrate", verbosity=0, interactive=False)
            password, key = first_start.ensure_administrator(), first_start.ensure_api_key()
        except OperationalError as error:
            raise CannotStart(f"The database cannot be used: {str(error).strip()}. Check DATABASE_URL.") from error
        self._tell_once(password, key)

    def _tell_once(self, password: str | None, key: str | None) -> None:
        if password:
            self._say(f"Administrator: {first_start.ADMINISTRATOR}   password: {password}   (shown only this once)")
        else:
            self._say(f"The administrator exists. A new password: {_manage()} changepassword admin")
        if key:
            self._say(f"API key: {key}   (shown only this once)")
        else:
            self._say(f"API keys exist. Another one: {_manage()} create_api_key NAME")

    def _say_where(self) -> None:
        web = settings.PUBLIC_URL or f"http://{_in_url(settings.HOST)}:{settings.PORT}"
        password_file = Path(settings.DATA_DIR) / "flower_password"
        self._say("Leafmill is ready; the first document may wait some seconds until the workers are.")
        self._say(f"  API      {web}/api/docs")
        self._say(f"  Admin    {web}/admin/")
        self._say(
            f"  Flower   http://{_in_url(settings.HOST)}:{settings.FLOWER_PORT}"
            f"   user {programs.FLOWER_USER}, password in {password_file}"
        )
        if Path(settings.DATA_DIR) != settings.BASE_DIR / ".leafmill":
            self._say(f"Commands in other terminals: export LEAFMILL_DATA={shlex.quote(str(settings.DATA_DIR))}")
        self._say("Ctrl-C stops it.")

    def _say(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:  # the terminal is gone; the group is ended all the same
            pass


def _members(folder: Path) -> tuple[list[programs.Member], dict[str, str]]:
    """Everybody in the group, and the environment they share."""
    environment = supervision.inherited_environment()
    group: list[programs.Member] = []
    embedded = f"redis+socket://{folder}/valkey.sock"
    if embedded in (settings.CELERY_BROKER_URL, settings.REDIS_URL):
        socket = embedded_broker.socket_path(folder)
        group.append(programs.embedded_broker_member(socket=socket, folder=folder))
        for name in ("CELERY_BROKER_URL", "REDIS_URL"):
            if getattr(settings, name) == embedded:
                environment[name] = f"redis+socket://{socket}"
    group += [
        programs.web(),
        programs.worker("parse-worker", "parse_raw_file_job", "parse_raw_file_job_pages"),
        programs.ocr_worker(),
        *programs.model_workers(settings.MODEL_PROCESSES),
        programs.worker("housekeeping", "housekeeping"),
        programs.flower(folder),
    ]
    return group, environment


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 (read, not bound)


def _in_url(host: str) -> str:
    host = _reachable(host)
    return f"[{host}]" if ":" in host else host


def _manage() -> str:
    """What a person writes before a command for this data folder."""
    is_usual = settings.DATA_DIR == settings.BASE_DIR / ".leafmill"
    return f"{'' if is_usual else f'LEAFMILL_DATA={shlex.quote(str(settings.DATA_DIR))} '}.venv/bin/python manage.py"
