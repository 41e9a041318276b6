"""``manage.py mcp`` in Django's list of commands. manage.py itself runs it without Django, to start faster."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.cli import mcp_stdio


class Command(BaseCommand):
    help = "Serve the tools of a running service over stdio (Model Context Protocol)."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(mcp_stdio.main(argv[2:]))

    def add_arguments(self, parser: CommandParser) -> None:
        mcp_stdio.add_arguments(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        code = mcp_stdio.run(Namespace(**options))
        if code:
            raise CommandError("The command cannot run. See the messages above.", returncode=code)
