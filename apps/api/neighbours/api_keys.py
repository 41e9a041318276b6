"""/api/v1/api-keys: the keys of the project, for keys with the scope ``admin``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel
from rest_framework.request import Request

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey, Scope, validate_networks
from apps.api.base import ApiView, caller_of, json_response, project_of
from apps.api.request_errors import InvalidOptions, NotFound, OptionProblem, ScopeMissing
from apps.api.requests.bodies import read_json, validated
from apps.api.requests.scopes import MANAGES
from apps.api.schema import JSON, PROBLEMS

ScopeName = Literal["read", "parse", "admin"]
MAX_KEPT_HOURS = 24 * 365


class NewApiKey(BaseModel):
    """A key to create. ``allowed_addresses``: addresses or networks that may use it; none: all."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[list[ScopeName], Field(min_length=1)] = ["read", "parse"]
    expires_at: AwareDatetime | None = None
    allowed_addresses: Annotated[list[str], Field(max_length=100)] = []


class Rotation(BaseModel):
    """``old_for_hours``: how long the old key stays valid."""

    old_for_hours: Annotated[int, Field(ge=0, le=MAX_KEPT_HOURS)] = 24


class ApiKeyFacts(BaseModel):
    id: str
    name: str
    project_id: str
    redacted_api_key: str
    scopes: list[str]
    allowed_addresses: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedApiKey(ApiKeyFacts):
    """A new key. ``api_key`` is shown only here."""

    api_key: str


class ApiKeys(RootModel[list[ApiKeyFacts]]):
    """The keys of the project, newest first."""


class KeysOfProject(ApiView):
    scopes = MANAGES

    @extend_schema(operation_id="list_api_keys", tags=["keys"], responses={200: ApiKeys, **PROBLEMS})
    def get(self, request: Request) -> HttpResponse:
        """List the keys of the project, without the keys themselves."""
        rows = ApiKey.objects.filter(project=project_of(request)).order_by("-pk")
        return json_response(ApiKeys([ApiKeyFacts(**_facts(row)) for row in rows]))

    @extend_schema(
        operation_id="create_api_key",
        tags=["keys"],
        request={JSON: NewApiKey},
        responses={200: CreatedApiKey, **PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a key, which is shown only in this response. It takes no Idempotency-Key, because that stores it."""
        asked = validated(NewApiKey, read_json(request))
        own = caller_of(request).api_key
        for scope in asked.scopes:
            if not own.has_scope(Scope(scope)):
                raise ScopeMissing(f"A key cannot give the scope {scope}, because it lacks it.")
        listed = ", ".join(asked.allowed_addresses)
        try:
            validate_networks(listed)
        except ValidationError as error:
            problem = OptionProblem("value_error", ("body", "allowed_addresses"), error.messages[0])
            raise InvalidOptions([problem]) from error
        row, key = accounts.create_api_key(
            name=asked.name,
            project=own.project.name,
            expires_at=asked.expires_at,
            scopes=" ".join(asked.scopes),
            allowed_addresses=listed,
        )
        return json_response(CreatedApiKey(api_key=key, **_facts(row)))


class KeyById(ApiView):
    scopes = MANAGES
    http_method_names = ["delete"]  # noqa: RUF012

    @extend_schema(operation_id="revoke_api_key", tags=["keys"], responses={204: None, **PROBLEMS})
    def delete(self, request: Request, key_id: str) -> HttpResponse:
        """Revoke a key. Requests with it are refused from now on; its jobs continue."""
        accounts.revoke_api_key(api_key=_find(request, key_id))
        return HttpResponse(status=204)


class RotateKey(ApiView):
    scopes = MANAGES
    http_method_names = ["post"]  # noqa: RUF012

    @extend_schema(
        operation_id="rotate_api_key",
        tags=["keys"],
        request={JSON: Rotation},
        responses={200: CreatedApiKey, **PROBLEMS},
    )
    def post(self, request: Request, key_id: str) -> HttpResponse:
        """Create a key with the same rights; the old one stays valid for ``old_for_hours``."""
        old = _find(request, key_id)
        hours = validated(Rotation, read_json(request, optional=True)).old_for_hours
        row, key = accounts.rotate_api_key(api_key=old, old_until=timezone.now() + timedelta(hours=hours))
        return json_response(CreatedApiKey(api_key=key, **_facts(row)))


def _find(request: Request, key_id: str) -> ApiKey:
    """Return a valid key of the project. Raise NotFound, and ScopeMissing if it may do more than the caller's key."""
    number = int(key_id) if key_id.isascii() and key_id.isdigit() and len(key_id) < 19 else 0
    row = ApiKey.objects.valid().select_related("project").filter(pk=number, project=project_of(request)).first()
    if row is None:
        raise NotFound("No such key. The keys of the project: GET /api/v1/api-keys.")
    own = caller_of(request).api_key
    for scope in row.scopes.split():
        if not own.has_scope(Scope(scope)):
            raise ScopeMissing(f"The key has the scope {scope}, which yours lacks.")
    return row


def _facts(row: ApiKey) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "project_id": str(row.project_id),
        "redacted_api_key": f"{row.beginning}...",
        "scopes": row.scopes.split(),
        "allowed_addresses": [each.strip() for each in row.allowed_addresses.split(",") if each.strip()],
        "created_at": row.created_at,
        "last_used_at": row.last_used_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
    }
