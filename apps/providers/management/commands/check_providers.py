"""manage.py check_providers: does every deployment work?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.providers.checking import Checked, check_deployment
from apps.providers.models import Deployment


class Command(BaseCommand):
    help = "Ask every deployment a small question and tell what is wrong. Exit code 1 when one does not work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-call", action="store_true", help="look at what is known, and ask nobody")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        rows = list(Deployment.objects.select_related("provider").order_by("order", "pk"))
        if not rows:
            raise CommandError("There is no deployment. Load some: manage.py load_providers FILE")
        failed = 0
        width = max(len(row.name) for row in rows)
        for row in rows:
            checked = check_deployment(row, call=not options["no_call"])
            failed += checked.works is False
            self.stdout.write(_line(checked, width))
        if failed:
            raise CommandError(f"{failed} of {len(rows)} deployments do not work.")


def _line(checked: Checked, width: int) -> str:
    verdict = {True: "ok", False: "FAILED", None: "-"}[checked.works]
    seconds = f" ({checked.seconds:.1f} s)" if checked.seconds is not None else ""
    return f"{checked.name:<{width}}  {verdict:<6}  {checked.provider}: {checked.detail}{seconds}"
