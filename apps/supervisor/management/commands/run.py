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

from apps.supervisor import first_start, preflight, processes, programs
from apps.supervisor import group as supervision
from apps.supervisor.errors import CannotStart

# Exit codes: 0 stopped by a signal, 1 a member or the supervisor failed, 2 the service could not be started.
CANNOT_START = 2


class Command(BaseCommand):
    help = "Start web, workers, Flower and, if no other broker is configured, the bundled one. Ctrl-C stops them."
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.DATA_DIR)
        for name, reason in settings.WEAK_SETTINGS.items():
            self._report(f"Warning, accepted because of LEAFMILL_INSECURE: {name}: {reason}")
        try:
            preflight.prepare_data_folder(folder)
            with preflight.lock_data_folder(folder):
                left_over = processes.end(processes.processes_of(str(folder)), grace_seconds=5)
                if left_over:
                    self._report(f"Ended {left_over} processes that an earlier run had left behind.")
                for variable in ("PORT", "FLOWER_PORT", "PROBE_PORT", "ADMIN_PORT"):
                    if port := getattr(settings, variable):
                        preflight.refuse_taken_port(host=settings.HOST, port=port, variable=variable)
                self._prepare_database()
                members, environment = programs.members(folder)
                group = supervision.Group(members, folder=folder, environment=environment, report=self._report)
                self._report(f"Starting {', '.join(member.name for member in members)} ...")
                code = group.run(address=(_reachable(settings.HOST), settings.PORT), on_ready=self._print_addresses)
        except CannotStart as error:
            raise CommandError(str(error), returncode=CANNOT_START) from error
        except KeyboardInterrupt:  # before the group installed its signal handlers: nothing is running yet
            code = 0
        sys.exit(code)

    def _prepare_database(self) -> None:
        """Apply migrations. Create the administrator and the API key at the first start and print them."""
        try:
            call_command("migrate", verbosity=0, interactive=False)
            password, key = first_start.ensure_administrator(), first_start.ensure_api_key()
        except OperationalError as error:
            raise CannotStart(f"The database cannot be used: {str(error).strip()}. Check DATABASE_URL.") from error
        is_default_folder = settings.DATA_DIR == settings.BASE_DIR / ".leafmill"
        variable = "" if is_default_folder else f"LEAFMILL_DATA={shlex.quote(str(settings.DATA_DIR))} "
        manage = f"{variable}.venv/bin/python manage.py"
        if password:
            self._report(f"Administrator: {first_start.ADMINISTRATOR}   password: {password}   (shown only this once)")
        else:
            self._report(f"The administrator exists. A new password: {manage} changepassword admin")
        if key:
            self._report(f"API key: {key}   (shown only this once)")
        else:
            self._report(f"API keys exist. Another one: {manage} create_api_key NAME")

    def _print_addresses(self) -> None:
        web = settings.PUBLIC_URL or f"http://{_in_url(settings.HOST)}:{settings.PORT}"
        password_file = Path(settings.DATA_DIR) / "flower_password"
        self._report("Leafmill is ready; the first document may wait some seconds until the workers are.")
        self._report(f"  API      {web}/api/docs")
        admin = f"http://{_in_url(settings.HOST)}:{settings.ADMIN_PORT}" if settings.ADMIN_PORT else web
        self._report(f"  Admin    {admin}/admin/")
        self._report(
            f"  Flower   http://{_in_url(settings.HOST)}:{settings.FLOWER_PORT}"
            f"   user {programs.FLOWER_USER}, password in {password_file}"
        )
        if Path(settings.DATA_DIR) != settings.BASE_DIR / ".leafmill":
            self._report(f"Commands in other terminals: export LEAFMILL_DATA={shlex.quote(str(settings.DATA_DIR))}")
        self._report("Ctrl-C stops it.")

    def _report(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:  # the terminal is gone; the group is stopped anyway
            pass


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 (read, not bound)


def _in_url(host: str) -> str:
    host = _reachable(host)
    return f"[{host}]" if ":" in host else host
