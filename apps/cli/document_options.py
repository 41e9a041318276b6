"""``--option NAME=VALUE``: options by their names in the API, for a parse in this process and for a request."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypedDict, cast

from apps.pages.model.office_options import OfficeOptions
from apps.pages.output.render import Grid, RenderOptions

_HTML, _SLIDES, _SHEETS = "input_options.html", "input_options.presentation", "input_options.spreadsheet"
_MARKDOWN, _TABLES = "output_options.markdown", "output_options.markdown.tables"
_SPATIAL = "output_options.spatial_text"
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
Options = Mapping[str, Any]
"""Values by the path of the option in the API, with dots."""


class ReaderOptions(TypedDict, total=False):
    skip_diagonal: bool
    preserve_very_small_text: bool


class _Local(NamedTuple):
    """What a parse in this process does with an option: ``field`` of the structure ``target``, or of the reader."""

    group: str
    target: Literal["office", "reader", "render"]
    field: str
    is_text: bool = False


_LOCAL = {
    "make_all_elements_visible": _Local(_HTML, "office", "all_elements_visible"),
    "remove_fixed_elements": _Local(_HTML, "office", "no_fixed_elements"),
    "remove_navigation_elements": _Local(_HTML, "office", "no_navigation"),
    "include_hidden_slides": _Local(_SLIDES, "office", "hidden_slides"),
    "out_of_bounds_content": _Local(_SLIDES, "office", "outside_content"),
    "skip_embedded_data": _Local(_SLIDES, "office", "skips_embedded_data"),
    "detect_sub_tables_in_sheets": _Local(_SHEETS, "office", "sub_tables"),
    "force_formula_computation_in_sheets": _Local(_SHEETS, "office", "computes_formulas"),
    "include_hidden_sheets": _Local(_SHEETS, "office", "hidden_sheets"),
    "annotate_revisions": _Local(_MARKDOWN, "office", "revisions"),
    "ignore_diagonal_text": _Local("processing_options.ignore", "reader", "skip_diagonal"),
    "preserve_very_small_text": _Local(_SPATIAL, "reader", "preserve_very_small_text"),
    "annotate_links": _Local(_MARKDOWN, "render", "links"),
    "inline_images": _Local(_MARKDOWN, "render", "inline_images"),
    "do_not_unroll_columns": _Local(_SPATIAL, "render", "page_grid"),
    "preserve_layout_alignment_across_pages": _Local(_SPATIAL, "render", "document_grid"),
    "compact_markdown_tables": _Local(_TABLES, "render", "compact_tables"),
    "merge_continued_tables": _Local(_TABLES, "render", "joins_tables"),
    "markdown_table_multiline_separator": _Local(_TABLES, "render", "cell_line_break", is_text=True),
    "output_tables_as_markdown": _Local(_TABLES, "render", "pipe_tables"),
    "guess_sheet_name": _Local("output_options.tables_as_spreadsheet", "render", "guesses_sheet_names"),
    "extract_printed_page_number": _Local("output_options", "render", "printed_page_numbers"),
}
NAMES = tuple(_LOCAL)
"""The options that a parse in this process knows."""
_BY_PATH = {f"{local.group}.{name}": local for name, local in _LOCAL.items()}


def option(text: str) -> tuple[str, Any]:
    """Return path and value of ``name``, ``name=value`` or ``group.name=value``. Raise ArgumentTypeError."""
    name, has_value, value = text.partition("=")
    path = f"{_LOCAL[name].group}.{name}" if name in _LOCAL else name
    if not all(part.isidentifier() for part in path.split(".")) or "." not in path:
        known = ", ".join(NAMES)
        raise argparse.ArgumentTypeError(
            f"{name!r} is not an option. Pass one of these, or the path of another option of the API with dots: {known}"
        )
    local = _BY_PATH.get(path)
    if local is not None and local.is_text:
        if re.search(r"[|\r\n]", value):
            raise argparse.ArgumentTypeError(f"{name} cannot have pipes or newlines, which would end the cell")
        return path, value
    if not has_value or value.lower() in _TRUE:
        return path, True
    if value.lower() in _FALSE:
        return path, False
    if local is not None:
        raise argparse.ArgumentTypeError(f"{value!r} is not a value of {name}. Pass true or false")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value


def unknown_here(options: Options) -> list[str]:
    """Return the paths of the options that only a service knows."""
    return [path for path in options if path not in _BY_PATH]


def office_options(options: Options, *, suffix: str) -> OfficeOptions:
    """Return how a document whose name has this suffix is read."""
    return OfficeOptions(suffix=suffix, **_fields(options, "office"))


def reader_options(options: Options) -> ReaderOptions:
    """Return keyword arguments of the reader."""
    return cast(ReaderOptions, _fields(options, "reader"))


def render_options(
    options: Options, *, granular_boxes: frozenset[str], spreadsheet: bool = False, raw_words: bool = False
) -> RenderOptions:
    """Return how the result is written."""
    fields = _fields(options, "render")
    table_format = "pipe" if fields.pop("pipe_tables", False) else "html"
    page_grid, document_grid = fields.pop("page_grid", False), fields.pop("document_grid", False)
    grid: Grid = "document" if document_grid else "page" if page_grid else ""
    return RenderOptions(
        table_format=table_format,
        granular_boxes=granular_boxes,
        grid=grid,
        spreadsheet=spreadsheet,
        raw_words=raw_words,
        **fields,
    )


def _fields(options: Options, target: str) -> dict[str, Any]:
    return {_BY_PATH[path].field: value for path, value in options.items() if _BY_PATH[path].target == target}
