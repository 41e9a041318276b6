"""The page of the admin where users enrol a second factor, give their code, and get new recovery codes."""

from __future__ import annotations

import base64
from typing import Any

import segno
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django_otp.util import random_hex

from apps.accounts import audit, second_factor
from apps.accounts.models import AuditEntry

_NEW_KEY = "second_factor_key"  # in the session, until a code proves that an app has it


@never_cache
def show(request: HttpRequest) -> HttpResponse:
    """Ask for a code, or let the user enrol, or manage the second factor; whatever comes next in this session."""
    user: Any = request.user
    if not admin.site.has_permission(request):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    if settings.ADMIN_SECOND_FACTOR == "off":
        return _page(request, "off")
    if user.is_verified():
        return _manage(request)
    return _ask(request) if second_factor.is_enrolled(user) else _enrol(request)


def _ask(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, "ask")
    code = _code_of(request)
    try:
        is_right = second_factor.verify(request=request, code=code)
    except second_factor.TooManyCodes as refused:
        seconds = max(1, round((refused.until - timezone.now()).total_seconds()))
        _record(request, "second factor refused")
        response = _page(request, "ask", status=429, error=f"Too many wrong codes. Try again in {seconds} seconds.")
        response["Retry-After"] = str(seconds)
        return response
    if not is_right:
        _record(request, "second factor failed")
        return _page(request, "ask", error="The code is wrong, or was used before. Wait for the next code of your app.")
    _record(request, "second factor ok" if code.isdigit() and len(code) == 6 else "recovery code used")
    target = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return redirect(target if is_ours else reverse("admin:index"))


def _enrol(request: HttpRequest) -> HttpResponse:
    key = request.session.get(_NEW_KEY)
    if request.method != "POST" or not key:
        request.session[_NEW_KEY] = key = random_hex(20)
        return _page(request, "enrol", **_shown(request, key))
    codes = second_factor.enrol(request=request, key=key, code=_code_of(request))
    if codes is None:
        error = "The code is wrong. Scan the picture again, and check the clock of your phone."
        return _page(request, "enrol", error=error, **_shown(request, key))
    del request.session[_NEW_KEY]
    _record(request, "second factor enrolled")
    return _page(request, "codes", codes=codes)


def _shown(request: HttpRequest, key: str) -> dict[str, Any]:
    """Return the key for an app, as a QR code and as text."""
    picture = segno.make(second_factor.app_url(request.user, key), error="m").svg_inline(scale=4, light="#fff")
    text = base64.b32encode(bytes.fromhex(key)).decode()
    return {"picture": picture, "key": " ".join(text[at : at + 4] for at in range(0, len(text), 4))}


def _manage(request: HttpRequest) -> HttpResponse:
    action = request.POST.get("action")
    if action == "codes":
        codes = second_factor.new_recovery_codes(request.user)
        _record(request, "new recovery codes")
        return _page(request, "codes", codes=codes)
    if action == "remove":
        second_factor.reset(request.user)
        _record(request, "second factor removed")
        messages.success(request, "Your second factor is removed.")
        return redirect("admin:index")
    return _page(request, "manage", remaining=second_factor.remaining_recovery_codes(request.user))


def _code_of(request: HttpRequest) -> str:
    return "".join(request.POST.get("code", "").split()).lower()


def _record(request: HttpRequest, action: str) -> None:
    name = request.user.get_username()
    audit.record(kind=AuditEntry.Kind.PERSON, actor=name, action=action, meta=request.META)


def _page(request: HttpRequest, stage: str, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": "Second factor", "stage": stage, **more}
    return render(request, "accounts/second_factor.html", context, status=status)
