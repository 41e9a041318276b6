"""The headers by which a provider knows us, for requests that neither litellm nor an SDK writes."""

from __future__ import annotations

from apps.providers.catalog import Target


async def authorization_headers(target: Target) -> dict[str, str]:
    """Return the headers of a request to the target's provider."""
    key = target.secrets.get("api_key", "")
    if target.family == "anthropic":
        return {"x-api-key": key}
    if target.family == "azure":
        return {"api-key": key}
    return {"Authorization": f"Bearer {key}"}
