"""manage.py rescue_jobs: recover lost work once. Workers do the same every few seconds."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.jobs.scheduling import rescue
from apps.jobs.stages import recognize

LABELS = {
    "leases": "expired leases reclaimed",
    "sent": "messages sent",
    "sent_again": "messages sent again",
    "advanced": "jobs advanced",
    "overdue": "jobs ended after their deadline",
}


class Command(BaseCommand):
    help = "Recover lost work once: reclaim expired leases and send lost messages again."

    def handle(self, *args: Any, **options: Any) -> None:
        found = rescue.rescue_jobs(accept_written_answer=recognize.accept_written_answer)
        if found is None:
            self.stdout.write("Another process is recovering lost work right now.")
        elif not found:
            self.stdout.write("Nothing was lost.")
        else:
            counts = [(getattr(found, name), label) for name, label in LABELS.items()]
            self.stdout.write(", ".join(f"{label}: {count}" for count, label in counts if count))
