"""manage.py work QUEUE...: run a worker for these queues. settings.QUEUES sets its pool and width."""

import time
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from apps.core.database_connections import share_connections
from apps.jobs import workflow
from apps.pages.conversion.converter import find_program, missing_here
from apps.providers.calls.process_gateway import share_widths
from apps.providers.models import Deployment

DEPLOYMENT_POLL_SECONDS = 3.0
# Messages of a model queue that a worker takes at once. Their pages have threads of their own (page_threads.py).
MESSAGES_PER_MODEL_QUEUE = 4


def refuse_without_private_keys() -> None:
    """Raise CommandError if there is no private key: this worker would fail pages that others can parse."""
    if not settings.PROVIDER_PRIVATE_KEYS:
        raise CommandError(
            "This worker calls models, but cannot open the secrets of providers: LEAFMILL_PROVIDER_PUBLIC_KEY is set, "
            "but not LEAFMILL_PROVIDER_PRIVATE_KEYS. Set it to the private keys."
        )


class Command(BaseCommand):
    help = "Run a worker for one or more queues of the same pool, until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        own = [name for name in settings.QUEUES if name not in workflow.OCR_QUEUES]  # python -m ocr_worker runs those
        parser.add_argument("queues", nargs="+", choices=own, metavar="QUEUE")
        parser.add_argument("--width", type=int, default=None, help="processes or threads; default: settings.QUEUES")
        parser.add_argument(
            "--share", type=int, default=1, help="number of processes that share the width of each model queue (1)"
        )
        parser.add_argument("--when-provided", action="store_true", help="wait until a deployment is loaded")
        parser.add_argument("--name", default=None, help="the worker's name; default: the first queue's")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = [settings.QUEUES[name] for name in options["queues"]]
        pools = {queue.pool for queue in queues}
        if len(pools) > 1:
            self.stderr.write(
                f"These queues use different pools ({', '.join(sorted(pools))}): start one worker for each pool."
            )
            raise SystemExit(2)
        if any(queue.page_parser for queue in queues) and settings.PROVIDER_PUBLIC_KEY:
            refuse_without_private_keys()
        if workflow.CONVERT_QUEUE in options["queues"] and find_program(settings.CONVERTER) is None:
            self.stderr.write(f"converter_missing: {missing_here().detail} CONVERTER names its path.")
            raise SystemExit(2)
        if options["when_provided"]:
            # Without a deployment there is no work, and the worker would only use memory.
            while not Deployment.objects.exists():
                connection.close()
                time.sleep(DEPLOYMENT_POLL_SECONDS)
            connection.close()
        share = options["share"]
        if any(queue.page_parser for queue in queues):
            share_widths(share)
            share_connections()
        # Queues of models add up. The other queues use the same processes by turns.
        for_models = MESSAGES_PER_MODEL_QUEUE * sum(bool(queue.page_parser) for queue in queues)
        others = max((queue.width for queue in queues if not queue.page_parser), default=0)
        width = options["width"] or for_models + others
        import_module(settings.CELERY_APP).app.worker_main(
            [
                *(["--quiet"] if settings.LOG_FORMAT == "json" else []),  # the banner is not JSON
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
