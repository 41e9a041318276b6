"""Limits on clients: requests a minute, uploads at once, wrong keys."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import Client

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey
from apps.api.requests import rate_limits
from apps.providers.quota import store as quota_store
from tests import services
from tests.documents.long import long_document
from tests.integration.api.conftest import FILES, PARSE, Api, code_of
from tests.integration.api.test_bad_requests import END, FORM, PART


@pytest.fixture(autouse=True)
def _store(settings: Any, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "_store_fails_until", 0.0)
    for name in ("ANSWER_SECONDS", "CONNECT_SECONDS", "POOL_SECONDS"):  # a busy machine answers late
        monkeypatch.setattr(quota_store, name, 10.0)
    with services.redis_client(valkey_url) as client:
        client.flushdb()
    settings.REDIS_URL = valkey_url
    settings.KEY_REQUESTS_PER_MINUTE = settings.KEY_UPLOADS_AT_ONCE = 0


def limit_of_key(**limits: int) -> Api:
    row, key = accounts.create_api_key(name="limited")
    ApiKey.objects.filter(pk=row.pk).update(**limits)
    return Api(key)


def wrong(address: str, **headers: str) -> Any:
    return Client(REMOTE_ADDR=address).get(PARSE, headers={"authorization": "Bearer lm-wrong", **headers})


def test_a_key_over_its_limit_learns_how_long_to_wait(api: Api) -> None:
    limited = limit_of_key(requests_per_minute=3)

    served = [limited.get(f"{PARSE}/versions") for _ in range(3)]
    refused = limited.get(PARSE)

    assert [response.status_code for response in served] == [200, 200, 200]
    assert [response["RateLimit-Remaining"] for response in served] == ["2", "1", "0"]
    assert served[0]["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert served[0]["RateLimit"].startswith('"requests";r=2;t=')
    assert code_of(refused, 429) == "rate_limited"
    assert 1 <= int(refused["Retry-After"]) == int(refused["RateLimit-Reset"]) <= 60
    assert refused["RateLimit-Limit"] == "3"
    other = api.get(PARSE)
    assert other.status_code == 200
    assert "RateLimit" not in other


def test_a_key_may_have_another_limit_than_the_service(settings: Any, transactional_db: None) -> None:
    settings.KEY_REQUESTS_PER_MINUTE = 1
    usual, unlimited, more = limit_of_key(), limit_of_key(requests_per_minute=0), limit_of_key(requests_per_minute=2)

    assert [usual.get(PARSE).status_code for _ in range(3)] == [200, 429, 429]
    assert [unlimited.get(PARSE).status_code for _ in range(3)] == [200, 200, 200]
    assert [more.get(PARSE).status_code for _ in range(3)] == [200, 200, 429]


def test_threads_that_ask_at_once_get_no_more_than_the_limit(transactional_db: None) -> None:
    limited = limit_of_key(requests_per_minute=20)

    def ask(_number: int) -> int:
        from django.db import connection

        try:
            return int(limited.get(PARSE).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        statuses = Counter(threads.map(ask, range(60)))
    assert statuses == {200: 20, 429: 40}


class PausedBody(io.BytesIO):
    """A body whose second part is sent when the test says so."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            self.begun.set()
            assert self.go_on.wait(20)
        return super().read(min(size or 200, 200) if not self.tell() else size)


def test_uploads_of_a_key_at_once_are_limited(transactional_db: None) -> None:
    limited = limit_of_key(uploads_at_once=1)
    body = PausedBody(PART + long_document(1) + END)

    def upload() -> int:
        from django.db import connection

        environ: dict[str, Any] = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
        try:
            return int(limited.generic("POST", FILES, b"", CONTENT_TYPE=FORM, **environ).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(upload)
        assert body.begun.wait(20)
        refused = limited.upload()
        body.go_on.set()
        assert slow.result(20) == 200

    assert code_of(refused, 429) == "too_many_uploads"
    assert int(refused["Retry-After"]) > 0
    assert limited.upload().status_code == 200


def test_40_wrong_keys_in_a_row_are_throttled_and_right_ones_are_not(api: Api) -> None:
    responses = [wrong("203.0.113.7") for _ in range(40)]

    assert [response.status_code for response in responses] == [401] * 30 + [429] * 10
    assert code_of(responses[-1], 429) == "too_many_wrong_keys"
    assert 1 <= int(responses[-1]["Retry-After"]) <= 60
    assert wrong("203.0.113.8").status_code == 401
    assert api.get(PARSE, REMOTE_ADDR="203.0.113.7").status_code == 200


def test_the_address_behind_trusted_proxies_is_counted(settings: Any, transactional_db: None) -> None:
    settings.WRONG_KEYS_PER_MINUTE, settings.TRUSTED_PROXIES = 1, 1

    def statuses(*forwarded: str) -> list[int]:
        return [wrong("10.0.0.1", **{"x-forwarded-for": each}).status_code for each in forwarded]

    # The client may write into the header what it likes; the proxy adds the last address.
    assert statuses("1.1.1.1, 198.51.100.1", "2.2.2.2, 198.51.100.1", "198.51.100.2") == [401, 429, 401]
    assert statuses("2001:db8::1", "2001:db8::2", "2001:db8:1::1") == [401, 429, 401]


def test_requests_are_served_while_the_store_is_down(
    settings: Any, transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limited = limit_of_key(requests_per_minute=1, uploads_at_once=1)

    began = time.monotonic()
    assert [limited.get(PARSE).status_code for _ in range(20)] == [200] * 20
    assert limited.upload().status_code == 200
    assert time.monotonic() - began < 5
    assert caplog.text.count("Requests are not limited") == 1


def test_a_limited_request_is_in_the_metrics(settings: Any, transactional_db: None) -> None:
    settings.METRICS_TOKEN = "for-prometheus"
    limited = limit_of_key(requests_per_minute=1)
    for _ in range(3):
        limited.get(PARSE)

    metrics = Client().get("/metrics", headers={"authorization": "Bearer for-prometheus"}).content.decode()
    start = 'leafmill_limited_requests_total{code="rate_limited"} '
    line = next(line for line in metrics.splitlines() if line.startswith(start))
    assert float(line.rpartition(" ")[2]) >= 2


def test_a_high_limit_is_counted_in_batches(transactional_db: None, valkey_url: str) -> None:
    limited = limit_of_key(requests_per_minute=5000)

    responses = [limited.get(f"{PARSE}/versions") for _ in range(7)]

    assert [response["RateLimit-Remaining"] for response in responses] == [str(5000 - used) for used in range(1, 8)]
    with services.redis_client(valkey_url) as client:
        (name,) = client.keys("leafmill:requests:*")
        assert int(client.get(name)) == 10, "two batches of five"
