"""Microsoft Entra ID in place of a key: which identity the settings of an Azure provider name, and what they lack.

https://learn.microsoft.com/azure/ai-foundry/openai/how-to/managed-identity
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

SCOPE = "https://cognitiveservices.azure.com/.default"
SETTINGS = ("identity", "tenant_id", "client_id", "authority", "token_scope", "token_file")
SECRETS = ("client_secret", "client_certificate")
MANAGED, WORKLOAD, APPLICATION = "managed", "workload", "application"


def identity_of(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """Return the kind of identity: "managed", "workload" or "application"; "" if there is a key, or nothing."""
    if any(secrets.get(name) for name in SECRETS):
        return APPLICATION
    return str(settings.get("identity") or "")


def entra_problems(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the access of an Azure provider, as sentences that repeat no secret."""
    kind, has_key = identity_of(settings, secrets), bool(secrets.get("api_key"))
    if kind not in ("", MANAGED, WORKLOAD, APPLICATION) or (kind == APPLICATION and settings.get("identity")):
        return ["identity: managed or workload is expected; leave it out beside client_secret or client_certificate"]
    if has_key == bool(kind):
        choice = "client_secret, client_certificate, or the setting identity (managed or workload)"
        return [f"api_key: Azure OpenAI needs it, or an identity of Microsoft Entra ID: {choice}; one of them"]
    problems = []
    if secrets.get("client_secret") and secrets.get("client_certificate"):
        problems.append("client_secret: set it or client_certificate, not both")
    for name in ("tenant_id", "client_id"):
        value = settings.get(name) or (os.environ.get(f"AZURE_{name.upper()}") if kind == WORKLOAD else "")
        if kind in (APPLICATION, WORKLOAD) and not value:
            problems.append(f"{name}: an identity needs it")
    if kind == WORKLOAD and not (settings.get("token_file") or os.environ.get("AZURE_FEDERATED_TOKEN_FILE")):
        problems.append("token_file: the path of the pod's token is expected, or AZURE_FEDERATED_TOKEN_FILE")
    authority = settings.get("authority")
    if authority is not None and (not isinstance(authority, str) or urlsplit(authority).scheme != "https"):
        problems.append("authority: an https address is expected, such as https://login.microsoftonline.us")
    return problems
