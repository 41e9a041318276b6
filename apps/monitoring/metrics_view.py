"""The address that Prometheus scrapes."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from apps.accounts.bearer import sends_token
from apps.monitoring import metrics


@require_safe
def show_metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics to a request with METRICS_TOKEN; 404 if no token is configured."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not sends_token(request, settings.METRICS_TOKEN):
        return HttpResponse(
            "Send the header Authorization: Bearer TOKEN with METRICS_TOKEN (else QUEUE_STATUS_TOKEN).\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4)
