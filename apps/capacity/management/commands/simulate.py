"""manage.py simulate: simulate a load under the autoscaler, without a cluster."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.capacity import arguments


class Command(BaseCommand):
    help = "Simulate KEDA's control loop, the queues and the providers' quotas under a load: backlog, waits, pod hours."

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_load_options(parser, required=False)
        arguments.add_simulation_options(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        arguments.plan_and_print(options, self.stdout.write, shows_plan=False, simulates=True)
