"""Access as companies have it: headers of a gateway, a proxy, Bedrock's API keys, roles of the machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from apps.core import sealed_secrets
from apps.providers.calls.gateway import Gateway
from apps.providers.models import Provider
from apps.providers.requests.families import problems_of
from tests.fakes.deployments import FAMILIES, deploy
from tests.fakes.provider import FakeProvider
from tests.fakes.providers import credentials
from tests.integration.providers.test_gateway import complete

ROLE = {
    "AccessKeyId": credentials.AWS_TEMPORARY_KEY_ID,
    "SecretAccessKey": credentials.AWS_TEMPORARY_SECRET,
    "Token": credentials.AWS_SESSION_TOKEN,
    "Expiration": "2099-01-01T00:00:00Z",
}


@pytest.fixture
def role_of_the_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Serve temporary keys as a container's or pod's agent does."""

    class Agent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(ROLE).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Agent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/role")
    yield
    server.shutdown()


def change(gateway: Gateway, **settings: Any) -> None:
    provider = Provider.objects.get()
    Provider.objects.update(settings={**provider.settings, **settings})
    gateway._catalog.forget()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_sends_the_headers_of_its_gateway(provider: FakeProvider, gateway: Gateway, family: str) -> None:
    deploy(provider, family)
    row = Provider.objects.get()
    secrets = json.loads(sealed_secrets.unseal(row.secrets_sealed)) if row.secrets_sealed else {}
    sealed = sealed_secrets.seal(json.dumps({**secrets, "headers": '{"X-Own-Key": "canary"}'}))
    Provider.objects.update(secrets_sealed=sealed)
    change(gateway, headers={"X-Own-Team": "pages"})

    complete(gateway)

    assert provider.requests()[-1]["own_headers"] == {"x-own-team": "pages", "x-own-key": "canary"}


def test_provider_is_reached_through_its_proxy(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "openai")
    change(gateway, base_url="http://models.invalid/openai/v1", proxy=provider.url)

    complete(gateway)

    assert provider.requests()[-1]["host"] == "models.invalid"


def test_bedrock_takes_an_api_key(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "bedrock", secrets={"api_key": credentials.BEDROCK_API_KEY})

    complete(gateway)

    assert provider.requests()[-1]["credential"] == credentials.BEDROCK_API_KEY


def test_bedrock_uses_the_role_of_the_pod(provider: FakeProvider, gateway: Gateway, role_of_the_pod: None) -> None:
    deploy(provider, "bedrock", secrets={})

    complete(gateway)

    assert provider.requests()[-1]["credential"] == credentials.AWS_TEMPORARY_KEY_ID


def test_vertex_uses_the_credentials_of_the_machine(
    provider: FakeProvider, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "account.json").write_text(json.dumps(provider.service_account()), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    deploy(provider, "vertex", secrets={})

    assert complete(gateway).checked


@pytest.mark.parametrize(
    ("family", "settings", "secrets", "words"),
    [
        ("bedrock", {"aws_region": "eu"}, {"access_key_id": "a"}, "set both, or neither"),
        ("bedrock", {"aws_region": "eu", "role_arn": "arn:aws:iam::1:role/x"}, {}, "role_session_name"),
        ("openai", {"headers": {"Host": "x"}}, {"api_key": "a"}, "cannot be sent as a header"),
        ("openai", {"headers": {"X-A": "b\r\nX-C: d"}}, {"api_key": "a"}, "cannot be sent as a header"),
        ("openai", {"headers": "X-A: b"}, {"api_key": "a"}, "an object of names and values"),
        ("openai", {}, {"api_key": "a", "headers": "X-A: b"}, "a JSON object in a string"),
        ("openai", {"proxy": "http://user:word@proxy:3128"}, {"api_key": "a"}, "HTTPS_PROXY"),
    ],
)
def test_wrong_access_is_refused_with_a_sentence(
    family: str, settings: dict[str, Any], secrets: dict[str, str], words: str
) -> None:
    problems = "; ".join(problems_of(family, settings, secrets))

    assert words in problems
    assert "word@" not in problems
