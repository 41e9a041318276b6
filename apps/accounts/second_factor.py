"""The second factor of logins to the admin: codes of an app (TOTP, RFC 6238) and recovery codes, kept by django-otp.

A session has passed it, or lacks it: ``user.is_verified()`` of django-otp's middleware. The pages are in
second_factor_pages.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import django_otp
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

MAX_RECOVERY_CODES = 10
TOLERATED_STEPS = 1  # of 30 seconds, for clocks that differ
_PAGE = "/admin/second-factor/"
_OPEN_PAGES = (_PAGE, "/admin/login/", "/admin/logout/", "/admin/oidc/")


class TooManyCodes(Exception):
    """Too many codes were wrong. ``until``: when the next one is read."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"Too many codes were wrong. The next one is read after {until}.")
        self.until = until


class SecondFactorMiddleware:
    """Lead users of the admin whose session lacks the second factor to the page that asks for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_guarded = request.path_info.startswith("/admin/") and not request.path_info.startswith(_OPEN_PAGES)
        if is_guarded and is_missing(request.user):
            return redirect_to_login(request.get_full_path(), reverse("second_factor"))
        return self._get_response(request)


def is_missing(user: Any) -> bool:
    """Return whether this user's session lacks a second factor that LEAFMILL_ADMIN_SECOND_FACTOR asks for."""
    if settings.ADMIN_SECOND_FACTOR == "off" or not user.is_authenticated or not user.is_staff or user.is_verified():
        return False
    return settings.ADMIN_SECOND_FACTOR == "required" or is_enrolled(user)


def users_without() -> int:
    """Return how many people who may log in to the admin have no second factor."""
    enrolled = TOTPDevice.objects.filter(confirmed=True).values("user_id")
    return get_user_model().objects.filter(is_active=True, is_staff=True).exclude(pk__in=enrolled).count()


def is_enrolled(user: Any) -> bool:
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def app_url(user: Any, key: str) -> str:
    """Return the otpauth: URL by which an app of this user stores the key."""
    url: str = TOTPDevice(user=user, key=key).config_url
    return url


@transaction.atomic
def enrol(*, request: HttpRequest, key: str, code: str) -> list[str] | None:
    """Store the key if the code was made with it, and verify the session. Return recovery codes; None: a wrong code."""
    totp = TOTP(bytes.fromhex(key))
    totp.time = time.time()
    if not (code.isascii() and code.isdigit() and totp.verify(int(code), TOLERATED_STEPS)):
        return None
    user: Any = request.user
    reset(user)
    device = TOTPDevice.objects.create(user=user, name="app", key=key, drift=totp.drift, last_t=totp.t())
    django_otp.login(request, device)
    request.session.cycle_key()
    return new_recovery_codes(user)


@transaction.atomic
def new_recovery_codes(user: Any) -> list[str]:
    """Replace the recovery codes of a user, and return the new ones. Each is accepted once."""
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery codes")
    codes = [StaticToken.random_token() for _ in range(MAX_RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def remaining_recovery_codes(user: Any) -> int:
    return int(StaticToken.objects.filter(device__user=user).count())


@transaction.atomic
def verify(*, request: HttpRequest, code: str) -> bool:
    """Verify the session if the code is right. Six digits are a code of the app, anything else is a recovery code.

    Raise TooManyCodes: each wrong code doubles the time until the next one is read.
    """
    kind = TOTPDevice if len(code) == 6 and code.isdigit() else StaticDevice
    device = kind.objects.select_for_update().filter(user_id=request.user.pk, confirmed=True).first()
    if device is None:
        return False
    is_allowed, reason = device.verify_is_allowed()
    if not is_allowed:
        raise TooManyCodes(reason["locked_until"])
    if not device.verify_token(code):
        return False
    django_otp.login(request, device)
    request.session.cycle_key()
    return True


def reset(user: Any) -> bool:
    """Remove the second factor of a user. Return whether there was one."""
    StaticDevice.objects.filter(user=user).delete()
    return bool(TOTPDevice.objects.filter(user=user).delete()[0])
