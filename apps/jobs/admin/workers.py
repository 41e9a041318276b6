"""Workers in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.jobs import queries
from apps.jobs.models import Worker


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Workers of the last day, the most recently seen first."""

    list_display = ["name", "queue_names", "width", "version", "status", "started", "seen"]
    ordering = ["-seen_at"]
    search_fields = ["name", "host"]
    search_help_text = "part of a worker's name or of its host's name"

    @admin.display(description="queues")
    def queue_names(self, worker: Worker) -> str:
        return ", ".join(worker.queues)

    @admin.display(description="status")
    def status(self, worker: Worker) -> str:
        if worker.stopped_at:
            return "stopped"
        return "running" if worker.seen_at >= timezone.now() - queries.WORKER_TIMEOUT else "silent"

    @admin.display(description="started", ordering="started_at")
    def started(self, worker: Worker) -> str:
        return format_html('<span class="lm-times">{}</span>', f"{worker.started_at:%m-%d %H:%M:%S}")

    @admin.display(description="last seen", ordering="seen_at")
    def seen(self, worker: Worker) -> str:
        return format_html('<span class="lm-times">{}</span>', f"{worker.seen_at:%m-%d %H:%M:%S}")
