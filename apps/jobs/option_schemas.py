"""JSON schemas of options whose values are checked by code, for the OpenAPI description: it allows what is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.parsing.routing.triggers import ELEMENTS, MAX_COUNT, MAX_GLOBS, MAX_TEXT_CHARS
from apps.parsing.tier_versions import OF_OLD_CLIENTS
from apps.parsing.tiers import LATEST, TIERS

Schema = dict[str, Any]
NULL: Schema = {"type": "null"}
PAGES = "^ *[1-9][0-9]{0,8} *(- *[1-9][0-9]{0,8} *)?(, *[1-9][0-9]{0,8} *(- *[1-9][0-9]{0,8} *)?)*$"
_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARS}


def or_null(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas, NULL]}


def count(maximum: int = MAX_COUNT) -> Schema:
    """Return the schema of a whole number, which may be a text."""
    digits = {"type": "string", "pattern": f"^[0-9]{{1,{len(str(maximum)) - 1}}}$"}
    return or_null({"type": "integer", "minimum": 0, "maximum": maximum}, digits)


def number(maximum: float) -> Schema:
    return or_null({"type": "number", "minimum": 0, "maximum": maximum})


TEXT = or_null(_TEXT)
TEXTS = or_null({"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_GLOBS})
SWITCH = or_null({"type": "boolean"})
ELEMENT = or_null({"type": "string", "enum": list(ELEMENTS)})


def tiers_with_versions(*, needs_version: bool = False) -> list[Schema]:
    """Return a schema for each set of tiers that have the same versions. ``needs_version``: only those with one."""
    tiers_of: dict[tuple[str, ...], list[str]] = {}
    for name, tier in TIERS.items():
        tiers_of.setdefault(tier.versions, []).append(name)
    return [_pair(tiers, versions, needs_version) for versions, tiers in tiers_of.items()]


def _pair(tiers: list[str], versions: Iterable[str], needs_version: bool) -> Schema:
    known = dict.fromkeys((*versions, *OF_OLD_CLIENTS))
    return {
        "properties": {
            "tier": {"enum": tiers},
            "version": {"enum": [*([] if needs_version else [None]), LATEST, *known]},
        },
        "required": ["tier", "version"] if needs_version else ["tier"],
    }
