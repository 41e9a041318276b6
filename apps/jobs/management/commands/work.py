"""manage.py work QUEUE...: a worker for these queues, its pool and width from settings.QUEUES."""

import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from apps.core.database_connections import share_connections
from apps.jobs import workflow
from apps.providers.calls.shared_gateway import share_widths
from apps.providers.models import Deployment

BETWEEN_LOOKS_SECONDS = 3.0
# Threads beside those whose calls are out, for the work before and after a call: the gateway keeps the width itself.
SPARE_THREADS = 0.25


class Command(BaseCommand):
    help = "Run a worker for one or more queues of the same pool, until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        own = [name for name in settings.QUEUES if name not in workflow.OCR_QUEUES]  # those: python -m ocr_worker
        parser.add_argument("queues", nargs="+", choices=own, metavar="QUEUE")
        parser.add_argument("--width", type=int, default=None, help="processes or threads; default: settings.QUEUES")
        parser.add_argument(
            "--share", type=int, default=1, help="of so many processes that share the widths of model queues (1)"
        )
        parser.add_argument("--when-provided", action="store_true", help="wait until there is a provider to call")
        parser.add_argument("--name", default=None, help="the worker's name; default: the first queue's")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = [settings.QUEUES[name] for name in options["queues"]]
        pools = {queue.pool for queue in queues}
        if len(pools) > 1:
            self.stderr.write(
                f"These queues want different pools ({', '.join(sorted(pools))}): start a worker for each."
            )
            raise SystemExit(2)
        asks_models = any(queue.page_parser for queue in queues)
        if options["when_provided"]:
            _wait_for_deployment()
        if asks_models:
            share_widths(options["share"])
            share_connections()
        width = _width(queues, options["width"], share=options["share"])
        import_module(settings.CELERY_APP).app.worker_main(
            [
                *(["--quiet"] if settings.LOG_FORMAT == "json" else []),  # no banner among the objects
                "worker",
                f"--queues={','.join(queue.name for queue in queues)}",
                f"--pool={pools.pop()}",
                f"--concurrency={width}",
                f"--hostname={options['name'] or queues[0].name}@%h",
                f"--loglevel={settings.LOG_LEVEL}",
                "--task-events",
                "--without-gossip",
                "--without-mingle",
            ]
        )


def _width(queues: Sequence[Any], asked: int | None, *, share: int) -> int:
    """Threads or processes: queues of models add up, a share of them each; the others take turns."""
    calls = sum(max(1, -(-queue.width // share)) for queue in queues if queue.page_parser)
    calls += int(calls * SPARE_THREADS)
    others = max((queue.width for queue in queues if not queue.page_parser), default=0)
    return asked or calls + others


def _wait_for_deployment() -> None:
    """Until somebody loads a provider there is nothing to do, and no memory to spend on it."""
    while not Deployment.objects.exists():
        connection.close()
        time.sleep(BETWEEN_LOOKS_SECONDS)
    connection.close()
