"""manage.py capacity: what a load takes of pods, models, quotas and money."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.capacity import arguments


class Command(BaseCommand):
    help = (
        "Tell what a load takes: pods after the deployment guide and as measured here, requests and tokens, which "
        "quotas are too small, money. Exit code 1 when a quota is too small, nobody serves the mode, or nobody knows."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_load_options(parser, required=True)
        parser.add_argument("--simulate", action="store_true", help="also simulate how it would go")
        arguments.add_simulation_options(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        simulates = options["simulate"] or options["chart"] is not None
        planned, _ = arguments.answer(options, self.stdout.write, tells_plan=True, simulates=simulates)
        model = planned.model
        if model is not None and (model.quotas is None or not model.quotas.is_enough):
            raise SystemExit(1)
