"""manage.py check_providers: check whether every deployment works."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.providers.checking import check_deployment
from apps.providers.models import Deployment


class Command(BaseCommand):
    help = "Send a page of text to every deployment and report the problems. Exit code 1 if any does not work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-call", action="store_true", help="report only the known state, without any request")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        rows = list(Deployment.objects.select_related("provider").order_by("order", "pk"))
        if not rows:
            raise CommandError("There is no deployment. Load some: manage.py load_providers FILE")
        failed = 0
        width = max(len(row.name) for row in rows)
        for row in rows:
            checked = check_deployment(row, call=not options["no_call"])
            failed += checked.works is False
            verdict = {True: "ok", False: "FAILED", None: "-"}[checked.works]
            seconds = f" ({checked.seconds:.1f} s)" if checked.seconds is not None else ""
            self.stdout.write(f"{checked.name:<{width}}  {verdict:<6}  {checked.provider}: {checked.detail}{seconds}")
            self.stdout.write(f"{'':<{width}}  {'':<6}  prices: {checked.prices}")
        if failed:
            raise CommandError(f"{failed} of {len(rows)} deployments do not work.")
