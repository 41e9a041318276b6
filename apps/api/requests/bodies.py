"""Reading bodies: JSON that is what it says, within limits, and options as models."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from rest_framework.request import Request

from apps.api.request_errors import (
    FieldTooLarge,
    IncompleteUpload,
    InvalidJson,
    InvalidOptions,
    InvalidRequest,
    OptionProblem,
    UnsupportedEncoding,
    UnsupportedMediaType,
)

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_KEYS = 1000
Model = TypeVar("Model", bound=BaseModel)


def read_json(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """The object in the request's body; ``optional``: nothing at all is an empty object."""
    check_encoding(request)
    raw = _body(request)
    if not raw and optional:
        return {}
    if content_type(request) != "application/json":
        if not raw:
            raise InvalidRequest("The request has no body. Send a JSON object.")
        raise UnsupportedMediaType("The body must be application/json. Set Content-Type to that.")
    if not raw:
        raise InvalidRequest("The request has no body. Send a JSON object.")
    return parse_json(raw)


def content_type(request: Request) -> str:
    return str(request.META.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()


def check_encoding(request: Request) -> None:
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding


def _body(request: Request) -> bytes:
    source, announced = source_of(request)
    if announced > MAX_BODY_BYTES:
        raise FieldTooLarge(f"The body is larger than {MAX_BODY_BYTES // 1024} KB.")
    raw = b""
    try:
        while len(raw) <= MAX_BODY_BYTES and (chunk := source.read(MAX_BODY_BYTES + 1 - len(raw))):
            raw += chunk
    except OSError as error:  # also Django's UnreadablePostError
        raise IncompleteUpload from error
    if len(raw) > MAX_BODY_BYTES:
        raise FieldTooLarge(f"The body is larger than {MAX_BODY_BYTES // 1024} KB.")
    if len(raw) < announced:
        raise IncompleteUpload
    return raw


def source_of(request: Request) -> tuple[Any, int]:
    """Where the body comes from and how many bytes are announced, -1 when that is not said (a chunked body).

    Django reads nothing without a length, so such a body comes from the server itself, where it ends by itself.
    """
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isascii() and announced.isdigit():
        return request, int(announced)
    if request.META.get("wsgi.input_terminated"):
        return request.META["wsgi.input"], -1
    return request, 0


def parse_json(raw: bytes) -> dict[str, Any]:
    """An object within the limits, in UTF-8, without NaN, repeated names, and what no database can store."""
    keys = 0

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(pairs)
        if keys > MAX_KEYS:
            raise InvalidJson(f"The JSON has more than {MAX_KEYS} names.")
        found = dict(pairs)
        if len(found) != len(pairs):
            raise InvalidJson("A name stands twice in one object of the JSON.")
        return found

    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=read_object, parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:  # ValueError: also UnicodeDecodeError and numbers of 5,000 digits
        raise InvalidJson from error
    if not isinstance(value, dict):
        raise InvalidJson("The JSON must be an object, {...}.")
    _check(value, depth=1)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not a number of JSON.")


def _finite(text: str) -> float:
    """1e999 is JSON, and infinite as a float, which no database keeps as JSON."""
    number = float(text)
    if not math.isfinite(number):
        raise InvalidJson("A number of the JSON is too large.")
    return number


def _check(value: object, *, depth: int) -> None:
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise InvalidJson("The JSON has a text with a NUL or half a surrogate pair in it.")
        return
    if not isinstance(value, dict | list):
        return
    if depth > MAX_DEPTH:
        raise InvalidJson(f"The JSON is nested more than {MAX_DEPTH} deep.")
    for item in value:
        _check(item, depth=depth + 1)
        if isinstance(value, dict):
            _check(value[item], depth=depth + 1)


def validated(model: type[Model], values: dict[str, Any], *, where: str = "body") -> Model:
    """``values`` as the model; InvalidOptions names every option at fault by its path, which begins with ``where``."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidOptions(
            [
                OptionProblem(each["type"], (where, *each["loc"]), each["msg"], each["input"])
                for each in error.errors(include_url=False, include_context=False)[:50]
            ]
        ) from None
