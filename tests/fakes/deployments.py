"""Rows for the families of the fake providers' server, as entered in the admin."""

from __future__ import annotations

import json
from typing import Any

from apps.core.sealing import sealed_secrets
from apps.providers.catalog import catalog
from apps.providers.models import Deployment, Provider, Quota
from tests.fakes.provider import FakeProvider
from tests.fakes.providers import credentials

FAMILIES = ("openai", "openai-eu", "azure", "anthropic", "gemini", "vertex", "vertex-claude", "bedrock", "local")
ALL_PARSERS = {"serves_llm": True, "serves_lvm": True, "serves_agent": True}


def account(server: FakeProvider, family: str) -> tuple[str, str, dict[str, Any], dict[str, str]]:
    """Return the family's name in our database, a model, and an account's settings and secrets."""
    vertex = {
        "base_url": server.url,
        "project": credentials.VERTEX_PROJECT,
        "location": credentials.VERTEX_LOCATION,
    }
    service_account = {"service_account": json.dumps(server.service_account()) if "vertex" in family else ""}
    azure = {"base_url": f"{server.url}/azure", "api_version": "2024-10-21"}
    aws = {"base_url": f"{server.url}/bedrock", "aws_region": credentials.AWS_REGION}
    aws_key = {
        "access_key_id": credentials.AWS_ACCESS_KEY_ID,
        "secret_access_key": credentials.AWS_SECRET_ACCESS_KEY,
    }
    entries: dict[str, tuple[str, str, dict[str, Any], dict[str, str]]] = {
        "openai": ("openai", "gpt-4o-mini", _at(server, "openai/v1"), _key(credentials.OPENAI_KEY)),
        "openai-eu": ("openai", "gpt-4o-mini", _at(server, "openai-eu/v1"), _key(credentials.OPENAI_EU_KEY)),
        "azure": ("azure", "reader-one", azure, _key(credentials.AZURE_KEY)),
        "anthropic": ("anthropic", "claude-sonnet-4-5", _at(server, "anthropic"), _key(credentials.ANTHROPIC_KEY)),
        "gemini": ("gemini", "gemini-2.5-flash", _at(server, "gemini/v1beta"), _key(credentials.GEMINI_KEY)),
        "vertex": ("vertex_ai", "gemini-2.5-flash", vertex, service_account),
        "vertex-claude": ("vertex_ai", "claude-sonnet-4-5", vertex, service_account),
        "bedrock": ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", aws, aws_key),
        "local": ("openai_compatible", "llama3.2-vision", _at(server, "local/v1"), {}),
    }
    return entries[family]


def deploy(
    server: FakeProvider,
    family: str = "openai",
    *,
    name: str = "",
    order: int = 1,
    external: bool = True,
    prices: tuple[str, str] | None = ("2.5", "10"),
    quota: dict[str, Any] | None = None,
    secrets: dict[str, str] | None = None,
    **fields: Any,
) -> Deployment:
    """Create a deployment on the fake server for all page parsers. ``secrets``: other than those the server accepts."""
    kind, model, settings, accepted = account(server, family)
    name = name or family
    provider = Provider.objects.create(
        name=f"{name}-account",
        family=kind,
        external=external,
        settings=settings,
        secrets_sealed=sealed_secrets.seal(json.dumps(accepted if secrets is None else secrets)),
    )
    input_price, output_price = prices or (None, None)
    chosen = {"model": model, **ALL_PARSERS, "input_price": input_price, "output_price": output_price, **fields}
    deployment = Deployment.objects.create(name=name, provider=provider, order=order, **chosen)
    if quota is not None:
        Quota.objects.create(deployment=deployment, **quota)
    catalog.forget()
    return Deployment.objects.get(pk=deployment.pk)  # prices as the database has them


def _at(server: FakeProvider, path: str) -> dict[str, Any]:
    return {"base_url": f"{server.url}/{path}"}


def _key(key: str) -> dict[str, str]:
    return {"api_key": key}
