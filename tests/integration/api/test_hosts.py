"""Requests with a host name that is not in ALLOWED_HOSTS."""

from __future__ import annotations

from typing import Any

import pytest

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
