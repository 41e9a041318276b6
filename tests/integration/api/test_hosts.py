"""Requests with a host name that is not in ALLOWED_HOSTS."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.integration.api.conftest import Api, code_of

UNKNOWN_HOST = "pods.example"


@pytest.mark.parametrize("path", ["/api/health", "/api/v2/parse", "/admin/"])
def test_an_unknown_host_is_refused_with_the_reason_in_response_and_log(
    api: Api, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    response = api.get(path, headers={"host": UNKNOWN_HOST})

    assert code_of(response, 400) == "invalid_request"
    assert "ALLOWED_HOSTS" in response.json()["detail"]
    assert "127.0.0.1" not in response.content.decode(), "the response does not reveal the allowed names"
    assert any(UNKNOWN_HOST in line and "ALLOWED_HOSTS" in line for line in caplog.messages)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/api/queue-statusz"])
def test_probes_and_scrapers_may_use_any_host_name(api: Api, settings: Any, path: str) -> None:
    settings.METRICS_TOKEN = settings.QUEUE_STATUS_TOKEN = "canary-4711"

    for host in ("10.1.2.3:8000", UNKNOWN_HOST, "no name/at all"):
        response = api.get(path, headers={"host": host, "authorization": "Bearer canary-4711"})
        assert response.status_code != 400
        assert host not in response.content.decode()
        if path != "/api/queue-statusz":  # it needs the broker, which does not exist here
            assert response.status_code == 200


def test_a_long_host_name_is_cut_in_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.get("/api/health", headers={"host": "x" * 5000})

    assert max(map(len, caplog.messages)) < 500


@pytest.mark.parametrize(
    ("port", "admin", "api"), [("8000", 404, 401), ("8002", 302, 404)], ids=["main port", "port of the admin"]
)
@pytest.mark.django_db
def test_the_admin_can_have_a_port_of_its_own(settings: Any, port: str, admin: int, api: int) -> None:
    settings.ADMIN_PORT = 8002
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:2],
        "apps.api.middleware.AdminPortMiddleware",
        *settings.MIDDLEWARE[2:],
    ]
    client = Client(headers={"host": "127.0.0.1"})

    assert client.get("/admin/", SERVER_PORT=port, headers={"x-forwarded-port": "8002"}).status_code == admin
    assert client.get("/api/v2/parse", SERVER_PORT=port).status_code == api
    assert client.get("/livez", SERVER_PORT=port).status_code == 200
