"""/api/schemas: JSON Schemas of the files of a result that are JSON."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, TypeAdapter
from rest_framework.request import Request

from apps.api import links
from apps.api.base import PublicView, json_response
from apps.api.request_errors import NotFound
from apps.api.schema import PROBLEMS
from apps.api.v2.result_types import (
    FailedPage,
    ItemsOfPage,
    ItemsSection,
    MarkdownSection,
    MetadataSection,
    TextSection,
)
from apps.pages.output.exports.chunks import Chunk

ADDRESS = "api/schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class ResultSchema(BaseModel):
    """``file``: the name of a file of a result; ``each_line``: whether each of its lines is a JSON text."""

    file: str
    each_line: bool
    url: str


class ResultSchemas(BaseModel):
    items: list[ResultSchema]


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each file of a result that is JSON, or of each of its lines."""
    return {
        "text.json": TextSection.model_json_schema(),
        "markdown.json": MarkdownSection.model_json_schema(),
        "items.json": ItemsSection.model_json_schema(),
        "metadata.json": MetadataSection.model_json_schema(),
        "grounded_items.jsonl": TypeAdapter(ItemsOfPage | FailedPage).json_schema(),
        "chunks.jsonl": msgspec.json.schema(Chunk),
    }


class SchemaList(PublicView):
    @extend_schema(operation_id="list_result_schemas", tags=["parse"], responses={200: ResultSchemas, **PROBLEMS})
    def get(self, request: Request) -> HttpResponse:
        """List the JSON Schemas of the files of a result."""
        return json_response(
            ResultSchemas(
                items=[
                    ResultSchema(file=name, each_line=name.endswith(".jsonl"), url=_address(request, name))
                    for name in schemas()
                ]
            )
        )


class SchemaOfFile(PublicView):
    @extend_schema(operation_id="get_result_schema", tags=["parse"], responses={200: dict[str, Any], **PROBLEMS})
    def get(self, request: Request, name: str) -> HttpResponse:
        """Return the JSON Schema of a file of a result, or of its lines, by the name of the file."""
        if name not in schemas():
            raise NotFound(f"There is no schema of this name. The names are: {', '.join(schemas())}.")
        return json_response({"$schema": _DIALECT, "$id": _address(request, name), **schemas()[name]})


def _address(request: Request, name: str) -> str:
    return f"{links.origin(request)}/{ADDRESS}/{name}"
