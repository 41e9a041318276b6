"""What becomes of each option: whether it has an effect, is refused, or is accepted and changes nothing.

The warnings of requests and the table in docs/coming-from-llamaparse.md are made from this.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo

from apps.jobs.option_groups import REFUSED, WITHOUT_EFFECT, Options

# Values that request the default behaviour need no warning.
_HARMLESS: tuple[object, ...] = (None, False, "", [], {}, "move_to_end")
NOT_SUPPORTED = (
    "This option is not supported yet, so the job would not do what it asks for. Leave it out, or ask the operator to "
    "set UNSUPPORTED_OPTIONS=warn."
)
_WHAT_HAPPENS = {
    "input_options.image.camera_photo_correction": "Photos are read as they are.",
    "output_options.markdown.annotate_line_numbers": "Lines are not numbered.",
    "output_options.watermark_handling": "Watermarks stay where they are in the text.",
    "processing_control.job_failure_conditions.fail_on_image_extraction_error": (
        "Pictures are rendered when they are fetched, so none can fail while the document is parsed."
    ),
    "processing_options.aggressive_table_extraction": "Tables are looked for in one way only.",
    "processing_options.disable_heuristics": "Layout is always found by rules.",
    "processing_options.specialized_chart_parsing": "Charts are read as the mode reads pictures.",
    "processing_options.confidence_score_effort": "Confidence is OCR's; no second model judges it.",
    "processing_options.forms": "Form fields are part of the text, without a tree of their own.",
}


@dataclass(frozen=True)
class SetOption:
    """An option that a request sets to something else than the default behaviour."""

    location: tuple[str | int, ...]
    group: Options
    has_effect: bool = True
    is_refused: bool = False
    is_unknown: bool = False

    @property
    def path(self) -> str:
        return ".".join(map(str, self.location))


def set_options(
    options: Options, location: tuple[str | int, ...] = (), *, has_effect: bool = True, is_refused: bool = False
) -> Iterator[SetOption]:
    """Yield each option that is set, with the groups inside. The arguments describe the group ``options``."""
    for name in options.model_extra or {}:
        yield SetOption((*location, name), options, is_unknown=True)
    values = dict(options)
    for name, field in type(options).model_fields.items():
        value, here = values[name], (*location, name)
        effective = has_effect and WITHOUT_EFFECT not in field.metadata
        refused = is_refused or REFUSED in field.metadata
        if isinstance(value, Options):
            yield from set_options(value, here, has_effect=effective, is_refused=refused)
            continue
        for index, item in enumerate(value) if isinstance(value, list) else ():
            if isinstance(item, Options):
                yield from set_options(item, (*here, index))
        if value not in _HARMLESS:
            yield SetOption(here, options, effective, refused)


def what_happens(path: str) -> str:
    """Return what happens although the option, by its path with dots, is set. It has no effect."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if found := _WHAT_HAPPENS.get(".".join(parts[:length])):
            return found
    return "This option has no effect yet."


def option_states(model: type[Options], path: str = "", *, has_effect: bool = True, refused: bool = False) -> list[Any]:
    """Return (path, has_effect, is_refused, description) of every single option below the model, in order."""
    found: list[Any] = []
    for name, field in model.model_fields.items():
        effective = has_effect and WITHOUT_EFFECT not in field.metadata
        is_refused = refused or REFUSED in field.metadata
        group = _group_in(field.annotation)
        if group is None or "auto_mode" in name:
            parts = (each for part in get_args(field.annotation) for each in getattr(part, "__metadata__", ()))
            inner = (each.description for each in parts if isinstance(each, FieldInfo) and each.description)
            found.append((path + name, effective, is_refused, field.description or next(inner, "")))
        else:
            dots = "[]." if "list" in str(field.annotation) else "."
            found += option_states(group, path + name + dots, has_effect=effective, refused=is_refused)
    return found


def _group_in(annotation: Any) -> type[Options] | None:
    if inspect.isclass(annotation) and issubclass(annotation, Options):
        return annotation
    return next((found for part in get_args(annotation) if (found := _group_in(part))), None)
