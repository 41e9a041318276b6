"""Request bodies: strict JSON within limits, and its validation by models."""

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
from apps.api.requests import idempotency
from apps.api.requests.awaited_bodies import awaited_body

MAX_BODY_BYTES = 1024 * 1024
CHUNK_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_KEYS = 1000
MAX_PROBLEMS = 50
Model = TypeVar("Model", bound=BaseModel)


def read_json(request: Request, *, optional: bool = False, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the JSON object in the body. If ``optional``, an empty body is an empty object.

    Ends the request if it was answered before (``idempotency.begin``).
    """
    raw = read_raw(request, max_bytes=max_bytes)
    if not raw:
        if optional:
            return {}
        raise InvalidRequest("The request has no body. Send a JSON object.")
    if content_type(request) != "application/json":
        raise UnsupportedMediaType("The body must be JSON. Send it with Content-Type: application/json.")
    content = parse_json(raw)
    idempotency.begin(request, lambda: idempotency.fingerprint_of(raw), transaction_id=content.get("transaction_id"))
    return content


def read_raw(request: Request, *, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return a body of at most ``max_bytes``. Raise UnsupportedEncoding, FieldTooLarge or IncompleteUpload."""
    check_encoding(request)
    source, announced = source_of(request, max_bytes=max_bytes)
    too_large = FieldTooLarge(f"The body is larger than {max_bytes // 1024} KB. Send a smaller one.")
    if announced > max_bytes:
        raise too_large
    raw = bytearray()
    try:
        while len(raw) <= max_bytes and (chunk := source.read(min(CHUNK_BYTES, max_bytes + 1 - len(raw)))):
            raw += chunk
    except OSError as error:  # also Django's UnreadablePostError
        raise IncompleteUpload from error
    if len(raw) > max_bytes:
        raise too_large
    if len(raw) < announced:
        raise IncompleteUpload
    return bytes(raw)


def content_type(request: Request) -> str:
    return str(request.META.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()


def check_encoding(request: Request) -> None:
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding


def source_of(request: Request, *, max_bytes: int) -> tuple[Any, int]:
    """Return the stream of the body and its announced length in bytes, -1 if none is announced (a chunked body).

    The caller reads at most ``max_bytes``, and one more to see that there are more. Django reads nothing without a
    length. Such a body is read from the server's stream, which ends by itself.
    """
    if (awaited := awaited_body(request)) is not None:
        awaited.max_bytes = max_bytes
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isascii() and announced.isdigit():
        return request, int(announced)
    if request.META.get("wsgi.input_terminated"):
        return request.META["wsgi.input"], -1
    return request, 0


def parse_json(raw: bytes, *, source: str = "The body") -> dict[str, Any]:
    """Return the object within the limits. Raise InvalidJson as ``parse_json_value``, and for another value."""
    value = parse_json_value(raw, source=source)
    if not isinstance(value, dict):
        raise InvalidJson("The JSON is not an object. Send an object, {...}.")
    return value


def json_or_text(text: str) -> Any:
    """Return the value of a form field that is JSON or a plain text."""
    try:
        return parse_json_value(text.encode("utf-8", "surrogatepass"))
    except InvalidJson:
        return text


def parse_json_value(raw: bytes, *, source: str = "The body") -> Any:
    """Return the value within the limits. Raise InvalidJson for NaN, repeated names and text no database can store.

    ``source`` begins the message for what is no JSON.
    """
    count = 0

    def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal count
        count += len(pairs)
        if count > MAX_KEYS:
            raise InvalidJson(f"The JSON has more than {MAX_KEYS} names. Send fewer.")
        names = dict(pairs)
        if len(names) != len(pairs):
            raise InvalidJson("An object of the JSON contains a name twice. Send each name once.")
        return names

    def reject_constant(name: str) -> NoReturn:
        raise InvalidJson(f"{name} is not valid in JSON. Send a number or null.")

    def finite(text: str) -> float:
        # 1e999 is valid JSON, but it becomes infinite as a float, which no database stores as JSON.
        number = float(text)
        if not math.isfinite(number):
            raise InvalidJson("A number in the JSON is too large. Send a smaller one.")
        return number

    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=unique_names, parse_constant=reject_constant, parse_float=finite
        )
    except (ValueError, RecursionError) as error:  # ValueError: also UnicodeDecodeError and numbers of 5,000 digits
        where = f" at character {error.pos + 1}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidJson(
            f'{source} is not valid JSON in UTF-8{where}. Send an object such as {{"tier": "fast"}}.'
        ) from error
    check_storable(value)
    return value


def check_storable(value: object, *, depth: int = 1) -> None:
    """Raise InvalidJson for a value that is nested too deeply, or contains text that no database can store."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise InvalidJson("A text in the JSON contains NUL or half of a surrogate pair. Remove these characters.")
        return
    if not isinstance(value, dict | list):
        return
    if depth > MAX_DEPTH:
        raise InvalidJson(f"The JSON is nested more than {MAX_DEPTH} levels deep. Send a flatter object.")
    for item in value:
        check_storable(item, depth=depth + 1)
        if isinstance(value, dict):
            check_storable(value[item], depth=depth + 1)


def validated(model: type[Model], values: dict[str, Any], *, where: str = "body") -> Model:
    """Return ``values`` as the model. Raise InvalidOptions with the path of each invalid one, starting at ``where``."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidOptions(
            [
                OptionProblem(each["type"], (where, *each["loc"]), each["msg"], each["input"])
                for each in error.errors(include_url=False, include_context=False)[:MAX_PROBLEMS]
            ]
        ) from None
