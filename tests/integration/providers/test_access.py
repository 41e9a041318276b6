"""Access as companies have it: headers of a gateway, a proxy, Bedrock's API keys, roles of the machine."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from apps.core.sealing import sealed_secrets
from apps.providers.calls.access_tokens import access_tokens
from apps.providers.calls.gateway import Gateway
from apps.providers.errors import AllProvidersFailed
from apps.providers.models import Provider, Usage
from apps.providers.requests.families import problems_of
from tests.fakes.deployments import FAMILIES, deploy
from tests.fakes.provider import FakeProvider
from tests.fakes.providers import credentials
from tests.integration.providers.test_gateway import complete

AZURE = {"base_url": "https://own.openai.azure.com", "api_version": "2024-10-21"}
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


class TokenEndpoint:
    """Microsoft's token endpoint (v2.0) over TLS. It keeps the forms that it was sent."""

    def __init__(self, folder: Path) -> None:
        self.forms: list[dict[str, str]] = []
        self.status = 200
        self.seconds = 3600
        self.certificate = folder / "authority.pem"
        key = folder / "authority.key"
        write_certificate(self.certificate, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the directory of the authority
                tenant = f"{endpoint.url}/tenant-1"
                found = {
                    "token_endpoint": f"{tenant}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
                    "issuer": f"{tenant}/v2.0",
                }
                self.answer(200, found)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
                endpoint.forms.append({**form, "path": self.path})
                if endpoint.status != 200:
                    description = "AADSTS7000215: Invalid client secret provided."
                    self.answer(endpoint.status, {"error": "invalid_client", "error_description": description})
                    return
                token = {"token_type": "Bearer", "expires_in": endpoint.seconds}
                self.answer(200, {**token, "access_token": credentials.ENTRA_TOKEN})

            def answer(self, status: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def write_certificate(path: Path, key_path: Path) -> None:
    """Write a certificate of localhost and its key, signed by itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pkcs8 = serialization.PrivateFormat.PKCS8
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TokenEndpoint]:
    endpoint = TokenEndpoint(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(endpoint.certificate))
    access_tokens.reset()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


def azure_with(provider: FakeProvider, entra: TokenEndpoint, secrets: dict[str, str], **settings: Any) -> None:
    deploy(provider, "azure", secrets=secrets)
    row = Provider.objects.get()
    names = {"tenant_id": "tenant-1", "client_id": "client-1", "authority": entra.url}
    Provider.objects.update(settings={**row.settings, **names, **settings})


@pytest.mark.parametrize("kind", ["client_secret", "client_certificate", "workload"])
def test_azure_takes_a_token_of_entra_id_and_fetches_it_once(
    provider: FakeProvider, gateway: Gateway, entra: TokenEndpoint, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "federated").write_text(credentials.POD_TOKEN, encoding="utf-8")
    pem = entra.certificate.read_text() + (tmp_path / "authority.key").read_text()
    secrets = {"client_secret": {"client_secret": "s3cret"}, "client_certificate": {"client_certificate": pem}}
    settings = {"identity": "workload", "token_file": str(tmp_path / "federated")} if kind == "workload" else {}
    azure_with(provider, entra, secrets.get(kind, {}), **settings)

    complete(gateway, 1)
    complete(gateway, 2)

    [form] = entra.forms
    assert (form["path"], form["client_id"]) == ("/tenant-1/oauth2/v2.0/token", "client-1")
    assert form["scope"] == "https://cognitiveservices.azure.com/.default"
    assert form["grant_type"] == "client_credentials"
    assert form.get("client_secret", "") == ("s3cret" if kind == "client_secret" else "")
    assert (form.get("client_assertion", "") == credentials.POD_TOKEN) == (kind == "workload")
    assert [entry["credential"] for entry in provider.requests()] == [credentials.ENTRA_TOKEN] * 2


def test_a_token_is_fetched_again_before_it_expires(
    provider: FakeProvider, gateway: Gateway, entra: TokenEndpoint
) -> None:
    entra.seconds = 240
    azure_with(provider, entra, {"client_secret": "s3cret"})

    complete(gateway, 1)
    complete(gateway, 2)

    assert len(entra.forms) == 2


def test_a_refused_identity_is_a_fault_of_the_provider_with_its_remedy(
    provider: FakeProvider, gateway: Gateway, entra: TokenEndpoint
) -> None:
    entra.status = 401
    azure_with(provider, entra, {"client_secret": "s3cret"})

    with pytest.raises(AllProvidersFailed):
        complete(gateway)

    row = Provider.objects.get()
    assert row.trouble_code == "provider_auth_failed"
    assert "AADSTS7000215" in row.trouble_detail
    assert "Check the identity" in row.trouble_detail
    assert "s3cret" not in row.trouble_detail
    assert not Usage.objects.exists()


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


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[dict[str, str]]]:
    """Amazon's Security Token Service: it gives temporary keys for a role. Return what it was sent."""
    forms: list[dict[str, str]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            forms.append(form)
            is_refused = form["RoleArn"].endswith("/refused")
            error = "<Error><Code>AccessDenied</Code><Message>User is not authorized to assume it</Message></Error>"
            answer = f"<ErrorResponse>{error}</ErrorResponse>" if is_refused else assumed(form["Action"])
            self.send_response(403 if is_refused else 200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield forms
    server.shutdown()
    server.server_close()


def assumed(action: str) -> str:
    key = "".join(
        f"<{name}>{ROLE[source]}</{name}>"
        for name, source in {
            "AccessKeyId": "AccessKeyId",
            "SecretAccessKey": "SecretAccessKey",
            "SessionToken": "Token",
            "Expiration": "Expiration",
        }.items()
    )
    return f"<{action}Response><{action}Result><Credentials>{key}</Credentials></{action}Result></{action}Response>"


def test_bedrock_assumes_a_role_once(provider: FakeProvider, gateway: Gateway, sts: list[dict[str, str]]) -> None:
    deploy(provider, "bedrock")
    change(gateway, role_arn="arn:aws:iam::7:role/pages", role_session_name="leafmill")

    complete(gateway, 1)
    complete(gateway, 2)

    asked = [form for form in sts if form["Action"] == "AssumeRole"]
    assert [(form["RoleArn"], form["RoleSessionName"]) for form in asked] == [("arn:aws:iam::7:role/pages", "leafmill")]
    assert [entry["credential"] for entry in provider.requests()] == [credentials.AWS_TEMPORARY_KEY_ID] * 2


def test_bedrock_uses_the_token_file_of_the_pod(
    provider: FakeProvider,
    gateway: Gateway,
    sts: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "federated").write_text(credentials.POD_TOKEN, encoding="utf-8")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "federated"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::7:role/pod")
    deploy(provider, "bedrock", secrets={})

    complete(gateway)

    assert {form["WebIdentityToken"] for form in sts} == {credentials.POD_TOKEN}
    assert provider.requests()[-1]["credential"] == credentials.AWS_TEMPORARY_KEY_ID


def test_a_role_that_is_refused_is_a_fault_with_its_remedy(
    provider: FakeProvider, gateway: Gateway, sts: list[dict[str, str]]
) -> None:
    deploy(provider, "bedrock")
    change(gateway, role_arn="arn:aws:iam::7:role/refused", role_session_name="leafmill")

    with pytest.raises(AllProvidersFailed):
        complete(gateway)

    detail = Provider.objects.get().trouble_detail
    assert "not authorized" in detail
    assert "Check the identity" in detail


def test_vertex_exchanges_the_token_of_the_pod(provider: FakeProvider, gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "federated").write_text(credentials.POD_TOKEN, encoding="utf-8")
    account = {
        "type": "external_account",
        "audience": credentials.GOOGLE_AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{provider.url}/token",
        "credential_source": {"file": str(tmp_path / "federated")},
    }
    deploy(provider, "vertex", secrets={"service_account": json.dumps(account)})

    assert complete(gateway).checked


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
        ("azure", AZURE, {}, "or an identity of Microsoft Entra ID"),
        ("azure", {**AZURE, "identity": "managed"}, {"api_key": "a"}, "one of them"),
        ("azure", AZURE, {"client_secret": "a"}, "tenant_id: an identity needs it"),
        ("azure", {**AZURE, "identity": "workload", "client_id": "c", "tenant_id": "t"}, {}, "token_file"),
        ("azure", {**AZURE, "identity": "mine"}, {}, "managed or workload"),
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
