"""Who asks: the project and key that ``Authorization: Bearer KEY`` stands for."""

from __future__ import annotations

from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey, Project
from apps.api.request_errors import NotFound, Unauthenticated

MAX_KEY_CHARS = 200


@dataclass(frozen=True)
class Caller:
    """Takes the place of a user in a request of the API."""

    project: Project
    api_key: ApiKey
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    """Absent, wrong, expired and revoked keys get the same answer, so that it says nothing about which keys exist."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        """Raises Unauthenticated, and NotFound when ``project_id`` names a project that is not the key's."""
        scheme, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not 0 < len(key) <= MAX_KEY_CHARS:
            raise Unauthenticated
        api_key = accounts.find_api_key(key)
        if api_key is None:
            raise Unauthenticated
        asked = request.GET.get("project_id")
        if asked and asked.lower() != str(api_key.project_id):
            raise NotFound("There is no such project. Leave project_id out to use the project of the key.")
        return Caller(api_key.project, api_key), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
