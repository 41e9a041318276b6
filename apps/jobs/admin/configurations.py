"""Saved configurations in the admin: to read and delete. The API saves and changes them, because it checks them."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.jobs.models import SavedConfiguration


@admin.register(SavedConfiguration)
class SavedConfigurationAdmin(ReadOnlyAdmin):
    list_display = ["name", "id", "project", "updated_at"]
    list_select_related = ["project"]
    ordering = ["-created_at"]
    search_fields = ["name", "id"]
    search_help_text = "part of a name or of an id"

    def has_delete_permission(self, request: HttpRequest, obj: SavedConfiguration | None = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)
