"""manage.py resume NAME: resume a paused queue or the intake. Without a name it lists what is paused."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.accounts import audit
from apps.jobs.management.pauses import describe_pauses
from apps.jobs.scheduling import pauses


class Command(BaseCommand):
    help = "Resume a paused queue or the intake of new jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", choices=pauses.pausable(), metavar="QUEUE|intake")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if name is None:
            self.stdout.write(describe_pauses())
            return
        if not pauses.resume(name=name):
            self.stdout.write(f"{name} was not paused.")
            return
        audit.record_command("resume", name)
        self.stdout.write(f"{name} is resumed.")
