"""The secrets and names that the server accepts. None of them is valid anywhere else."""

from __future__ import annotations

import uuid
from typing import Final

OPENAI_KEY: Final = "sk-proj-fake-openai-3f9c1d7a"
OPENAI_EU_KEY: Final = "sk-proj-fake-openai-eu-82b0e64c"
AZURE_KEY: Final = "fakeazure0d1c2b3a4f5e69788796a5b4"
ENTRA_TOKEN: Final = "eyJ0eXAi.fake-entra-access-token.5b0c"
ANTHROPIC_KEY: Final = "sk-ant-api03-fake-5d2e8f10"
GEMINI_KEY: Final = "AIzaSyFakeGemini-7c41a9b2e6d8f0135792468ac"

AWS_REGION: Final = "eu-central-1"
AWS_ACCESS_KEY_ID: Final = "AKIAFAKELEAFMILL0001"
AWS_SECRET_ACCESS_KEY: Final = "fake/leafmill/secret/9f86d081884c7d659a2f"
AWS_TEMPORARY_KEY_ID: Final = "ASIAFAKELEAFMILL0002"
AWS_TEMPORARY_SECRET: Final = "fake/leafmill/temporary/60303ae22b998861bce3"
AWS_SESSION_TOKEN: Final = "fake-session-token-b17ef6d19c7a5b1e"
BEDROCK_API_KEY: Final = "ABSKFakeBedrockKey-e3b0c44298fc1c14"

VERTEX_PROJECT: Final = "leafmill-test"
VERTEX_LOCATION: Final = "europe-west4"
POD_TOKEN: Final = "token-of-the-pod"
GOOGLE_AUDIENCE: Final = "//iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/pods/providers/own"
SERVICE_ACCOUNT_EMAIL: Final = "parser@leafmill-test.iam.gserviceaccount.com"

# Names with * and ? as in a shell. A name outside them is an unknown model; Azure's are names of deployments.
MODELS: Final[dict[str, tuple[str, ...]]] = {
    "openai": ("gpt-*", "o1*", "o3*", "o4*"),
    "openai-eu": ("gpt-*", "o1*", "o3*", "o4*"),
    "local": ("*",),
    "azure": ("gpt-*", "reader*", "deployment-*", "pages-*"),
    "anthropic": ("claude-*",),
    "gemini": ("gemini-*",),
    "vertex": ("gemini-*",),
    "vertex-claude": ("claude-*",),
    "bedrock": ("*anthropic.claude-*", "*amazon.nova-*", "*meta.llama*", "*mistral.*", "arn:aws:bedrock:*"),
}


def new_service_account(token_uri: str) -> dict[str, str]:
    """Return a service account key file in Google's format, with a new RSA key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": VERTEX_PROJECT,
        "private_key_id": uuid.uuid4().hex,
        "private_key": private_key.decode(),
        "client_email": SERVICE_ACCOUNT_EMAIL,
        "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "universe_domain": "googleapis.com",
    }
