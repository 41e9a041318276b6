"""What every request gets, before and after Django: an id, errors in one shape, a look at the name it came by."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware

from apps.api.error_responses import problem, problem_of_status
from apps.api.request_errors import UnknownHost
from apps.core import logs

logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_OURS = ("/api/", "/livez", "/readyz")
# Probes, Prometheus and autoscalers ask a pod by its address. These answers hold no link, so no name can be forged in.
ANY_HOST_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/api/queue-statusz"})
MAX_LOGGED_CHARS = 400


class RequestMiddleware:
    """First in MIDDLEWARE, so that it sees the answers that Django's own middleware gives.

    ``request.request_id`` is the caller's X-Request-Id where it is a plain word, else a new one; it goes back in the
    answer and into the log. A path that begins with several slashes (a base URL that ended in one) loses all but one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        logs.begin(request_id=request_id)  # until the thread's next one: Django logs after its middleware, too
        if request.path_info.startswith("//"):
            request.path_info = "/" + request.path_info.lstrip("/")
        response = self._get_response(request)
        if response.status_code >= 400 and request.path_info.startswith(_OURS) and _is_page(response):
            allowed = response.headers.get("Allow")
            response = problem_of_status(request, response.status_code)
            if allowed:
                response["Allow"] = allowed
        response["X-Request-Id"] = request_id
        return response


class HostMiddleware(CommonMiddleware):
    """In the place of Django's: a name that is not in ALLOWED_HOSTS is refused, and caller and log are told why.

    The addresses of ``ANY_HOST_PATHS`` answer whatever the name is.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:  # type: ignore[override]
        if request.path_info in ANY_HOST_PATHS:
            return None
        try:
            return super().process_request(request)
        except DisallowedHost as error:
            # Django's message names ALLOWED_HOSTS.
            logger.warning("Request refused: %s", str(error)[:MAX_LOGGED_CHARS])
            return problem(request, UnknownHost())


def _is_page(response: HttpResponseBase) -> bool:
    """Whether the framework wrote this answer for a person to read."""
    return response.headers.get("Content-Type", "").partition(";")[0] == "text/html"
