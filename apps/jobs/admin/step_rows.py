"""The rows of a job in the admin: pages, steps and attempts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.jobs.models import Annotation, JobPage, PageAttempt, Step


@admin.register(JobPage)
class JobPageAdmin(ReadOnlyAdmin):
    list_display = [
        *("job_id", "number", "state", "attempts", "needs_ocr"),
        *("mode", "mode_reason", "fallback", "error_code"),
    ]
    list_filter = ["state"]
    ordering = ["job_id", "number"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup in ("job__id__exact", "number") or super().lookup_allowed(lookup, value, request)


@admin.register(Annotation)
class AnnotationAdmin(JobPageAdmin):
    list_display = ["job_id", "page_number", "content", "error_code", "error_detail"]
    list_filter = ["error_code"]
    ordering = ["job_id", "page_number"]


@admin.register(Step)
class StepAdmin(JobPageAdmin):
    list_display = ["job_id", "stage", "pages", "state", "starts", "fence", "not_before", "sent_at", "begun_at"]
    list_filter = ["state", "stage", "queue"]
    ordering = ["id"]


@admin.register(PageAttempt)
class PageAttemptAdmin(JobPageAdmin):
    list_display = ["job_id", "stage", "first_page", "last_page", "outcome", "detail", "worker", "started_at"]
    list_filter = ["outcome", "stage"]
    ordering = ["-id"]
