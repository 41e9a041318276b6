"""manage.py simulate: how a load would go under the autoscaler, before anyone pays for a cluster."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.capacity import arguments


class Command(BaseCommand):
    help = "Simulate KEDA's loop, the queues and the providers' quotas under a load: backlog, waits, pod hours."

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_load_options(parser, required=False)
        arguments.add_simulation_options(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        arguments.answer(options, self.stdout.write, tells_plan=False, simulates=True)
