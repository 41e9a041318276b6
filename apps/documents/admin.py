"""Documents in the admin: facts only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from apps.documents.models import Document


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "id", "project", "size_bytes", "created_at"]
    list_select_related = ["project"]
    search_fields = ["id", "name", "sha256"]
    show_full_result_count = False
    readonly_fields = [field.name for field in Document._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
