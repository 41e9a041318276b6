"""Counters of HTTP requests, kept in the process that handled them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

# They would add one series per metric, with its creation time.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
if settings.PROMETHEUS_MULTIPROC_DIR:
    Path(settings.PROMETHEUS_MULTIPROC_DIR).mkdir(parents=True, exist_ok=True)
_REQUESTS = Counter(
    "api_http_requests",
    "HTTP requests by route; the status is 2xx, 4xx...",
    ["method", "handler", "status"],
    registry=REGISTRY,
)
_SECONDS = Histogram(
    "api_http_request_duration_seconds",
    "Time until the response starts",
    ["method", "handler"],
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
_LIMITED = Counter(
    "leafmill_limited_requests",
    "Requests that got 429, by error code",
    ["code"],
    registry=REGISTRY,
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "(none)"


class CountRequests:
    """Count requests by route, not by address, so that series are few and contain no ids."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self._get_response(request)
        method = request.method if request.method in METHODS else "OTHER"
        handler = f"/{request.resolver_match.route}" if request.resolver_match else NO_ROUTE
        _REQUESTS.labels(method, handler, f"{response.status_code // 100}xx").inc()
        if response.status_code == 429:
            _LIMITED.labels(getattr(response, "error_code", "other")).inc()
        _SECONDS.labels(method, handler).observe(time.perf_counter() - began)
        return response


def exposition() -> bytes:
    """Return the metrics of this process, or with PROMETHEUS_MULTIPROC_DIR those of all that share the folder."""
    if not settings.PROMETHEUS_MULTIPROC_DIR:
        return generate_latest(REGISTRY)
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
