"""Access tokens of Microsoft Entra ID: fetched once for a provider, and again before they expire.

azure-identity waits in threads, so the event loop never does. litellm fetches the tokens of AWS and Google itself, in
threads of its own.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from apps.pages.per_process import PerProcess
from apps.providers.catalog import Target
from apps.providers.errors import NO_TOKEN, CallFailed, Failure, FailureFacts
from apps.providers.requests import entra
from apps.providers.requests.entra import identity_of

MIN_SECONDS_LEFT = 300.0
_MAX_DETAIL = 240


@dataclass(frozen=True)
class _Token:
    text: str
    expires_at: float

    @property
    def is_fresh(self) -> bool:
        return self.expires_at - time.time() > MIN_SECONDS_LEFT


class AccessTokens:
    """The tokens of this process. Use it on one event loop."""

    def __init__(self) -> None:
        self._tokens: dict[str, _Token] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def token_of(self, target: Target) -> str:
        """Return a token for the target's provider; "" if it needs none. Raise CallFailed."""
        if target.family != "azure" or not identity_of(target.settings, target.secrets):
            return ""
        key = _key(target)
        async with self._locks[key]:  # one process asks once, however many calls wait
            token = self._tokens.get(key)
            if token is None or not token.is_fresh:
                token = await asyncio.to_thread(_fetch, target)
                self._tokens[key] = token
        return token.text

    def forget(self, target: Target) -> None:
        """Fetch a new token at the next call: the provider refused this one."""
        self._tokens.pop(_key(target), None)


access_tokens = PerProcess(AccessTokens)


def _key(target: Target) -> str:
    return f"{target.provider}:{target.revision.rpartition(':')[2]}"


def _fetch(target: Target) -> _Token:
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    credential = None
    try:
        credential = _credential(target)
        found = credential.get_token(str(target.settings.get("token_scope") or entra.SCOPE))
    except (ClientAuthenticationError, ValueError) as error:
        raise _failed(Failure.AUTH, error) from None
    except (AzureError, OSError) as error:
        raise _failed(Failure.UNAVAILABLE, error) from None
    finally:
        if credential is not None:
            credential.close()
    return _Token(found.token, float(found.expires_on))


def _credential(target: Target) -> Any:
    from azure import identity

    settings, secrets = target.settings, target.secrets
    kind = identity_of(settings, secrets)
    proxy = settings.get("proxy")
    options: dict[str, Any] = {"proxies": {"https": proxy, "http": proxy}} if proxy else {}
    if kind == entra.MANAGED:
        return identity.ManagedIdentityCredential(client_id=settings.get("client_id"))
    if settings.get("authority"):  # an address of one's own need not be known to Microsoft's directory
        options |= {"authority": settings["authority"], "disable_instance_discovery": True}
    names = {
        name: str(settings.get(name) or os.environ.get(f"AZURE_{name.upper()}") or "")
        for name in ("tenant_id", "client_id")
    }
    if kind == entra.WORKLOAD:
        file = settings.get("token_file") or os.environ.get("AZURE_FEDERATED_TOKEN_FILE")
        return identity.WorkloadIdentityCredential(**names, token_file_path=file, **options)
    if secrets.get("client_secret"):
        return identity.ClientSecretCredential(**names, client_secret=secrets["client_secret"], **options)
    certificate = secrets["client_certificate"].encode()
    return identity.CertificateCredential(**names, certificate_data=certificate, **options)


def _failed(failure: Failure, error: Exception) -> CallFailed:
    reason = " ".join(str(error).split())[:_MAX_DETAIL]
    return CallFailed(failure, FailureFacts(f"{NO_TOKEN}: {reason}"))
