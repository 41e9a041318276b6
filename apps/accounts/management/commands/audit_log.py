"""manage.py audit_log [--days N]"""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from apps.accounts.models import AuditEntry

FIELDS = ("at", "kind", "actor", "action", "target", "address", "request_id")


class Command(BaseCommand):
    help = "Print the audit log as JSON lines, the oldest entry first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, metavar="N", help="only entries of the last N days; default: all")

    def handle(self, *args: Any, **options: Any) -> None:
        entries = AuditEntry.objects.order_by("pk")
        if options["days"] is not None:
            entries = entries.filter(at__gte=timezone.now() - timedelta(days=options["days"]))
        for entry in entries.values(*FIELDS).iterator():
            self.stdout.write(json.dumps(entry | {"at": entry["at"].isoformat()}, ensure_ascii=False))
