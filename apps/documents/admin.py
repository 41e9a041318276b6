"""Admin of documents and directories. It is read-only: apps/jobs/commands/delete.py removes the stored bytes, too."""

from __future__ import annotations

from django.contrib import admin

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.documents.models import Directory, Document


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ["name", "id", "project", "size_bytes", "kept_as_file", "created_at"]
    list_select_related = ["project"]
    list_per_page = 50
    sortable_by = ["created_at"]
    ordering = ["-created_at"]
    search_fields = ["id", "name", "sha256"]
    search_help_text = "a document's id, name or SHA-256, or a part of them"


@admin.register(Directory)
class DirectoryAdmin(ReadOnlyAdmin):
    list_display = ["name", "id", "project", "created_at"]
    list_select_related = ["project"]
    ordering = ["-created_at"]
    search_fields = ["id", "name"]
    search_help_text = "a directory's id or name, or a part of them"
