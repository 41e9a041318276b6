"""manage.py pause NAME: pause a queue or the intake of new jobs until ``manage.py resume NAME``.

Without a name it lists what is paused.
"""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.accounts import audit
from apps.jobs.management.pauses import describe_pauses
from apps.jobs.scheduling import pauses


class Command(BaseCommand):
    help = "Pause a queue (it gets no new messages; dispatched ones finish) or the intake of new jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", choices=pauses.pausable(), metavar="QUEUE|intake")
        parser.add_argument("--reason", default="", help="shown in the admin, and to clients whose jobs are refused")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if name is None:
            self.stdout.write(describe_pauses())
            return
        reason = options["reason"]
        new = pauses.pause(name=name, reason=reason, by=f"{getpass.getuser()} (command line)")
        audit.record_command("pause", name)
        already = f"{name} was already paused{'; the reason is updated' if reason else ''}."
        self.stdout.write(f"{name} is paused." if new else already)
