"""manage.py rotate_api_key NAME [--project P] [--old-for-hours H]"""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.accounts import audit, services
from apps.accounts.models import ApiKey

MAX_HOURS = 24 * 365


class Command(BaseCommand):
    help = "Create a key like the one with this name and print it. The old one expires after some hours."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--project", default=services.DEFAULT_PROJECT)
        parser.add_argument("--old-for-hours", type=int, default=24, metavar="H", help="default: 24; 0: expires now")

    def handle(self, *args: Any, **options: Any) -> None:
        hours = options["old_for_hours"]
        if not 0 <= hours <= MAX_HOURS:
            raise CommandError(f"--old-for-hours must be 0 to {MAX_HOURS:,}.")
        named = ApiKey.objects.valid().filter(name=options["name"], project__name=options["project"])
        newest = named.order_by("-created_at", "-pk").first()
        if newest is None:
            raise CommandError(f"No valid key is called {options['name']!r} in project {options['project']!r}.")
        _, key = services.rotate_api_key(api_key=newest, old_until=timezone.now() + timedelta(hours=hours))
        audit.record_command("rotate API key", f"{options['name']} of {options['project']}")
        self.stdout.write(key)
