"""manage.py cleanup [--dry-run]: remove expired jobs now. Housekeeping does the same regularly."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.accounts import audit
from apps.jobs.commands import clean_up
from apps.jobs.scheduling import retention


class Command(BaseCommand):
    help = "Remove expired jobs with all their files, and print how many there are."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only print what would be removed")

    def handle(self, *args: Any, **options: Any) -> None:
        retention.update_expiry()
        expired = clean_up.overdue()
        self.stdout.write(
            f"Expired: {expired.jobs:,} job(s) of {expired.pages:,} page(s) and {expired.documents:,} document(s) "
            f"that came with them, {expired.size_bytes:,} bytes."
        )
        if not options["dry_run"]:
            removed = clean_up.clean_up_all()
            audit.record_command("cleanup", f"{removed} jobs")
            self.stdout.write(f"Removed: {removed:,} job(s).")
