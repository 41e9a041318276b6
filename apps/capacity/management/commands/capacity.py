"""manage.py capacity: compute the pods, model workers, quotas and money that a load needs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.capacity import arguments


class Command(BaseCommand):
    help = (
        "Compute what a load needs: pods by the deployment guide and by measurements, requests and tokens, quotas that "
        "are too small, money. Exit code 1 if a quota is too small, no deployment serves the mode, or the database "
        "cannot be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_load_options(parser, required=True)
        parser.add_argument("--simulate", action="store_true", help="also simulate the load")
        arguments.add_simulation_options(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        simulates = options["simulate"] or options["chart"] is not None
        planned, _ = arguments.plan_and_print(options, self.stdout.write, shows_plan=True, simulates=simulates)
        model = planned.model
        if model is not None and (model.quotas is None or not model.quotas.is_enough):
            raise SystemExit(1)
