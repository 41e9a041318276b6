"""The headers by which a provider knows us, for requests that neither litellm nor an SDK writes."""

from __future__ import annotations

from apps.providers.calls.access_tokens import access_tokens
from apps.providers.catalog import Target


async def authorization_headers(target: Target) -> dict[str, str]:
    """Return the headers of a request to the target's provider. Raise CallFailed."""
    key = target.secrets.get("api_key", "")
    if target.family == "anthropic":
        return {"x-api-key": key}
    token = await access_tokens().token_of(target)
    if target.family == "azure" and not token:
        return {"api-key": key}
    return {"Authorization": f"Bearer {token or key}"}
