"""Filters of the job list, whose choices are found without reading all jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from apps.accounts.models import ApiKey, Project
from apps.jobs.models import ParseJob
from apps.jobs.states import ENDED_JOBS
from apps.jobs.stuck import stuck_jobs
from apps.parsing.modes import MODES

MAX_CHOICES = 50
MAX_JOBS_SEARCHED = 2000


class FieldFilter(admin.SimpleListFilter):
    """A filter on equality with one field."""

    field: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


class ModeFilter(FieldFilter):
    title = parameter_name = field = "mode"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(mode, mode) for mode in MODES]


class ProjectFilter(FieldFilter):
    """The first projects by name; for any other, put ``project=ID`` into the page's address."""

    title, parameter_name, field = "project", "project", "project_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = Project.objects.order_by("name").values_list("pk", "name")[:MAX_CHOICES]
        return [(str(project), name) for project, name in names]


class KeyFilter(FieldFilter):
    """The newest keys."""

    title, parameter_name, field = "key", "key", "api_key_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(key.pk), str(key)) for key in ApiKey.objects.order_by("-pk")[:MAX_CHOICES]]


class ErrorCodeFilter(FieldFilter):
    """The codes of the newest jobs: a query for all distinct codes would read all jobs."""

    title, parameter_name, field = "error code", "error_code", "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = ParseJob.objects.order_by("-created_at").values_list("error_code", flat=True)[:MAX_JOBS_SEARCHED]
        return [(code, code) for code in sorted({*newest} - {""})]


class StuckFilter(admin.SimpleListFilter):
    title = parameter_name = "stuck"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return stuck_jobs(queryset) if self.value() == "yes" else queryset


class KeptFilter(admin.SimpleListFilter):
    title = parameter_name = "kept"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("week", "expires within a week")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "week":
            return queryset
        return queryset.filter(expires_at__lt=Now() + timedelta(days=7), state__in=ENDED_JOBS)
