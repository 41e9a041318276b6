"""manage.py rescue_jobs: one look for lost work by hand. Workers look by themselves every few seconds."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.jobs.scheduling import rescue
from apps.jobs.stages import recognize

_WORDS = {
    "leases": "leases given up",
    "sent": "messages sent",
    "sent_again": "messages sent again",
    "advanced": "jobs moved on",
    "overdue": "jobs ended after their deadline",
}


class Command(BaseCommand):
    help = "Look once for lost leases and messages and send the work again."

    def handle(self, *args: Any, **options: Any) -> None:
        found = rescue.rescue_jobs(accept_written_answer=recognize.accept_written_answer)
        if found is None:
            self.stdout.write("Another process is looking right now.")
        elif not found:
            self.stdout.write("Nothing was lost.")
        else:
            counts = [(getattr(found, name), what) for name, what in _WORDS.items()]
            self.stdout.write(", ".join(f"{what}: {count}" for count, what in counts if count))
