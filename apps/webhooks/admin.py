"""Webhooks in the admin: saved ones, and the log of deliveries with an action that sends them again."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.webhooks import services
from apps.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


class AttemptInline(admin.TabularInline):  # type: ignore[type-arg]
    model = WebhookAttempt
    fields = ["number", "at", "status", "error", "milliseconds", "response"]
    readonly_fields = ("number", "at", "status", "error", "milliseconds", "response")
    ordering = ["id"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """Deliveries of the last 30 days, newest first."""

    list_display = ["event", "job_id", "url", "state", "attempts", "last_status", "last_error", "due_at", "created_at"]
    list_filter = ["state", "event"]
    list_select_related = ["webhook"]
    list_per_page = 50
    sortable_by = ()
    ordering = ["-created_at"]
    search_fields = ["job_id__exact", "webhook__url"]
    search_help_text = "a job's id, or a part of a URL"
    inlines = [AttemptInline]
    actions = ["send_again"]

    @admin.display(description="URL")
    def url(self, delivery: WebhookDelivery) -> str:
        return delivery.webhook.url

    @admin.action(description="Send again", permissions=["view"])
    def send_again(self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]) -> None:
        """Start a new series of attempts for deliveries that have ended."""
        count = services.replay(list(deliveries.values_list("pk", flat=True)))
        self.message_user(request, f"{count} deliveries will be sent again within seconds.", messages.SUCCESS)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    list_display = ["url", "id", "project", "events", "output_format", "disabled_at", "updated_at"]
    list_select_related = ["project"]
    ordering = ["-updated_at"]
    search_fields = ["id__exact", "url"]
    search_help_text = "an id, or a part of a URL"
