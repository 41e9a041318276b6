"""Logins to the admin over OpenID Connect, with a provider over real HTTP."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from joserfc.jwk import RSAKey

from apps.accounts import oidc
from apps.accounts.models import AuditEntry
from tests.fakes.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider

LOGIN = "/admin/oidc/login/"


@pytest.fixture(scope="module")
def running() -> Iterator[OpenIdProvider]:
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture
def provider(running: OpenIdProvider, settings: Any, transactional_db: None) -> Iterator[OpenIdProvider]:
    settings.OIDC_ISSUER = running.url
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.OIDC_STAFF_VALUES, settings.OIDC_GROUP = ["operators", "admins"], "viewers"
    oidc.provider_client.cache_clear()
    before = dict(vars(running)) | {"claims": dict(running.claims), "header": dict(running.header)}
    yield running
    vars(running).update(before)


def log_in(client: Client | None = None, *, query: str = "") -> Any:
    """Go through the login as a browser does, and return the response to the provider's redirect."""
    client = client or Client()
    to_provider = client.get(f"{LOGIN}{query}")
    assert to_provider.status_code == 302
    back = urlsplit(httpx.get(to_provider["Location"]).headers["Location"])
    assert (back.netloc, back.path) == ("testserver", "/admin/oidc/callback/")
    return client.get(f"{back.path}?{back.query}")


def test_a_user_with_the_claim_gets_the_permissions_of_the_group(provider: OpenIdProvider) -> None:
    viewers = Group.objects.create(name="viewers")
    viewers.permissions.add(Permission.objects.get(codename="view_project"))
    client = Client()
    page = client.get("/admin/login/?next=/admin/accounts/project/")
    assert b'href="/admin/oidc/login/?next=/admin/accounts/project/">Log in with 127.0.0.1</a>' in page.content

    response = log_in(client, query="?next=/admin/accounts/project/")

    assert response["Location"] == "/admin/accounts/project/"
    assert client.get("/admin/accounts/project/").status_code == 200
    assert client.get("/admin/accounts/apikey/").status_code == 403
    user = User.objects.get()
    assert user.username.startswith("jo+")
    assert (user.is_staff, user.is_superuser, user.has_usable_password()) == (True, False, False)
    log_in()
    assert User.objects.count() == 1
    assert list(AuditEntry.objects.values_list("actor", "action")) == [(user.username, "login ok")] * 2


@pytest.mark.parametrize("name", ["operator", "operator+000000000000"])
def test_a_user_with_the_same_name_here_is_another(provider: OpenIdProvider, name: str) -> None:
    User.objects.create_superuser(name, email="root@example.com", password="right-67")
    provider.claims |= {"preferred_username": name, "email": "root@example.com"}
    client = Client()
    log_in(client)
    assert User.objects.count() == 2
    assert client.get("/admin/auth/user/").status_code == 403


def sign_with_another_key(provider: OpenIdProvider) -> None:
    provider.key = RSAKey.generate_key(2048, {"kid": "first"})


def name_an_unknown_key(provider: OpenIdProvider) -> None:
    provider.header["kid"] = "second"


def send_no_id_token(provider: OpenIdProvider) -> None:
    provider.sends_id_token = False


def claim(**claims: Any) -> Callable[[OpenIdProvider], None]:
    return lambda provider: provider.claims.update(claims)


