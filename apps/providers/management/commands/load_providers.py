"""manage.py load_providers FILE: load model providers from a YAML file."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts import audit
from apps.providers.loading import load_providers
from apps.providers.provider_file import FileRefused


class Command(BaseCommand):
    help = (
        "Load model providers, their deployments and quotas from a YAML file (docs/providers.md; an example is\n"
        "docs/providers.example.yaml). Loading twice changes nothing. Exit codes: 0 loaded, 1 the file was refused."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the YAML file")
        parser.add_argument("--dry-run", action="store_true", help="list the changes without making them")
        parser.add_argument(
            "--prune", action="store_true", help="remove providers and deployments that are not in the file"
        )

    def handle(self, *_arguments: Any, **options: Any) -> None:
        try:
            changes = load_providers(options["file"], dry_run=options["dry_run"], prune=options["prune"])
        except FileRefused as refused:
            raise CommandError("The file was refused:\n" + "\n".join(refused.problems)) from refused
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        for change in changes:
            self.stdout.write(str(change))
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing was changed.")
        elif made := [f"{change.kind} {change.name}" for change in changes if change.is_made]:
            audit.record_command("load providers", ", ".join(made))
