"""Logins to the admin over OpenID Connect: the only imports of authlib. The provider is the one of the settings."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from joserfc.errors import JoseError
from requests import RequestException

from apps.accounts.models import OidcIdentity

MAX_SECONDS_PER_REQUEST = 5
CLIENT_SECONDS = 300
MAX_SUBJECT_CHARS = 255
MAX_NAME_CHARS = 100
# Signatures by a key that only the provider has. A provider that lists others, such as "none", cannot add them.
SIGNATURES = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})


class OidcUnavailable(Exception):
    """The provider of logins cannot be reached, or answers with an error. Try again, or log in with a password."""


class OidcRefused(Exception):
    """The provider's response is not valid. Begin the login again."""


def begin(request: HttpRequest, *, callback: str) -> HttpResponseBase:
    """Return the redirect to the provider. State, nonce and PKCE verifier are kept in the session."""
    try:
        response: HttpResponseBase = _client().authorize_redirect(request, callback)
    except RequestException as error:
        raise OidcUnavailable(str(error)) from error
    return response


def finish(request: HttpRequest) -> Mapping[str, Any]:
    """Exchange the code of the provider's redirect, and return the claims of its ID token, which is verified."""
    expected = {
        "iss": {"essential": True, "value": settings.OIDC_ISSUER},
        "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
    }
    try:
        token = _client().authorize_access_token(request, claims_options=expected)
    except RequestException as error:
        raise OidcUnavailable(str(error)) from error
    except (OAuthError, JoseError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise OidcRefused(f"{type(error).__name__}: {error}") from error
    claims: Mapping[str, Any] = token.get("userinfo") or {}
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARS:
        raise OidcRefused("The response has no ID token, or its sub is not valid.")
    return claims


def _client() -> Any:
    return provider_client(settings.OIDC_ISSUER, int(time.monotonic() // CLIENT_SECONDS))


@lru_cache(maxsize=1)
def provider_client(issuer: str, _period: int) -> Any:
    """Return a client that knows the provider's addresses and keys; a new one in each period."""
    client = OAuth().register(
        "leafmill",
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET,
        server_metadata_url=issuer.rstrip("/") + "/.well-known/openid-configuration",
        client_kwargs={
            "scope": settings.OIDC_SCOPES,
            "code_challenge_method": "S256",
            "default_timeout": MAX_SECONDS_PER_REQUEST,
        },
    )
    metadata = client.load_server_metadata()
    if metadata.get("issuer") != issuer:
        raise OidcUnavailable(f"The provider calls itself {metadata.get('issuer')!r}, not {issuer!r}.")
    offered = set(metadata.get("id_token_signing_alg_values_supported", ()))
    metadata["id_token_signing_alg_values_supported"] = sorted(offered & SIGNATURES) or ["RS256"]
    return client


def is_staff(claims: Mapping[str, Any]) -> bool:
    """Return whether OIDC_STAFF_CLAIM has one of OIDC_STAFF_VALUES."""
    claimed = claims.get(settings.OIDC_STAFF_CLAIM)
    values = claimed if isinstance(claimed, list) else [claimed]
    return any(isinstance(value, str) and value in settings.OIDC_STAFF_VALUES for value in values)


def name_of(claims: Mapping[str, Any]) -> str:
    """Return the name by which the provider calls the user, with the characters that user names may have."""
    name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
    return re.sub(r"[^\w.@+-]", "_", name)[:MAX_NAME_CHARS]


@transaction.atomic
def staff_user(claims: Mapping[str, Any]) -> User | None:
    """Return the user of these claims with the staff flag, a new one at the first login; None if it must not log in.

    Users are known by the provider's ``sub`` alone. A user who has lost the claim loses the staff flag.
    """
    of_subject = OidcIdentity.objects.filter(issuer=settings.OIDC_ISSUER, subject=claims["sub"])
    identity = of_subject.select_related("user").first()
    if not is_staff(claims):
        if identity is not None:
            User.objects.filter(pk=identity.user_id).update(is_staff=False)
        return None
    if identity is None:
        identity = OidcIdentity(issuer=settings.OIDC_ISSUER, subject=claims["sub"])
        identity.user = User.objects.create_user(username=f"{name_of(claims)}+{identity.key}")
        identity.save()
    user = identity.user
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    return user if user.is_active else None


def join_group(user: User) -> bool:
    """Add the user to OIDC_GROUP, whose permissions are the user's. Return False if there is no such group."""
    if not settings.OIDC_GROUP:
        return True
    group = Group.objects.filter(name=settings.OIDC_GROUP).first()
    if group is None:
        return False
    user.groups.add(group)
    return True
