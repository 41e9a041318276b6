"""The two addresses of a login over OpenID Connect: to the provider, and back.

They import oidc.py when they are used, because authlib costs a third of a second and most services have no provider.
"""

from __future__ import annotations

import logging

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts import logins

logger = logging.getLogger(__name__)

_NEXT = "oidc_next"
UNKNOWN = {"username": "oidc"}
"""Credentials under which failures without a verified user are counted."""
MAX_LOGGED_CHARS = 300


@never_cache
@require_GET
def begin(request: HttpRequest) -> HttpResponseBase:
    if not settings.OIDC_ISSUER:
        raise Http404
    from apps.accounts import oidc

    request.session[_NEXT] = request.GET.get("next", "")
    callback = (settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}") + reverse("oidc_callback")
    try:
        return oidc.begin(request, callback=callback)
    except oidc.OidcUnavailable as error:
        return _unavailable(request, error)


@never_cache
@require_GET
def finish(request: HttpRequest) -> HttpResponse:
    if not settings.OIDC_ISSUER:
        raise Http404
    from apps.accounts import oidc

    if not AxesProxyHandler.is_allowed(request, UNKNOWN):
        return logins.refuse_login(request, None, UNKNOWN)
    try:
        claims = oidc.finish(request)
    except oidc.OidcUnavailable as error:
        return _unavailable(request, error)
    except oidc.OidcRefused as error:
        return _refused(request, name=UNKNOWN["username"], code="oidc_refused", reason=str(error))
    user = oidc.staff_user(claims)
    if user is None:
        return _refused(request, name=oidc.name_of(claims), code="oidc_not_staff", reason="no claim, or not active")
    target = request.session.pop(_NEXT, "")
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    if not oidc.join_group(user):
        logger.warning("There is no group %r (OIDC_GROUP), so %s has no permissions", settings.OIDC_GROUP, user)
        messages.warning(request, f"There is no group {settings.OIDC_GROUP!r}, so it gave you no permissions.")
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return redirect(target if is_ours else reverse("admin:index"))


def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.warning("Login over OpenID Connect failed: %r", str(error)[:MAX_LOGGED_CHARS])
    return _page(request, "oidc_unavailable", status=503)


def _refused(request: HttpRequest, *, name: str, code: str, reason: str) -> HttpResponse:
    """Count, log and record the failure as that of a password."""
    logger.warning("Login over OpenID Connect of %r refused: %r", name, reason[:MAX_LOGGED_CHARS])
    user_login_failed.send(sender=__name__, credentials={"username": name}, request=request)
    return _page(request, code, status=403)


def _page(request: HttpRequest, code: str, *, status: int) -> HttpResponse:
    response = render(request, "accounts/oidc_failed.html", {"code": code}, status=status)
    response.error_code = code  # type: ignore[attr-defined]
    return response
