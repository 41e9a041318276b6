"""Authentication by API key: find the project and the key of ``Authorization: Bearer KEY``."""

from __future__ import annotations

from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.accounts import services as accounts
from apps.accounts.client_address import address_of
from apps.accounts.models import ApiKey, Project
from apps.api.request_errors import WRONG_PROJECT, AddressNotAllowed, NotFound, Unauthenticated
from apps.api.requests import rate_limits

MAX_KEY_CHARS = 200


@dataclass(frozen=True)
class Caller:
    """The project and key of a request. The REST framework stores it as the request's user."""

    project: Project
    api_key: ApiKey
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    """Reject absent, wrong, expired and revoked keys with one response, so that it does not reveal which keys exist."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        """Return the caller. Raise Unauthenticated, or NotFound if ``project_id`` is not the project of the key."""
        key = self.sent_key(request)
        if not 0 < len(key) <= MAX_KEY_CHARS:
            raise Unauthenticated
        api_key = accounts.find_api_key(key)
        if api_key is None:
            rate_limits.count_wrong_key(request)
            raise Unauthenticated
        if api_key.allowed_addresses and not api_key.allows(address_of(request.META)):
            raise AddressNotAllowed
        project_id = request.GET.get("project_id")
        if project_id and not api_key.project.is_called(project_id):
            raise NotFound(WRONG_PROJECT)
        return Caller(api_key.project, api_key), None

    def sent_key(self, request: Request) -> str:
        """Return the key of the request, "" if it has none."""
        scheme, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
