"""Validate a value against an untrusted JSON schema, with limited work. Importing this module takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import NoSuchResource

from apps.parsing.annotations.schema_errors import Schema, SchemaTooLarge, shortened
from apps.parsing.routing.patterns import compile_pattern

# The library compares values in native code, which ends the request's thread if Python's own limit is reached there.
MAX_DEPTH = 100
_keywords_left: ContextVar[list[int]] = ContextVar("keywords_left")
_depth: ContextVar[list[int]] = ContextVar("depth")


def errors_of(schema: Schema, value: object, *, max_keywords: int, max_errors: int) -> list[ValidationError]:
    """Return the first errors. Raise SchemaTooLarge, RecursionError, Unresolvable."""
    _depth.set([0])
    token = _keywords_left.set([max_keywords])
    try:
        errors: list[ValidationError] = []
        for error in _Validator(schema, registry=_LOCAL).iter_errors(value):
            errors.append(best_match([error]) or error)
            if len(errors) == max_errors:
                break
        return errors
    finally:
        _keywords_left.reset(token)


def _refuse(uri: str) -> Any:
    raise NoSuchResource(ref=uri)  # type: ignore[call-arg]  # attrs of an untyped base


_LOCAL: Registry[Any] = Registry(retrieve=_refuse)  # type: ignore[call-arg]


def _counted(check: Callable[..., Any]) -> Callable[..., Iterator[ValidationError]]:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        left, depth = _keywords_left.get(), _depth.get()
        left[0] -= 1
        if left[0] < 0:
            raise SchemaTooLarge("The JSON schema has too many branches to check an answer. Send a simpler one.")
        if depth[0] == MAX_DEPTH:
            raise RecursionError
        depth[0] += 1
        yield from check(validator, value, instance, schema) or ()
        depth[0] -= 1

    return counted


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not compile_pattern(pattern).occurs_in(instance):
        yield ValidationError(f"{shortened(instance)} does not match the pattern {pattern}")


_checks = {**Draft202012Validator.VALIDATORS, "pattern": _pattern}
_Validator = extend(Draft202012Validator, {name: _counted(check) for name, check in _checks.items()})