@pytest.mark.parametrize(
    "break_something",
    [
        pytest.param(sign_with_another_key, id="signature"),
        pytest.param(name_an_unknown_key, id="unknown key"),
        pytest.param(send_no_id_token, id="no ID token"),
        pytest.param(claim(nonce="other"), id="nonce"),
        pytest.param(claim(nonce=None), id="no nonce"),
        pytest.param(claim(aud="other"), id="audience"),
        pytest.param(claim(aud="other", azp=CLIENT_ID), id="audience of another with our party"),
        pytest.param(claim(aud=None), id="no audience"),
        pytest.param(claim(iss="https://other.example.com"), id="issuer"),
        pytest.param(claim(exp=int(time.time()) - 3600), id="expired"),
        pytest.param(claim(exp=None), id="no end"),
        pytest.param(claim(sub=None), id="no subject"),
    ],
)
def test_an_id_token_that_is_not_valid_is_refused(
    provider: OpenIdProvider, break_something: Callable[[OpenIdProvider], None], caplog: pytest.LogCaptureFixture
) -> None:
    break_something(provider)
    client = Client()
    response = log_in(client)

    assert response.status_code == 403
    assert b"oidc_refused" in response.content
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
    assert not User.objects.exists()
    assert list(AuditEntry.objects.values_list("actor", "action")) == [("oidc", "login failed")]
    assert "canary" not in caplog.text


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_signature_that_anybody_can_make_is_refused(provider: OpenIdProvider, algorithm: str) -> None:
    """The provider lists these algorithms: no signature, and one whose secret is the public key."""
    public_key = provider.published_key.as_pem(private=False)

    def sign(_header: Any, claims: dict[str, Any], _key: Any) -> str:
        parts = [encoded(json.dumps(part).encode()) for part in ({"alg": algorithm, "kid": "first"}, claims)]
        digest = hmac.digest(public_key, ".".join(parts).encode(), "sha256")
        return ".".join([*parts, encoded(digest) if algorithm == "HS256" else ""])

    provider.sign = sign
    assert log_in().status_code == 403
    assert not User.objects.exists()


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_refused_logins_of_an_address_are_slowed(provider: OpenIdProvider) -> None:
    provider.claims["nonce"] = "other"
    assert [log_in().status_code for _ in range(5)] == [403, 403, 403, 403, 429]
    del provider.claims["nonce"]
    response = log_in()
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 800


@pytest.mark.parametrize("groups", [None, [], ["guests"], "guests", {"operators": True}, ["operator"], 1])
def test_a_user_without_the_claim_is_refused(provider: OpenIdProvider, groups: Any) -> None:
    provider.claims["groups"] = groups
    response = log_in()
    assert response.status_code == 403
    assert b"oidc_not_staff" in response.content
    assert not User.objects.exists()
    assert list(AuditEntry.objects.values_list("actor", "action")) == [("jo", "login failed")]


def test_a_user_who_loses_the_claim_loses_the_admin_in_all_sessions(provider: OpenIdProvider) -> None:
    client = Client()
    provider.claims["groups"] = "admins"  # one value in place of a list
    log_in(client)
    assert client.get("/admin/").status_code == 200
    provider.claims["groups"] = ["guests"]
    assert log_in().status_code == 403
    assert client.get("/admin/").status_code == 302


def test_a_group_that_does_not_exist_is_said(provider: OpenIdProvider) -> None:
    client = Client()
    log_in(client)
    assert "There is no group &#x27;viewers&#x27;" in client.get("/admin/").content.decode()


def test_a_redirect_of_another_browser_or_a_second_time_is_refused(provider: OpenIdProvider) -> None:
    client = Client()
    back = urlsplit(httpx.get(client.get(LOGIN)["Location"]).headers["Location"])
    callback = f"{back.path}?{back.query}"
    assert Client().get(callback).status_code == 403
    assert client.get(callback)["Location"] == "/admin/"
    assert client.get(callback).status_code == 403


def test_an_outage_or_another_name_of_the_provider_is_said(provider: OpenIdProvider, settings: Any) -> None:
    provider.issuer = "https://other.example.com"
    oidc.provider_client.cache_clear()
    assert Client().get(LOGIN).status_code == 503
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    response = Client().get(LOGIN)
    assert response.status_code == 503
    assert b"oidc_unavailable" in response.content


def test_without_a_provider_there_is_no_button_and_no_address(transactional_db: None) -> None:
    assert b"oidc" not in Client().get("/admin/login/").content
    assert Client().get(LOGIN).status_code == 404
    assert Client().get("/admin/oidc/callback/").status_code == 404


def test_a_second_factor_is_asked_for_too(provider: OpenIdProvider, settings: Any) -> None:
    settings.ADMIN_SECOND_FACTOR = "required"
    client = Client()
    log_in(client)
    assert client.get("/admin/")["Location"].startswith("/admin/second-factor/")
