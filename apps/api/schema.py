"""Parts of the OpenAPI description that no model provides: forms, query parameters, errors and results."""

from __future__ import annotations

from typing import Annotated, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from pydantic import BaseModel, Field

from apps.api.error_codes import CODES
from apps.api.v2.representations import Job, ResultContentMetadata


class FieldProblem(BaseModel):
    field: str
    code: str
    detail: str


class Problem(BaseModel):
    """Every response that is not 2xx. ``detail`` is a text, or a list of {type, loc, msg, input} of invalid options."""

    type: str
    title: str
    status: int
    code: Annotated[str, Field(json_schema_extra={"enum": list(CODES)})]
    detail: str | list[dict[str, Any]]
    retryable: bool
    request_id: str
    errors: list[FieldProblem]


class Versions(BaseModel):
    fast: list[str]
    cost_effective: list[str]
    agentic: list[str]
    agentic_plus: list[str]
    latest: dict[str, str]


class PageSection(BaseModel):
    pages: list[dict[str, Any]]


class JobResult(BaseModel):
    job: Job
    text: PageSection | None = None
    text_full: str | None = None
    markdown: PageSection | None = None
    markdown_full: str | None = None
    items: PageSection | None = None
    metadata: PageSection | None = None
    job_metadata: dict[str, Any] | None = None
    result_content_metadata: dict[str, ResultContentMetadata] | None = None


JSON = "application/json"
PROBLEMS: dict[Any, Any] = {
    ("4XX", "application/problem+json"): OpenApiResponse(Problem, "The request is not valid"),
    ("5XX", "application/problem+json"): OpenApiResponse(Problem, "The service has a problem; try again"),
}
_FILE = {"type": "string", "format": "binary", "description": "The document"}
FILE_FORM = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "file": _FILE,
            "purpose": {"type": "string", "default": "parse"},
            "external_file_id": {"type": "string"},
        },
        "required": ["file"],
    }
}
PARSE_FORM = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "file": _FILE,
            "configuration": {
                "type": "string",
                "description": "ParseOptions as JSON text",
                "example": '{"tier": "fast", "version": "latest"}',
            },
        },
        "required": ["file", "configuration"],
    }
}
_TYPES: dict[type, Any] = {str: str, int: int, list: {"type": "array", "items": {"type": "string"}}}


def query(**names: type) -> list[OpenApiParameter]:
    """Return optional query parameters. One of type ``list`` may be repeated."""
    of_every_call = {"project_id": str, "organization_id": str}
    return [
        OpenApiParameter(name, _TYPES[kind], OpenApiParameter.QUERY, explode=True if kind is list else None)
        for name, kind in {**names, **of_every_call}.items()
    ]


IDEMPOTENCY_KEY = [
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": 255},
        OpenApiParameter.HEADER,
        description="A new UUID for each request. The same request with the same key creates nothing a second time.",
    ),
]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.api.authentication.ApiKeyAuthentication"
    match_subclasses = True
    name = "ApiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key created with `manage.py create_api_key NAME`"}
