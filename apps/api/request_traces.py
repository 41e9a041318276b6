"""Add a span to a job's trace for each request that starts or changes the job.

The middleware is installed only if traces are exported.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.core import tracing
from apps.core.spans import Span


class TraceRequests:
    """First in MIDDLEWARE, so that the span covers the whole request, including reading its body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun_at = timezone.now()
        with tracing.collect_affected_jobs() as jobs:
            response = self._get_response(request)
        ended_at = timezone.now()
        announced_size = request.META.get("CONTENT_LENGTH") or ""
        route = f"/{request.resolver_match.route}" if request.resolver_match else ""
        for job_id in filter(tracing.is_sampled, jobs):
            tracing.export(
                Span(
                    name=f"{request.method} {route}",
                    job_id=job_id,
                    begun_at=begun_at,
                    ended_at=ended_at,
                    attributes={
                        "leafmill.job": job_id,
                        "leafmill.request_id": getattr(request, "request_id", ""),
                        "http.request.method": request.method or "",
                        "http.route": route,
                        "http.response.status_code": response.status_code,
                        "http.request.body.size": int(announced_size) if announced_size.isdecimal() else None,
                    },
                    kind="server",
                    caller=request.META.get("HTTP_TRACEPARENT", ""),
                )
            )
        return response
