"""manage.py work QUEUE...: a worker for these queues, its pool and width from settings.QUEUES."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from apps.jobs import workflow

MEMORY_PER_CHILD_KB = 700_000


class Command(BaseCommand):
    help = "Run a worker for one or more queues of the same pool, until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        own = [name for name in settings.QUEUES if name not in workflow.OCR_QUEUES]  # those: python -m ocr_worker
        parser.add_argument("queues", nargs="+", choices=own, metavar="QUEUE")
        parser.add_argument("--width", type=int, default=None, help="processes or threads; default: settings.QUEUES")
        parser.add_argument("--name", default=None, help="the worker's name; default: the first queue's")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = [settings.QUEUES[name] for name in options["queues"]]
        pools = {queue.pool for queue in queues}
        if len(pools) > 1:
            self.stderr.write(
                f"These queues want different pools ({', '.join(sorted(pools))}): start a worker for each."
            )
            raise SystemExit(2)
        import_module(settings.CELERY_APP).app.worker_main(
            [
                "worker",
                f"--queues={','.join(queue.name for queue in queues)}",
                f"--pool={pools.pop()}",
                f"--concurrency={options['width'] or max(queue.width for queue in queues)}",
                f"--hostname={options['name'] or queues[0].name}@%h",
                f"--loglevel={settings.LOG_LEVEL}",
                "--task-events",
                "--without-gossip",
                "--without-mingle",
            ]
        )
