"""manage.py revoke_api_key NAME [--project P]"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts import audit, services
from apps.accounts.models import ApiKey


class Command(BaseCommand):
    help = "Revoke every key with this name; requests with it are refused from now on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--project", default=services.DEFAULT_PROJECT)

    def handle(self, *args: Any, **options: Any) -> None:
        keys = ApiKey.objects.filter(name=options["name"], project__name=options["project"], revoked_at=None)
        revoked = len(keys)
        for key in keys:
            services.revoke_api_key(api_key=key)
        if not revoked:
            raise CommandError(f"No valid key is called {options['name']!r} in project {options['project']!r}.")
        audit.record_command("revoke API key", f"{options['name']} of {options['project']}")
        self.stdout.write("1 key was revoked." if revoked == 1 else f"{revoked} keys were revoked.")
