"""A fake provider of OpenID Connect: discovery, login, token with a signed ID token, keys (OpenID Connect Core 1.0)."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.fakes.receiver import Answer, Received, Receiver

CLIENT_ID, CLIENT_SECRET = "leafmill", "canary-client-secret"


class OpenIdProvider(Receiver):
    """Every login succeeds, as the user of ``claims``. Tests change the attributes to break one thing.

    A code is valid once, for the redirect address and the PKCE challenge that it was issued for.
    """

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.claims: dict[str, Any] = {"sub": "user-17", "preferred_username": "jo", "groups": ["operators"]}
        self.key = self.published_key = RSAKey.generate_key(2048, {"kid": "first"})
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "first"}
        self.issuer = self.url
        self.sends_id_token = True
        self.sign: Callable[[dict[str, Any], dict[str, Any], RSAKey], str] = jwt.encode
        self._codes: dict[str, dict[str, str]] = {}

    def _answer(self, request: Received) -> Answer:
        address = urlsplit(request.path)
        answers = {
            "/.well-known/openid-configuration": self._metadata,
            "/authorize": self._log_in,
            "/token": self._token,
            "/keys": self._keys,
        }
        return answers[address.path]({name: values[0] for name, values in parse_qs(address.query).items()}, request)

    def _metadata(self, _query: dict[str, str], _request: Received) -> Answer:
        return _json(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
        )

    def _log_in(self, query: dict[str, str], _request: Received) -> Answer:
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = query
        back = urlencode({"code": code, "state": query["state"]})
        return Answer(302, (("Location", f"{query['redirect_uri']}?{back}"),), b"")

    def _token(self, _query: dict[str, str], request: Received) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        login = self._codes.pop(form.get("code", ""), None)
        secret = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if login is None or request.headers.get("authorization") != f"Basic {secret}":
            return _json({"error": "invalid_client"}, status=401)
        if form["redirect_uri"] != login["redirect_uri"] or challenge != login["code_challenge"]:
            return _json({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        times = {"iat": now, "exp": now + 300}
        claims = {"iss": self.url, "aud": CLIENT_ID, "nonce": login["nonce"], **times, **self.claims}
        token: dict[str, Any] = {"access_token": "canary-access-token", "token_type": "Bearer", "expires_in": 300}
        if self.sends_id_token:
            sent = {name: value for name, value in claims.items() if value is not None}
            token["id_token"] = self.sign(self.header, sent, self.key)
        return _json(token)

    def _keys(self, _query: dict[str, str], _request: Received) -> Answer:
        return _json({"keys": [self.published_key.as_dict(private=False)]})


def _json(body: Any, *, status: int = 200) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(body).encode())
