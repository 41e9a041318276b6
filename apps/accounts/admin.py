"""Admin of projects and keys. A new key is shown once, on the page that follows its creation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.accounts import audit, services
from apps.accounts.models import ApiKey, AuditEntry, Project, ProjectQuota
from apps.core.read_only_admin import ReadOnlyAdmin

MODES = ("fast", "balanced", "multimodal", "agentic")  # those of apps/parsing/modes.py, which accounts may not import

# django-otp's pages show the keys and recovery codes of all users.
admin.site.unregister([StaticDevice, TOTPDevice])


class NamesField(forms.CharField):
    """A list of names, entered with commas between them."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [name for part in (value or "").split(",") if (name := part.strip())]

    def has_changed(self, initial: Any, data: Any) -> bool:
        changed: bool = self.to_python(data) != (initial or [])
        return changed


class ProjectQuotaForm(forms.ModelForm):  # type: ignore[type-arg]
    modes = forms.MultipleChoiceField(
        choices=[(mode, mode) for mode in MODES],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="none chosen: all",
    )
    providers = NamesField(required=False, help_text="names of providers, with commas between them; empty: all")


class ProjectQuotaInline(admin.StackedInline):  # type: ignore[type-arg]
    model = ProjectQuota
    form = ProjectQuotaForm


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "id", "retention_days", "created_at"]
    search_fields = ["name"]
    inlines = [ProjectQuotaInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: Django would leave the files. The action is in apps/jobs/admin/projects.py."""
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = [
        *("name", "beginning", "project", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at"),
        *("requests_per_minute", "uploads_at_once"),
    ]
    list_select_related = ["project"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        chosen = ["project", "name", "scopes", "allowed_addresses", "expires_at"]
        return super().get_fields(request, obj) if obj else chosen

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        facts = ["project", "name", "beginning", "created_at", "last_used_at", "expires_at", "revoked_at"]
        return facts if obj else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = Project.objects.filter(deletion_requested_at=None).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        row, key = services.create_api_key(
            name=obj.name,
            project=obj.project.name,
            expires_at=obj.expires_at,
            scopes=obj.scopes,
            allowed_addresses=obj.allowed_addresses,
        )
        obj.pk, obj.beginning = row.pk, row.beginning
        request.new_api_key = key  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        """Show the key. A message after a redirect would store it in a cookie or in the session."""
        audit.record(
            kind=AuditEntry.Kind.PERSON,
            actor=request.user.get_username(),
            action="accounts_apikey_add",
            target=str(obj.pk),
            meta=request.META,
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New API key",
            "api_key": obj,
            "key": request.new_api_key,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "accounts/new_api_key.html", context)

    @admin.action(description="Revoke the selected keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            services.revoke_api_key(api_key=key)
        self.message_user(request, f"{len(queryset)} key(s) revoked")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "kind", "actor", "action", "target", "address", "request_id"]
    list_filter = ["kind", "at"]
    search_fields = ["actor", "action", "target", "request_id"]
    ordering = ["-pk"]
