"""Vertex AI: Gemini, and Claude as a partner's model, behind the access tokens of a service account.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
https://docs.anthropic.com/en/api/claude-on-vertex-ai
https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from tests.fakes.providers import credentials
from tests.fakes.providers.conversation import Call, Completion, Conversation, Refusal, Reply
from tests.fakes.providers.wires import anthropic, gemini
from tests.fakes.providers.wires.base import check_model, json_reply, number

TOKEN_SECONDS = 3599
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FEDERATED_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AUDIENCE = "https://oauth2.googleapis.com/token"  # google-auth uses it for any token_uri of the key file
CLOCK_SKEW_SECONDS = 60
_PATH = re.compile(
    r"/(?:v1|v1beta1)/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
    r"/publishers/(?P<publisher>google|anthropic)/models/(?P<model>[^/:]+):(?P<verb>\w+)"
)
_LOCATION = re.compile(r"global|[a-z]+-[a-z]+\d+")
_GEMINI_FIELDS = frozenset(
    [
        "contents",
        "tools",
        "toolConfig",
        "safetySettings",
        "systemInstruction",
        "generationConfig",
        "cachedContent",
        "labels",
        "modelArmorConfig",
    ]
)
_CLAUDE_FIELDS = frozenset(
    [
        "anthropic_version",
        "messages",
        "max_tokens",
        "system",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "stream",
        "metadata",
        "thinking",
        "anthropic_beta",
        "context_management",
        "output_config",
        "cache_control",
    ]
)
_ERRORS = {
    **gemini.ERRORS,
    "auth": (
        401,
        (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
            "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
        ),
    ),
    "no_auth": (
        401,
        (
            "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or "
            "other valid authentication credential."
        ),
    ),
    "denied": (403, "Permission 'aiplatform.endpoints.predict' denied on resource '/{path}' (or it may not exist)."),
    "model_not_found": (
        404,
        (
            "Publisher Model `{path}` was not found or your project does not have access to it. Please ensure you are "
            "using a valid model version."
        ),
    ),
    "rate_limited": (429, "Resource exhausted. Please try again later."),
    "insufficient_quota": (
        403,
        "This API method requires billing to be enabled. Please enable billing on project and then retry.",
    ),
}
_GOOGLES_OWN = frozenset(
    {"auth", "no_auth", "denied", "wrong_path", "wrong_method", "model_not_found", "rate_limited", "insufficient_quota"}
)


class TokenEndpoint:
    """Exchanges signed assertions of one service account for access tokens."""

    def __init__(self, service_account: Mapping[str, str]) -> None:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        self.service_account = service_account
        self.issued = 0
        self._public_key: Any = load_pem_private_key(service_account["private_key"].encode(), None).public_key()
        self._expires_at: dict[str, float] = {}

    def exchange(self, call: Call) -> Reply:
        """Exchange an assertion as Google's token endpoint does (RFC 7523)."""
        form = {name: values[0] for name, values in parse_qs(call.body.decode("utf-8", "replace")).items()}
        if call.method == "POST" and form.get("grant_type") == FEDERATED_GRANT_TYPE:
            return self._exchange_federated(form)
        if call.method != "POST" or form.get("grant_type") != GRANT_TYPE:
            return _token_error("unsupported_grant_type", "Invalid grant_type: " + form.get("grant_type", ""))
        wrong = self._wrong_with(form.get("assertion", ""))
        if wrong is not None:
            return _token_error(*wrong)
        return json_reply(200, {"access_token": self._issue(), "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}, {})

    def _exchange_federated(self, form: dict[str, str]) -> Reply:
        """Exchange another issuer's token as Google's Security Token Service does (RFC 8693)."""
        if form.get("subject_token") != credentials.POD_TOKEN or form.get("audience") != credentials.GOOGLE_AUDIENCE:
            return _token_error("invalid_grant", "The subject token or the audience is invalid.")
        issued = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer"}
        return json_reply(200, {**issued, "access_token": self._issue(), "expires_in": TOKEN_SECONDS}, {})

    def _issue(self) -> str:
        now = time.time()
        self._expires_at = {token: at for token, at in self._expires_at.items() if at > now}
        token = "ya29.fake-" + secrets.token_urlsafe(24)
        self._expires_at[token] = now + TOKEN_SECONDS
        self.issued += 1
        return token

    def accepts(self, token: str) -> bool:
        return self._expires_at.get(token, 0.0) > time.time()

    def expire_all(self) -> None:
        self._expires_at.clear()

    def _wrong_with(self, assertion: str) -> tuple[str, str] | None:
        """Return error and description of an invalid assertion; None if it is valid."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            header, claims = (dict(json.loads(_base64(part))) for part in assertion.split(".")[:2])
            signed, signature = assertion.rpartition(".")[0], _base64(assertion.rpartition(".")[2])
        except (ValueError, TypeError):
            return "invalid_grant", "Invalid JWT: Could not decode."
        if header.get("alg") != "RS256" or header.get("kid") != self.service_account["private_key_id"]:
            return "invalid_grant", "Invalid JWT Signature."
        try:
            self._public_key.verify(signature, signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return "invalid_grant", "Invalid JWT Signature."
        return self._wrong_claim(claims)

    def _wrong_claim(self, claims: dict[str, Any]) -> tuple[str, str] | None:
        now, issued, expires = time.time(), claims.get("iat"), claims.get("exp")
        if claims.get("iss") != self.service_account["client_email"]:
            return "invalid_grant", "Invalid grant: account not found"
        if claims.get("aud") not in {AUDIENCE, self.service_account["token_uri"]}:
            return "invalid_grant", "Invalid JWT: Failed audience check."
        if SCOPE not in str(claims.get("scope", "")).split():
            return "invalid_scope", "Invalid OAuth scope or ID token audience provided."
        if not isinstance(issued, int) or not isinstance(expires, int):
            issued, expires = 0, 0
        if issued > now + CLOCK_SKEW_SECONDS or not now < expires <= issued + 3600:
            return "invalid_grant", (
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your "
                "iat and exp values in the JWT claim."
            )
        return None


class Vertex:
    """Vertex AI's API. ``publisher``: google (family vertex) or anthropic (family vertex-claude)."""

    filters_by_error = False

    def __init__(self, publisher: str, *, token_endpoint: TokenEndpoint, models: tuple[str, ...]) -> None:
        self.is_claude = publisher == "anthropic"
        self.family = "vertex-claude" if self.is_claude else "vertex"
        self.usage_key = "usage" if self.is_claude else "usageMetadata"
        self.token_endpoint = token_endpoint
        self.models = models

    def read(self, call: Call) -> Conversation:
        found = _PATH.fullmatch(call.path)
        verb = "rawPredict" if self.is_claude else "generateContent"
        if (
            found is None
            or call.method != "POST"
            or found["verb"] != verb
            or not _LOCATION.fullmatch(found["location"])
        ):
            raise Refusal("wrong_path")
        call.model = found["model"]
        scheme, _, token = call.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal("no_auth")
        call.credential = credentials.SERVICE_ACCOUNT_EMAIL
        if not self.token_endpoint.accepts(token):
            raise Refusal("auth")
        if found["project"] != credentials.VERTEX_PROJECT:
            raise Refusal("denied")
        check_model(self, call.model)
        body = call.json_object()
        if not self.is_claude:
            return gemini.read_contents(body, call.model, fields=_GEMINI_FIELDS)
        if body.get("anthropic_version") != "vertex-2023-10-16":
            raise anthropic.required("anthropic_version")
        return anthropic.read_messages(body, call.model, fields=_CLAUDE_FIELDS)

    def answer(self, conversation: Conversation, completion: Completion) -> dict[str, Any]:
        if self.is_claude:
            return anthropic.message_body(conversation, completion)
        return gemini.candidates(conversation, completion, tier_key="trafficType")

    def answer_headers(self) -> dict[str, str]:
        return {"Server": "scaffolding on HTTPServer2", "x-vertex-ai-internal-request-id": f"fake-{number():08d}"}

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        """Return errors of access and quota in Google's format, and errors of Claude in Anthropic's."""
        if self.is_claude and refusal.kind not in _GOOGLES_OWN:
            return anthropic.refuse_as_anthropic(refusal, call, self.answer_headers())
        details = []
        if refusal.kind == "auth":
            details = [gemini.error_info("ACCESS_TOKEN_EXPIRED", "googleapis.com", "aiplatform.googleapis.com")]
        if refusal.kind == "insufficient_quota":
            details = [gemini.error_info("BILLING_DISABLED", "googleapis.com", "aiplatform.googleapis.com")]
        return gemini.refuse_as_google(refusal, call, _ERRORS, self.answer_headers(), details)


def _token_error(error: str, description: str) -> Reply:
    return json_reply(400, {"error": error, "error_description": description}, {})


def _base64(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
