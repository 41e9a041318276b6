"""Requests by a name that is not in ALLOWED_HOSTS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.conftest import Api, code_of

STRANGER = "pods.example"


@pytest.mark.parametrize("path", ["/api/health", "/api/v2/parse", "/admin/"])
def test_a_strange_name_is_refused_and_the_answer_and_the_log_say_why(
    api: Api, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    answer = api.get(path, headers={"host": STRANGER})

    assert code_of(answer, 400) == "invalid_request"
    assert "ALLOWED_HOSTS" in answer.json()["detail"]
    assert "127.0.0.1" not in answer.content.decode(), "which names are allowed is not told"
    assert any(STRANGER in line and "ALLOWED_HOSTS" in line for line in caplog.messages)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/api/queue-statusz"])
def test_probes_and_scrapers_may_ask_by_any_name(api: Api, settings: Any, path: str) -> None:
    settings.METRICS_TOKEN = settings.QUEUE_STATUS_TOKEN = "canary-4711"

    for host in ("10.1.2.3:8000", STRANGER, "no name/at all"):
        answer = api.get(path, headers={"host": host, "authorization": "Bearer canary-4711"})
        assert answer.status_code != 400
        assert host not in answer.content.decode()
        if path != "/api/queue-statusz":  # which asks the broker, and there is none here
            assert answer.status_code == 200


def test_a_long_name_makes_no_long_line(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.get("/api/health", headers={"host": "x" * 5000})

    assert max(map(len, caplog.messages)) < 500
