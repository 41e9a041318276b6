"""manage.py create_api_key NAME [--project P] [--expires-in-days N] [--scopes S] [--allow-addresses A]"""

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.accounts import audit, services
from apps.accounts.errors import ProjectBeingDeleted
from apps.accounts.models import ALL_SCOPES, Project

MAX_DAYS = 36_500


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_DAYS):
        raise ArgumentTypeError(f"{text!r} is not a number of days, 1 to {MAX_DAYS:,}")
    return int(text)


class Command(BaseCommand):
    help = "Create an API key and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="purpose of the key")
        parser.add_argument("--project", default=services.DEFAULT_PROJECT, help="created if it does not exist")
        parser.add_argument("--expires-in-days", type=_days, metavar="N", help="default: the key does not expire")
        parser.add_argument(
            "--scopes", default=ALL_SCOPES, help=f"what the key may do, with blanks between; default: {ALL_SCOPES!r}"
        )
        parser.add_argument(
            "--allow-addresses", default="", metavar="A", help="addresses or networks that may use it; default: all"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["expires_in_days"]
        expires_at = timezone.now() + timedelta(days=days) if days is not None else None
        is_new = not Project.objects.filter(name=options["project"]).exists()
        try:
            _, key = services.create_api_key(
                name=options["name"],
                project=options["project"],
                expires_at=expires_at,
                scopes=options["scopes"],
                allowed_addresses=options["allow_addresses"],
            )
        except ProjectBeingDeleted as error:
            raise CommandError(error.detail) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        audit.record_command("create API key", f"{options['name']} of {options['project']}")
        if is_new and options["project"] != services.DEFAULT_PROJECT:  # the key alone goes to standard output
            self.stderr.write(f"Project {options['project']} was created.", self.style.SUCCESS)
        self.stdout.write(key)
