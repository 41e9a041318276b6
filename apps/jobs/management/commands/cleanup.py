"""manage.py cleanup [--dry-run]: remove the jobs whose time is over, as housekeeping does by itself."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.jobs.commands import clean_up
from apps.jobs.scheduling import retention


class Command(BaseCommand):
    help = "Remove ended jobs whose time is over, with all their files, and say how much that is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        retention.update_expiry()
        over = clean_up.overdue()
        self.stdout.write(
            f"Their time is over: {over.jobs:,} job(s) of {over.pages:,} page(s) and {over.documents:,} document(s) "
            f"that came with them, {over.size_bytes:,} bytes."
        )
        if not options["dry_run"]:
            self.stdout.write(f"Removed: {clean_up.clean_up_all():,} job(s).")
