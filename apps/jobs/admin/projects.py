"""The admin of projects, with the action that deletes a project and everything that is its own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import DELETION, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.accounts.admin import ProjectAdmin
from apps.accounts.models import Project
from apps.jobs.commands import delete_project

admin.site.unregister(Project)  # accounts may not import the command


@admin.register(Project)
class ProjectAdminWithDeletion(ProjectAdmin):
    list_display = [*ProjectAdmin.list_display, "deletion_requested_at"]
    actions = ["delete_everything"]

    def has_delete_everything_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.delete_project")

    @admin.action(description="Delete the selected projects with everything…", permissions=["delete_everything"])
    def delete_everything(self, request: HttpRequest, queryset: QuerySet[Project]) -> HttpResponse | None:
        projects = list(queryset)
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": "Delete projects with everything",
                "projects": [(project, delete_project.contents_of(project)) for project in projects],
                "checkbox": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/accounts/project/confirm_deletion.html", context)
        user: Any = request.user.pk
        for project in projects:
            delete_project.request_deletion(project=project, by=f"user {user}")
        deleted: Any = projects
        LogEntry.objects.log_actions(user, deleted, DELETION, "deleted with everything")
        self.message_user(request, f"{len(projects)} project(s) are being deleted by housekeeping")
        return None
