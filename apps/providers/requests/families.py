"""The families of providers: their settings and secrets, and the corresponding parameters of litellm.

Sources: the providers' own documentation, at the address in each family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.providers.requests import entra
from apps.providers.requests.access import HEADERS, PROXY, access_problems
from apps.providers.requests.addresses import address_problem
from apps.providers.requests.entra import entra_problems


@dataclass(frozen=True)
class Family:
    """A family of providers with the same API.

    ``prefix`` is litellm's name of the API. ``settings`` and ``secrets`` map our names to litellm's parameters.
    ``own_*``: further names, which litellm does not get.
    ``has_batches``: it has a batch API that the package ``batches`` speaks.
    """

    label: str
    prefix: str
    documentation: str
    secrets: Mapping[str, str]
    settings: Mapping[str, str]
    required: tuple[str, ...] = ()
    sdk: str = ""
    has_batches: bool = False
    own_settings: tuple[str, ...] = ()
    own_secrets: tuple[str, ...] = ()

    @property
    def setting_names(self) -> set[str]:
        """The names of all its settings."""
        return {*self.settings, *self.own_settings, *COMMON_SETTINGS}

    @property
    def secret_names(self) -> set[str]:
        """The names of all its secrets."""
        return {*self.secrets, *self.own_secrets, *COMMON_SECRETS}

    def litellm_parameters(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
        """Return litellm's parameters for these settings and secrets."""
        named = {self.settings[name]: value for name, value in settings.items() if name in self.settings}
        named |= {self.secrets[name]: value for name, value in secrets.items() if name in self.secrets}
        return named


COMMON_SETTINGS = frozenset({HEADERS, PROXY})
"""Settings of every family (access.py), which litellm does not get."""
COMMON_SECRETS = frozenset({HEADERS})
_KEY = {"api_key": "api_key"}
_BASE = {"base_url": "api_base"}

FAMILIES: dict[str, Family] = {
    "openai": Family(
        "OpenAI",
        "openai/",
        "https://platform.openai.com/docs/api-reference/chat",
        secrets=_KEY,
        settings=_BASE,
        required=("api_key",),
        sdk="openai",
        has_batches=True,
    ),
    "azure": Family(
        "Azure OpenAI",
        "azure/",
        "https://learn.microsoft.com/azure/ai-services/openai/reference",
        secrets=_KEY,
        settings={"base_url": "api_base", "api_version": "api_version"},
        required=("base_url", "api_version"),
        own_settings=entra.SETTINGS,
        own_secrets=entra.SECRETS,
        sdk="azure",
        has_batches=True,
    ),
    "anthropic": Family(
        "Anthropic",
        "anthropic/",
        "https://docs.anthropic.com/en/api/messages",
        secrets=_KEY,
        settings=_BASE,
        required=("api_key",),
        has_batches=True,
    ),
    "bedrock": Family(
        "AWS Bedrock",
        "bedrock/converse/",
        "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
        secrets={
            "access_key_id": "aws_access_key_id",
            "secret_access_key": "aws_secret_access_key",
            "session_token": "aws_session_token",
            "api_key": "api_key",
        },
        settings={
            "aws_region": "aws_region_name",
            "base_url": "aws_bedrock_runtime_endpoint",
            "role_arn": "aws_role_name",
            "role_session_name": "aws_session_name",
        },
        required=("aws_region",),
    ),
    "vertex_ai": Family(
        "Google Vertex AI",
        "vertex_ai/",
        "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
        secrets={"service_account": "vertex_credentials"},
        settings={"project": "vertex_project", "location": "vertex_location", "base_url": "api_base"},
        required=("project", "location"),
    ),
    "gemini": Family(
        "Google GenAI",
        "gemini/",
        "https://ai.google.dev/api/generate-content",
        secrets=_KEY,
        settings=_BASE,
        required=("api_key",),
    ),
    "openai_compatible": Family(
        "OpenAI-compatible server (Ollama, vLLM...)",
        "openai/",
        "https://platform.openai.com/docs/api-reference/chat",
        secrets=_KEY,
        settings=_BASE,
        required=("base_url",),
        sdk="openai",
    ),
}


