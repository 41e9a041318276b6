"""The options of the command as a request to a service."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from apps.cli.document_options import Options
from apps.cli.options import UsageError
from apps.pages.output.exports.options import PLACE_WORDS

_TIERS = {"fast": "fast", "balanced": "cost_effective", "multimodal": "multimodal", "agentic": "agentic"}


def configuration(options: argparse.Namespace, password: str | None) -> dict[str, Any]:
    """Return the body of ``POST /api/v2/parse`` without the document. Options that are not set are left out.

    Raise UsageError if options contradict each other.
    """
    providers = [name.strip() for name in (options.providers or "").split(",") if name.strip()]
    boxes = options.boxes | ({"word"} if options.format in PLACE_WORDS else set())
    body = {
        "tier": _TIERS[options.mode],
        "version": "latest",
        "crop_box": msgspec.structs.asdict(options.crop_box) if options.crop_box else None,
        "page_ranges": {"target_pages": options.pages or None},
        "input_options": {"pdf": {"password": password}},
        "processing_options": {
            "ocr_parameters": {
                "languages": options.languages.split(",") if options.languages else None,
                "disable_ocr": options.no_ocr or None,
                "high_res_ocr": options.high_res_ocr or None,
                "barcodes": options.barcodes or None,
            },
            "ignore": {"ignore_hidden_text": options.ignore_hidden_text or None},
        },
        "output_options": {
            "granular_bboxes": sorted(boxes) or None,
            "tables_as_spreadsheet": {"enable": options.format == "xlsx" or None},
            "save_output_pdf": options.format in ("pdf", "searchable_pdf", "archive_pdf") or None,
            "additional_outputs": ["word_bbox"] if options.format == "raw_words" else None,
        },
        "max_cost": options.max_cost,
        "on_budget": options.on_budget,
        "urgency": options.urgency,
        "providers": providers if options.providers else None,
        "allow_external": False if options.no_external else None,
        "agentic_options": {
            "custom_prompt": options.prompt or None,
            "check_answers": False if options.no_check else None,
        },
        "disable_cache": options.no_cache or None,
    }
    return _merged(_without_unset(body), as_request(dict(options.options)))


def as_request(options: Options) -> dict[str, Any]:
    """Return the options as the groups of a request. Raise UsageError if one is a value and a group of others."""
    body: dict[str, Any] = {}
    for path, value in options.items():
        for other in options:
            if path.startswith(f"{other}."):
                raise UsageError(
                    "invalid_option", f"--option {other} and --option {path} exclude each other. Pass one."
                )
        *groups, name = path.split(".")
        group = body
        for each in groups:
            group = group.setdefault(each, {})
        group[name] = value
    return body


def _merged(body: dict[str, Any], more: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return the body with the values of ``more``, both below ``path``. Raise UsageError if both have another value."""
    merged = {**body, **more}
    for name in body.keys() & more.keys():
        if isinstance(body[name], dict) and isinstance(more[name], dict):
            merged[name] = _merged(body[name], more[name], f"{path}{name}.")
        elif body[name] != more[name]:
            detail = f"--option {path}{name} contradicts another option of the command. Pass one of them."
            raise UsageError("invalid_option", detail)
    return merged


def _without_unset(group: dict[str, Any]) -> dict[str, Any]:
    """Return the group without None and without groups that would be empty."""
    values = {name: _without_unset(value) if isinstance(value, dict) else value for name, value in group.items()}
    return {name: value for name, value in values.items() if value not in (None, {})}
