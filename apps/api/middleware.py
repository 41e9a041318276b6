"""Middleware for every request: a request id, errors in one format, policies of browsers, CORS, a check of the host."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.utils.cache import patch_vary_headers

from apps.api.error_responses import problem, problem_of_status
from apps.api.request_errors import NotFound, UnknownHost
from apps.core import logs

logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_API_PATHS = ("/api/", "/livez", "/readyz", "/v1/", "/general/", "/process", "/by-page/", "/mcp", "/version")
# Probes, Prometheus and autoscalers address a pod by its IP. These responses contain no link, so a forged host name
# cannot get into one.
ANY_HOST_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/api/queue-statusz"})
_PAGES_WITH_SCRIPTS = ("/admin", "/api/docs")
POLICY_OF_PAGES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
POLICY_OF_DATA = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
"""For everything that is not one of our pages: a browser that shows a result runs nothing in it."""
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone"),
        *("midi", "payment", "publickey-credentials-get", "screen-wake-lock", "usb", "xr-spatial-tracking"),
    )
)
MAX_LOGGED_CHARS = 400
PREFLIGHT_SECONDS = 600
REFUSAL = "leafmill.refusal"
"""Name in META of an error that the web process found itself, so that its response is made like all others."""
EXPOSED_HEADERS = (
    *("Content-Disposition", "Content-Range", "ETag", "Idempotent-Replayed", "Retry-After", "X-Request-Id"),
    *("RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    *("X-Next-Page-Token", "Mcp-Session-Id"),
)
"""Headers of responses that scripts of other origins may read."""


class RequestMiddleware:
    """Set the request id and the policies, and convert Django's error pages.

    First in MIDDLEWARE, to see responses of other middleware.

    ``request.request_id`` is the caller's X-Request-Id if it has 8 to 64 letters, digits and hyphens, else a new one.
    The response and the log contain it. Several slashes at the start of a path (from a base URL that ends with a
    slash) become one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sent_id = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        # The id stays set until the thread's next request, because Django also logs after its middleware.
        logs.begin(request_id=request_id)
        if request.path_info.startswith("//"):
            request.path_info = "/" + request.path_info.lstrip("/")
        refusal = request.META.get(REFUSAL)
        response = problem(request, refusal) if refusal else self._get_response(request)
        media_type = response.headers.get("Content-Type", "").partition(";")[0]
        if response.status_code >= 400 and request.path_info.startswith(_API_PATHS) and media_type == "text/html":
            allowed = response.headers.get("Allow")
            response = problem_of_status(request, response.status_code)
            if allowed:
                response["Allow"] = allowed
        response["X-Request-Id"] = request_id
        is_page = media_type == "text/html" and request.path_info.startswith(_PAGES_WITH_SCRIPTS)
        response.headers.setdefault("Content-Security-Policy", POLICY_OF_PAGES if is_page else POLICY_OF_DATA)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response


class AdminPortMiddleware:
    """Serve the admin on ADMIN_PORT only, and nothing else there but its files and the probes.

    The port is that of the connection, which no header changes.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_admin_port = request.META.get("SERVER_PORT") == str(settings.ADMIN_PORT)
        is_admin = request.path_info == "/admin" or request.path_info.startswith("/admin/")
        if is_admin != is_admin_port and not request.path_info.startswith(("/static/", "/livez", "/readyz")):
            return problem(request, NotFound())
        return self._get_response(request)


class CorsMiddleware:
    """Let web pages of CORS_ORIGINS call the API from a browser (Fetch standard, "CORS protocol").

    Cookies stay out of it (no ``Access-Control-Allow-Credentials``): the API's key is a header, and cookies belong to
    the admin, which is excluded.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/admin"):
            return self._get_response(request)
        origin, origins = request.headers.get("Origin", ""), settings.CORS_ORIGINS
        is_allowed = bool(origin) and (origins == ["*"] or origin.lower() in origins)
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if is_allowed and is_preflight else self._get_response(request)
        patch_vary_headers(response, ("Origin",))
        if is_allowed:
            response["Access-Control-Allow-Origin"] = "*" if origins == ["*"] else origin
            if is_preflight:
                response["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PUT, DELETE"
                response["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "*")
                response["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
            else:
                response["Access-Control-Expose-Headers"] = ", ".join(EXPOSED_HEADERS)
        return response


class HostMiddleware(CommonMiddleware):
    """Reject host names that are not in ALLOWED_HOSTS, and give the reason in the response and in the log.

    It replaces Django's CommonMiddleware. The paths in ``ANY_HOST_PATHS`` accept any host name.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:  # type: ignore[override]
        if request.path_info in ANY_HOST_PATHS:
            return None
        try:
            return super().process_request(request)
        except DisallowedHost as error:
            # Django's message mentions ALLOWED_HOSTS.
            logger.warning("Request rejected: %s", str(error)[:MAX_LOGGED_CHARS])
            return problem(request, UnknownHost())
