"""JSON schemas that users send: what is accepted, and the validation of a model's answer against them.

A schema is untrusted. It refers to nothing outside itself, its patterns run in RE2, and the work of a validation is
limited, because branches that refer to each other can multiply without end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from apps.parsing.annotations.schema_errors import InvalidSchema, Schema, SchemaTooLarge, shortened
from apps.parsing.routing.patterns import UnusablePattern, compile_pattern

MAX_SCHEMA_BYTES = 64 * 1024
MAX_PROBLEMS = 10
_MAX_KEYWORDS, _MAX_KEYWORDS_OF_NOTHING = 200_000, 5_000
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_NOT_SUPPORTED = ("patternProperties", "$id", "$anchor", "$dynamicAnchor")
# Below these names are schemas by name, or values; everything else below a schema is a schema.
_BY_NAME = ("properties", "$defs", "definitions", "dependentSchemas")
_VALUES = ("const", "enum", "default", "examples", "example")


def check_schema(schema: Schema) -> None:
    """Raise InvalidSchema or SchemaTooLarge unless answers can be validated against the schema."""
    from jsonschema import Draft202012Validator  # imported here: it takes long
    from jsonschema.exceptions import SchemaError

    if len(json.dumps(schema, ensure_ascii=False).encode("utf-8", "replace")) > MAX_SCHEMA_BYTES:
        raise SchemaTooLarge
    if schema.get("type") != "object":
        raise InvalidSchema('The JSON schema describes no object. Its outermost "type" must be "object".')
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = f" at {error.json_path}" if error.absolute_path else ""
        raise InvalidSchema(f"The JSON schema is not valid{place}: {shortened(error.message)}.") from None
    except RecursionError:
        raise SchemaTooLarge("The JSON schema is nested too deeply. Send a flatter one.") from None
    for path, part in _parts(schema, "#"):
        _check_part(path, part)
    # References that lead nowhere are found when they are followed.
    for path, part in _parts(schema, "#"):
        if "$ref" in part and not _leads_somewhere(schema, part["$ref"]):
            raise InvalidSchema(f"The $ref at {path} leads nowhere: {shortened(part['$ref'])}. Define it under $defs.")
    problems_of(schema, {}, max_keywords=_MAX_KEYWORDS_OF_NOTHING)


def problems_of(schema: Schema, answer: object, *, max_keywords: int = _MAX_KEYWORDS) -> list[str]:
    """Return what is wrong with an answer, a sentence each; an empty list if it fits the schema."""
    from referencing.exceptions import Unresolvable

    from apps.parsing.annotations.schema_validator import errors_of  # imported here: it takes long

    try:
        errors = errors_of(schema, answer, max_keywords=max_keywords, max_errors=MAX_PROBLEMS)
    except RecursionError:
        raise InvalidSchema("The JSON schema refers to itself without end. Change the reference.") from None
    except Unresolvable:
        raise InvalidSchema("A $ref of the JSON schema leads nowhere. Define it under $defs.") from None
    return [f"{error.json_path}: {shortened(error.message)}" for error in errors]


def _check_part(path: str, part: Schema) -> None:
    for name in _REFERENCES:
        if name in part and not str(part[name]).startswith("#"):
            raise InvalidSchema(f"The {name} at {path} leads outside the JSON schema. Define it under $defs instead.")
    for name in _NOT_SUPPORTED:
        if name in part and not (name == "$id" and path == "#"):
            raise InvalidSchema(f"{name} at {path} is not supported. Leave it out.")
    if isinstance(part.get("pattern"), str):
        try:
            compile_pattern(part["pattern"])
        except UnusablePattern as error:
            raise InvalidSchema(f"The pattern at {path} cannot be used. {error}") from None


def _parts(value: object, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield the schema and every schema inside it with its path."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _parts(item, f"{path}/{index}")
        return
    if not isinstance(value, dict):
        return
    yield path, value
    for name, item in value.items():
        if name in _VALUES:
            continue
        if name in _BY_NAME and isinstance(item, dict):
            for key, each in item.items():
                yield from _parts(each, f"{path}/{name}/{key}")
        else:
            yield from _parts(item, f"{path}/{name}")


def _leads_somewhere(schema: Schema, reference: str) -> bool:
    value: Any = schema
    for part in reference.removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return False
    return isinstance(value, dict | bool) and (reference == "#" or reference.startswith("#/"))
