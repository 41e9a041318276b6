"""manage.py rescue_jobs: one look for lost work by hand. Workers look by themselves every few seconds."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.jobs import services


class Command(BaseCommand):
    help = "Look once for lost leases and messages and send the work again."

    def handle(self, *args: Any, **options: Any) -> None:
        found = services.rescue_jobs()
        if found is None:
            self.stdout.write("Another process is looking right now.")
        else:
            self.stdout.write(str(found))
