"""The command line's options as a request to a service."""

from __future__ import annotations

import argparse
from typing import Any

_TIERS = {"fast": "fast", "balanced": "cost_effective", "multimodal": "multimodal", "agentic": "agentic"}


def configuration(options: argparse.Namespace, password: str | None) -> dict[str, Any]:
    """The body of ``POST /api/v2/parse``, without the document."""
    asked: dict[str, Any] = {"tier": _TIERS[options.mode], "version": "latest"}
    if options.pages:
        asked["page_ranges"] = {"target_pages": options.pages}
    if password is not None:
        asked["input_options"] = {"pdf": {"password": password}}
    if processing := _processing_options(options):
        asked["processing_options"] = processing
    return asked | _about_models(options)


def _processing_options(options: argparse.Namespace) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if ocr := _ocr_parameters(options):
        asked["ocr_parameters"] = ocr
    if options.ignore_hidden_text:
        asked["ignore"] = {"ignore_hidden_text": True}
    return asked


def _ocr_parameters(options: argparse.Namespace) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if options.languages:
        asked["languages"] = options.languages.split(",")
    if options.no_ocr:
        asked["disable_ocr"] = True
    if options.high_res_ocr:
        asked["high_res_ocr"] = True
    return asked


def _about_models(options: argparse.Namespace) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if options.max_cost is not None:
        asked["max_cost"] = options.max_cost
    if options.on_budget:
        asked["on_budget"] = options.on_budget
    if options.providers:
        asked["providers"] = [name.strip() for name in options.providers.split(",") if name.strip()]
    if options.no_external:
        asked["allow_external"] = False
    if options.prompt:
        asked["agentic_options"] = {"custom_prompt": options.prompt}
    if options.no_cache:
        asked["disable_cache"] = True
    return asked
