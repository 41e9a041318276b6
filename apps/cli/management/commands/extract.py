"""``manage.py extract`` in Django's list of commands. manage.py itself runs it without Django, to start faster."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.cli import extract


class Command(BaseCommand):
    help = "Let a running service extract values from a document by a JSON schema, and print them as JSON."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(extract.main(argv[2:]))

    def add_arguments(self, parser: CommandParser) -> None:
        extract.add_arguments(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        code = extract.run(Namespace(**options))
        if code:
            raise CommandError("The values were not extracted completely. See the messages above.", returncode=code)
