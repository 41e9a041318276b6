"""Parts of the OpenAPI description that no model provides: forms, query parameters, errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Annotated, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from pydantic import BaseModel, Field

from apps.api.error_codes import CODES
from apps.api.v2.options import ParseOptions


class FieldProblem(BaseModel):
    field: str
    code: str
    detail: str


class InvalidValue(BaseModel):
    type: str
    loc: list[str | int]
    msg: str
    input: str | float | bool | None


class Problem(BaseModel):
    """Every response that is not 2xx. ``detail`` is a text, or a list of invalid options."""

    type: str
    title: str
    status: int
    code: Annotated[str, Field(json_schema_extra={"enum": list(CODES)})]
    detail: str | list[InvalidValue]
    retryable: bool
    request_id: str
    errors: list[FieldProblem]


class Versions(BaseModel):
    fast: list[str]
    cost_effective: list[str]
    agentic: list[str]
    agentic_plus: list[str]
    latest: dict[str, str]


JSON = "application/json"
_ERRORS = "application/problem+json"
_OF_REQUESTS, _OF_SERVICE = "4XX", "5XX"
PROBLEMS: dict[Any, Any] = {
    (_OF_REQUESTS, _ERRORS): OpenApiResponse(Problem, "The request is not valid"),
    (_OF_SERVICE, _ERRORS): OpenApiResponse(Problem, "The service has a problem; try again"),
}
"""The errors of an operation. ``number_problems`` puts a status for each in their place."""
JOB_PROBLEMS: dict[Any, Any] = {
    **{(status, _ERRORS): OpenApiResponse(Problem) for status in (402, 403)},
    **PROBLEMS,
}
"""The errors of an operation that creates a job."""
FILE_PROBLEMS: dict[Any, Any] = {(416, _ERRORS): OpenApiResponse(Problem), **PROBLEMS}
"""The errors of an operation that returns a file, which may be fetched in parts."""
_MEANINGS = {
    400: "The request is malformed, or the state of the object does not allow it",
    401: "The API key is missing or not valid",
    402: "The project's quota is used up",
    403: "The project does not allow the mode",
    404: "There is no such object in the project of the key",
    405: "The address does not support this method",
    409: "The state of the object does not allow this yet, or a request with the same idempotency key is processed",
    413: "The body is too large",
    415: "The type of the body or of the document is not supported",
    416: "The file does not have the part that Range asks for",
    422: "A value is not valid; the body says which one",
    429: "A limit is reached; Retry-After says when to try again",
    500: "An unexpected error of the service",
    503: "A part of the service does not respond, or is paused; Retry-After says when to try again",
    507: "The storage is full",
}
_USUAL = (400, 401, 404, 405, 409, 422, 429, 500, 503)
_WITH_BODY = (413, 415, 507)
_OPTIONAL_BODIES = frozenset({"query_files", "retry_parse"})
_FILE = {"type": "string", "format": "binary", "minLength": 1, "description": "The document"}
FILE_FORM = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "file": _FILE,
            "purpose": {
                "type": "string",
                "default": "parse",
                "enum": ["user_data", "parse", "extract", "classify", "split", "sheet", "agent_app"],
            },
            "external_file_id": {"type": "string", "maxLength": 255},
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
                "allOf": [{"$ref": "#/components/schemas/ParseOptions"}],
                "description": "JSON text",
                "example": {"tier": "fast", "version": "latest"},
            },
        },
        "required": ["file", "configuration"],
    }
}
JSON_PARTS = ("configuration", "auto_mode_configuration_json", "webhook_configurations", "metadata")
"""Parts of forms that are JSON."""
_TEXT: dict[str, Any] = {"type": "string", "maxLength": 1000}
_TYPES: dict[type, Any] = {
    str: _TEXT,
    int: {"type": "integer", "minimum": 0},
    bool: {"type": "boolean"},
    list: {"type": "array", "items": _TEXT, "maxItems": 1000},
}
_TIME = {"type": "string", "format": "date-time"}
_KNOWN: dict[str, Any] = {
    "page_size": {"type": "integer", "minimum": 1, "description": "at most 1000 are returned"},
    "created_at_on_or_after": _TIME,
    "created_at_on_or_before": _TIME,
}


def query(**names: type | dict[str, Any]) -> list[OpenApiParameter]:
    """Return optional query parameters: a type, or a JSON schema. One of type ``list`` may be repeated."""
    parameters = []
    for name, kind in {**names, "project_id": str, "organization_id": str}.items():
        schema = _KNOWN.get(name) or (kind if isinstance(kind, dict) else _TYPES[kind])
        explode = True if schema.get("type") == "array" else None
        parameters.append(OpenApiParameter(name, schema, OpenApiParameter.QUERY, explode=explode))
    return parameters


def job_list_query(statuses: Iterable[str], **more: type | dict[str, Any]) -> list[OpenApiParameter]:
    """Return the query parameters of a list of jobs, and those in ``more``, as ``query`` has them."""
    return query(
        status={"type": "string", "enum": list(dict.fromkeys(statuses))},
        job_ids=list,
        created_at_on_or_after=str,
        created_at_on_or_before=str,
        page_size=int,
        page_token=str,
        **more,
    )


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Write the statuses of errors by number, that bodies are required, and which parts of forms are JSON.

    It is a hook of drf-spectacular.
    """
    _describe_parts(result)
    for operation in _operations(result):
        responses = operation["responses"]
        problem = responses.pop(_OF_REQUESTS, None)
        if problem is None:
            continue
        responses.pop(_OF_SERVICE, None)
        numbers = {*_USUAL, *(_WITH_BODY if "requestBody" in operation else ())}
        numbers |= {int(status) for status in responses if int(status) >= 400}
        for status in ("414", "431"):
            responses[status] = {"description": "The address or the headers are too long for the web server"}
        for number in sorted(numbers):
            responses[str(number)] = {**deepcopy(problem), "description": _MEANINGS[number]}
        if "requestBody" in operation and operation["operationId"] not in _OPTIONAL_BODIES:
            operation["requestBody"]["required"] = True
    return result


def _describe_parts(result: dict[str, Any]) -> None:
    """Describe the parts of forms that are JSON; drf-spectacular has no models in forms."""
    described = ParseOptions.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas = result["components"]["schemas"]
    for name, schema in (*described.pop("$defs", {}).items(), ("ParseOptions", described)):
        schemas.setdefault(name, schema)
    for operation in _operations(result):
        for body in operation.get("requestBody", {}).get("content", {}).values():
            parts = [name for name in JSON_PARTS if name in body.get("schema", {}).get("properties", {})]
            if parts:
                body["encoding"] = {name: {"contentType": JSON} for name in parts}


def _operations(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in result["paths"].values():
        yield from (operation for operation in path.values() if isinstance(operation, dict))


IDEMPOTENCY_KEY = [
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
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


class KeyInOtherHeadersScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.api.compatible.base.KeyInOtherHeaders"
    name = "KeyInHeader"
    priority = 1  # before that of its base class

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        description = "The same key. `unstructured-api-key` and `Authorization: Bearer` work, too."
        return {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": description}
