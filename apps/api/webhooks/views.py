"""/api/v1/beta/webhook-configs and /api/v2/webhook-configs: saved webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel
from rest_framework.request import Request

from apps.api.base import ApiView, json_response, project_of
from apps.api.requests import query_parameters
from apps.api.requests.bodies import read_json, validated
from apps.api.requests.idempotency import create_once, idempotent
from apps.api.requests.scopes import PARSES
from apps.api.schema import IDEMPOTENCY_KEY, JSON, PROBLEMS, query
from apps.api.webhooks.targets import checked_target
from apps.core.pagination import NEWEST_FIRST
from apps.jobs.errors import InvalidOption
from apps.jobs.option_groups import WebhookConfiguration
from apps.webhooks import services as webhooks
from apps.webhooks.models import WebhookEndpoint
from apps.webhooks.services import WebhookTarget


class SavedWebhook(BaseModel):
    """A saved webhook. The secret is never returned, nor are the values of headers."""

    id: str
    webhook_url: str
    webhook_events: list[str] | None
    webhook_headers: dict[str, str] | None
    webhook_output_format: str
    webhook_sends_result: bool
    has_secret: bool
    is_disabled: bool
    tenant_id: str
    tenant_type: Literal["project"] = "project"
    created_at: datetime
    updated_at: datetime


class SavedWebhookList(BaseModel):
    items: list[SavedWebhook]
    next_page_token: str | None = None
    total_size: int | None = None


class SavedWebhooks(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_webhook_config",
        tags=["webhooks"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: WebhookConfiguration},
        responses={200: SavedWebhook, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Save a webhook, so that requests for jobs can name it in ``webhook_configuration_ids``."""
        project, target = project_of(request), _sent(request)
        return create_once(
            request, lambda: json_response(_represent(webhooks.save_endpoint(project=project, target=target)))
        )

    @extend_schema(
        operation_id="list_webhook_configs",
        tags=["webhooks"],
        parameters=query(page_size=int, page_token=str),
        responses={200: SavedWebhookList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's saved webhooks, newest first."""
        size = query_parameters.integer(
            request, "page_size", query_parameters.DEFAULT_PAGE_SIZE, minimum=1, maximum=query_parameters.MAX_PAGE_SIZE
        )
        rows = WebhookEndpoint.objects.filter(project=project_of(request))
        token = query_parameters.text(request, "page_token")
        page = query_parameters.paginate(rows, order=NEWEST_FIRST, size=size, token=token)
        items = [_represent(endpoint) for endpoint in page.rows]
        return json_response(SavedWebhookList(items=items, next_page_token=page.next_token, total_size=page.total))


class SavedWebhookById(ApiView):
    scopes = PARSES

    http_method_names = ["get", "head", "put", "delete"]  # noqa: RUF012

    @extend_schema(operation_id="get_webhook_config", tags=["webhooks"], responses={200: SavedWebhook, **PROBLEMS})
    def get(self, request: Request, webhook_id: str) -> HttpResponse:
        """Return a saved webhook."""
        return json_response(_represent(_find(request, webhook_id)))

    @extend_schema(
        operation_id="update_webhook_config",
        tags=["webhooks"],
        request={JSON: WebhookConfiguration},
        responses={200: SavedWebhook, **PROBLEMS},
    )
    def put(self, request: Request, webhook_id: str) -> HttpResponse:
        """Replace a saved webhook and enable it again. Without a secret, the old one stays."""
        endpoint = _find(request, webhook_id)
        saved = webhooks.save_endpoint(project=endpoint.project, target=_sent(request), endpoint=endpoint)
        return json_response(_represent(saved))

    @extend_schema(operation_id="delete_webhook_config", tags=["webhooks"], responses={204: None, **PROBLEMS})
    def delete(self, request: Request, webhook_id: str) -> HttpResponse:
        """Delete a saved webhook. Jobs that were created with it still send to it."""
        _find(request, webhook_id).delete()
        return HttpResponse(status=204)


def _find(request: Request, webhook_id: str) -> WebhookEndpoint:
    return webhooks.find_endpoint(project=project_of(request), endpoint_id=webhook_id)


def _sent(request: Request) -> WebhookTarget:
    configuration = validated(WebhookConfiguration, read_json(request))
    if configuration.webhook_events == []:
        detail = "A saved webhook without events would send nothing. Send some, or leave them out for all."
        raise InvalidOption(detail, location=("body", "webhook_events"))
    return checked_target(configuration, ("body",))


def _represent(endpoint: WebhookEndpoint) -> SavedWebhook:
    return SavedWebhook(
        id=endpoint.pk,
        webhook_url=endpoint.url,
        webhook_events=endpoint.events or None,
        webhook_headers=dict.fromkeys(webhooks.unsealed(endpoint)[0], "...") or None,
        webhook_output_format=endpoint.output_format,
        webhook_sends_result=endpoint.sends_result,
        has_secret=bool(endpoint.secret_sealed),
        is_disabled=endpoint.disabled_at is not None,
        tenant_id=str(endpoint.project_id),
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )
