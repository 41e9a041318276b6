"""The address of a provider (``base_url``): the forms that people type, and the one that litellm needs.

Every family has one place where its path begins. A base with or without that part means the same; an address that names
a model or an operation is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# A part of a path that belongs to one request, and what to write instead.
_OF_A_REQUEST: dict[str, tuple[re.Pattern[str], str]] = {
    "openai": (re.compile(r"/(?:chat/)?completions|/responses"), "end it with /v1"),
    "openai_compatible": (re.compile(r"/(?:chat/)?completions|/responses|/api/(?:chat|generate)"), "end it with /v1"),
    "azure": (re.compile(r"/deployments|/chat/completions"), "leave out everything from /openai on"),
    "anthropic": (re.compile(r"/messages"), "leave out everything from /v1 on"),
    "bedrock": (re.compile(r"/model/"), "leave out everything from /model on"),
    "vertex_ai": (re.compile(r"/projects/|/publishers/"), "leave out everything from /v1 on"),
    "gemini": (re.compile(r"/models|:generate"), "end it with /v1beta"),
}
_END = re.compile(r"/+$")
_AZURE_END = re.compile(r"/openai(?:/v1)?$")
_VERSION_END = re.compile(r"/v\d+(?:alpha|beta)?\d*$")


def address_problem(family: str, base_url: object) -> str:
    """Return what is wrong with an address, as a sentence; "" if it can be used."""
    parts = urlsplit(base_url) if isinstance(base_url, str) else None
    if not parts or parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        return "base_url: an http(s) address without a user or password is expected"
    if parts.query or parts.fragment:
        return "base_url: an address without ? and # is expected"
    of_a_request, remedy = _OF_A_REQUEST[family]
    if of_a_request.search(parts.path):
        return f"base_url: this is the address of one request; {remedy}"
    if family == "gemini" and parts.path.rstrip("/").endswith("/openai"):
        return "base_url: this address speaks OpenAI's protocol; use it with the family openai_compatible"
    return ""


def with_address(family: str, model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with ``base_url`` as litellm needs it for a model of this family."""
    if not isinstance(settings.get("base_url"), str):
        return dict(settings)
    base = _END.sub("", settings["base_url"])
    if family in ("openai", "openai_compatible") and not urlsplit(base).path:
        base += "/v1"
    elif family == "gemini" and not _VERSION_END.search(base):
        base += "/v1beta"
    elif family == "azure":
        base = _AZURE_END.sub("", base)
    elif family == "anthropic":
        base = _VERSION_END.sub("", base)
    elif family == "vertex_ai" and urlsplit(base).path:
        version = "" if _VERSION_END.search(base) else "/v1"
        publisher = "anthropic" if "claude" in model.lower() else "google"
        place = f"projects/{settings.get('project')}/locations/{settings.get('location')}"
        base += f"{version}/{place}/publishers/{publisher}/models/{model}"
    return {**settings, "base_url": base}
