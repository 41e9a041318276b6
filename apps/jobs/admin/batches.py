"""Batches in the admin: their jobs by state, and an action that cancels the open ones."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.jobs import queries
from apps.jobs.commands.batches import cancel_batch
from apps.jobs.errors import NotCancellable
from apps.jobs.models import JobBatch


@admin.register(JobBatch)
class JobBatchAdmin(ReadOnlyAdmin):
    list_display = ["id", "project", "configuration_id", "source_file_id", "jobs", "created_at", "cancelled_at"]
    list_select_related = ["project"]
    list_per_page = 50
    ordering = ["-created_at"]
    search_fields = ["id", "directory_id", "source_file_id"]
    search_help_text = "the id of a batch, of a directory or of a file, or a part of it"
    actions = ["cancel"]

    @admin.display(description="jobs")
    def jobs(self, batch: JobBatch) -> str:
        counts = queries.batch_counts([batch.pk]).get(batch.pk, {})
        return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the actions; none without the permission to change jobs."""
        return super().get_actions(request) if request.user.has_perm("jobs.change_parsejob") else {}

    @admin.action(description="Cancel the open jobs of the selected batches")
    def cancel(self, request: HttpRequest, queryset: QuerySet[JobBatch]) -> None:
        ended = 0
        for batch in queryset:
            try:
                cancel_batch(batch=batch)
            except NotCancellable:
                ended += 1
        note = f" {ended} had no open job." if ended else ""
        self.message_user(request, f"{len(queryset) - ended} batch(es) cancelled.{note}", messages.SUCCESS)