PARAMETERS = frozenset(
    {
        *("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"),
        *("reasoning_effort", "thinking", "service_tier", "safety_settings", "verbosity"),
    }
)
"""The parameters that a deployment may add to its requests. Any other could send a page or a key elsewhere."""
_DROPPED: dict[str, frozenset[str]] = {
    "anthropic": frozenset({"seed", "presence_penalty", "frequency_penalty", "service_tier", "verbosity"}),
    "bedrock": frozenset({"seed", "presence_penalty", "frequency_penalty", "verbosity"}),
    "gemini": frozenset({"verbosity"}),
    "vertex_ai": frozenset({"verbosity"}),
}
"""The parameters that litellm leaves out of requests without a word, because the provider's API has none like them."""
RESERVED_PARAMETERS = frozenset(
    {
        *("model", "messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "functions"),
        *("stream", "stream_options", "n", "extra_body", "extra_headers"),
    }
)
"""What an OpenAI-compatible server may not get from ``parameters``; any other key of its body may be set there."""
MAX_THINKING_TOKENS = 100_000


def problems_of(family: str, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> list[str]:
    """Return the problems of a provider's entry (missing, unknown or invalid values) as sentences."""
    found = FAMILIES.get(family)
    if found is None:
        return [f"family: {family!r} is not one of {', '.join(FAMILIES)}"]
    problems = [f"{name}: {found.label} needs it" for name in found.required if not {**settings, **secrets}.get(name)]
    problems += [f"{name}: {found.label} has no such setting" for name in settings if name not in found.setting_names]
    problems += [f"{name}: {found.label} has no such secret" for name in secrets if name not in found.secret_names]
    if bool(secrets.get("access_key_id")) != bool(secrets.get("secret_access_key")):
        problems.append("secret_access_key: it belongs to access_key_id; set both, or neither for the machine's role")
    if settings.get("role_arn") and not settings.get("role_session_name"):
        problems.append("role_session_name: it is needed with role_arn")
    problems += access_problems(settings, secrets)
    problems += entra_problems(settings, secrets) if family == "azure" else []
    base = settings.get("base_url")
    problem = "" if base is None else address_problem(family, base)
    return [*problems, problem] if problem else problems


def parameter_problems(family: str, parameters: Mapping[str, Any], *, model: str = "") -> list[str]:
    """Return the problems of the parameters that a deployment adds to its requests, as sentences.

    ``model``: the model behind the deployment, which decides what litellm writes into the request.
    """
    if family == "openai_compatible":
        own = sorted(RESERVED_PARAMETERS & parameters.keys())
        return [f"{name}: every request has its own; leave it out" for name in own]
    unknown = (str(name)[:60] for name in parameters if name not in PARAMETERS)
    problems = [f"{name}: not one of {', '.join(sorted(PARAMETERS))}" for name in unknown]
    is_claude = family == "anthropic" or (family == "vertex_ai" and "claude" in model.lower())
    dropped = sorted(_DROPPED["anthropic" if is_claude else family] & parameters.keys()) if family in _DROPPED else []
    return problems + [
        f"{name}: it does not reach this model, so it would have no effect; leave it out" for name in dropped
    ]


def batch_problem(family: str, *, batch: object) -> str:
    """Return what is wrong with a deployment's ``batch``, as a sentence; "" if it can be used."""
    if not isinstance(batch, bool):
        return "batch: true or false is expected"
    if batch and family in FAMILIES and not FAMILIES[family].has_batches:
        having = ", ".join(name for name, each in FAMILIES.items() if each.has_batches)
        return f"batch: {FAMILIES[family].label} has no batch API that is supported; {having} have one"
    return ""


def thinking_problem(wish: str) -> str:
    """Return what is wrong with a deployment's ``thinking``, as a sentence; "" if it can be used."""
    if wish in ("", "off", "low", "medium", "high") or (wish.isdigit() and 0 < int(wish) <= MAX_THINKING_TOKENS):
        return ""
    return f"off, low, medium, high or a number of tokens up to {MAX_THINKING_TOKENS:,} is expected"
