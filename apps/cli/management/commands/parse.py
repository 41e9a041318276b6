"""``manage.py parse`` in Django's list of commands. manage.py itself runs it without Django, to start faster."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.cli import command_line
from apps.cli.options import add_arguments


class Command(BaseCommand):
    help = "Parse one document and print its Markdown. It needs no broker, database or running service."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(command_line.main(argv[2:]))

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        code = command_line.run(Namespace(**options))
        if code:
            raise CommandError("The document was not parsed completely. See the messages above.", returncode=code)
