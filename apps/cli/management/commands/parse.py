"""``manage.py parse`` for Django's own list of commands; manage.py takes the direct way, which imports less."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.cli import command_line


class Command(BaseCommand):
    help = "Parse one document and print its Markdown. No broker, database or running service is needed."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(command_line.main(argv[2:]))

    def add_arguments(self, parser: CommandParser) -> None:
        command_line.add_arguments(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        code = command_line.run(Namespace(**options))
        if code:
            raise CommandError("The document was not parsed completely; see standard error.", returncode=code)
