"""manage.py reset_second_factor USER"""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts import audit, second_factor


class Command(BaseCommand):
    help = "Remove a user's second factor and recovery codes, for someone who lost them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        if not second_factor.reset(user):
            raise CommandError(f"{options['user']} has no second factor.")
        audit.record_command("reset second factor", options["user"])
        self.stdout.write(f"{options['user']} logs in with the password alone now, and can enrol again.")
